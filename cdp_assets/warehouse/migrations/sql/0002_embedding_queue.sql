-- embedding: how texts and vectors are kept in step. A change of a text enqueues a job in its own transaction; a
-- worker claims jobs, embeds outside any transaction, and completes those that nobody touched meanwhile.

create function embedding.enqueue(p_entity text, p_keys text[], p_model text default null) returns bigint
-- The planner expects one row of a tenant (row level security); nested loops over 100,000 would take minutes.
language plpgsql set enable_nestloop = off as $$
declare
    tenant constant text := ops.current_tenant();
    model text;
    enqueued bigint;
    total bigint := 0;
begin
    if p_entity <> all (embedding.entities()) then
        raise exception 'unknown entity %, known are %', p_entity, embedding.entities();
    end if;
    for model in
        select m.model_id from embedding.model as m
        where m.tenant_id = tenant and m.model_id = coalesce(p_model, m.model_id) order by 1
    loop
        -- Jobs first, in a statement of their own: a worker that is just completing one of them commits before this
        -- returns, and the comparison below sees its vector. Without it, a text that goes there and back could be
        -- left with the vector of the text between.
        perform from embedding.job as j
        where j.tenant_id = tenant and j.model_id = model and j.entity = p_entity
            and (p_keys is null or j.entity_key = any(p_keys))
        order by j.entity_key for update;
        execute format($statement$
            with wanted as materialized (
                select t.entity_key, t.text_hash from embedding.texts($1, $2) as t
            ), gone as (
                delete from embedding.%1$I as v
                where %2$s and not exists (select from wanted as w where w.entity_key = v.entity_key)
                returning v.text_hash, v.embedding
            ), retired as (
                insert into embedding.retired_vector (tenant_id, model_id, text_hash, embedding)
                select distinct on (g.text_hash) $3, $4, g.text_hash, g.embedding from gone as g
                -- what was said by or about a person leaves with them
                where $1 not in ('profile', 'review')
                on conflict (tenant_id, model_id, text_hash) do update set retired_at = now()
            ), withdrawn as (
                delete from embedding.job as v
                where v.tenant_id = $3 and v.model_id = $4 and v.entity = $1 and %2$s
                    and not exists (select from wanted as w where w.entity_key = v.entity_key)
            ), compared as materialized (
                select w.entity_key, w.text_hash, v.text_hash is distinct from w.text_hash as is_stale
                from wanted as w left join embedding.%1$I as v on v.entity_key = w.entity_key and %2$s
            ), returned as (
                update embedding.job as j
                set text_hash = c.text_hash, generation = j.generation + 1, worker = null,
                    available_at = clock_timestamp()
                from compared as c
                where j.tenant_id = $3 and j.model_id = $4 and j.entity = $1 and j.entity_key = c.entity_key
                    and not c.is_stale and j.text_hash <> c.text_hash
            ), stale as (
                insert into embedding.job as j (tenant_id, model_id, entity, entity_key, text_hash)
                select $3, $4, $1, c.entity_key, c.text_hash from compared as c where c.is_stale
                order by c.entity_key
                on conflict (tenant_id, model_id, entity, entity_key) do update
                set text_hash = excluded.text_hash, generation = j.generation + 1, worker = null,
                    available_at = clock_timestamp(), attempts = 0, crashes = 0, error = null, dead_at = null
                where j.text_hash <> excluded.text_hash
                returning 1
            )
            select count(*) from stale
        $statement$, embedding.leaf(p_entity, tenant, model),
            case when p_keys is null then 'true' else 'v.entity_key = any($2)' end)
        into enqueued using p_entity, p_keys, tenant, model;
        total := total + enqueued;
    end loop;
    if total > 0 then
        -- Without a payload: any role may listen, and must not learn whose texts change.
        perform pg_notify('embedding_job', '');
    end if;
    return total;
end
$$;

comment on function embedding.enqueue (text, text[], text) is 'Brings jobs in step with the texts of these keys (null: of all), for one model or all: a job for each text without its vector, and neither job nor vector for a key without text. Returns the jobs made or changed';

create function embedding.text_changed() returns trigger
language plpgsql as $$
declare
    keys text[];
begin
    if exists (select from embedding.model where tenant_id = ops.current_tenant()) then
        execute format('select array_agg(%I) from changed where tenant_id = ops.current_tenant()', tg_argv[1])
        into keys;
        if keys is not null then
            perform embedding.enqueue(tg_argv[0], keys);
        end if;
    end if;
    return null;
end
$$;

comment on function embedding.text_changed () is 'Statement trigger of an entity''s table (arguments: entity, key column): enqueues the rows that the statement touched';

create function embedding.product_changed() returns trigger
language plpgsql as $$
declare
    products text[];
    transactions text[];
begin
    if exists (select from embedding.model where tenant_id = ops.current_tenant()) then
        products := array(
            select c.product_key from changed as c left join former as f using (tenant_id, product_key)
            where c.tenant_id = ops.current_tenant() and embedding.product_text(
                c.title, c.brand, c.category, c.keywords, c.description
            ) is distinct from embedding.product_text(f.title, f.brand, f.category, f.keywords, f.description)
        );
        transactions := array(
            select txn_id from cdp.transactional_context
            where tenant_id = ops.current_tenant() and product_key = any(products)
        );
        if cardinality(transactions) > 0 then
            perform embedding.enqueue('transaction', transactions);
        end if;
    end if;
    return null;
end
$$;

comment on function embedding.product_changed () is 'Statement trigger of cdp.product_item: enqueues the transactions of products whose text changed';

create function embedding.product_added() returns trigger
language plpgsql as $$
declare
    transactions text[];
begin
    if exists (select from embedding.model where tenant_id = ops.current_tenant()) then
        transactions := array(
            select txn_id from cdp.transactional_context
            where tenant_id = ops.current_tenant() and product_key = any(array(select product_key from changed))
        );
        if cardinality(transactions) > 0 then
            perform embedding.enqueue('transaction', transactions);
        end if;
    end if;
    return null;
end
$$;

comment on function embedding.product_added () is 'Statement trigger of cdp.product_item: a product that comes or goes gives its transactions a text, or takes it';

create index transactional_context_product on cdp.transactional_context (tenant_id, product_key);

do $$
declare
    source record;
begin
    for source in
        select * from (values
            ('profile', 'cdp.customer_profile', 'cdp_profile_id'),
            ('transaction', 'cdp.transactional_context', 'txn_id'),
            ('product', 'cdp.product_item', 'product_key'),
            ('review', 'cdp.feedback', 'feedback_id'),
            ('marketing_event', 'activation.marketing_event', 'marketing_event_id')
        ) as s (entity, relation, key)
    loop
        execute format(
            'create trigger embedding_inserted after insert on %s referencing new table as changed '
            'for each statement execute function embedding.text_changed(%L, %L)',
            source.relation, source.entity, source.key);
        execute format(
            'create trigger embedding_updated after update on %s referencing new table as changed '
            'for each statement execute function embedding.text_changed(%L, %L)',
            source.relation, source.entity, source.key);
        execute format(
            'create trigger embedding_deleted after delete on %s referencing old table as changed '
            'for each statement execute function embedding.text_changed(%L, %L)',
            source.relation, source.entity, source.key);
    end loop;
end
$$;

create trigger embedding_transactions_updated after update on cdp.product_item
referencing old table as former new table as changed
for each statement execute function embedding.product_changed();

create trigger embedding_transactions_inserted after insert on cdp.product_item
referencing new table as changed
for each statement execute function embedding.product_added();

create trigger embedding_transactions_deleted after delete on cdp.product_item
referencing old table as changed
for each statement execute function embedding.product_added();

create function embedding.known_vectors(p_model text, p_hashes bytea[])
returns table (text_hash bytea, embedding public.vector)
language plpgsql stable as $$
declare
    statement text;
begin
    select string_agg(format(
        'select v.text_hash, v.embedding from embedding.%I as v '
        'where v.tenant_id = %L and v.model_id = %L and v.text_hash = any($1)',
        embedding.leaf(e.entity, ops.current_tenant(), p_model), ops.current_tenant(), p_model), ' union all ')
    into statement
    from unnest(embedding.entities()) as e (entity)
    where to_regclass(format('embedding.%I', embedding.leaf(e.entity, ops.current_tenant(), p_model))) is not null;
    if statement is null then
        raise exception 'no model % is registered for tenant %', p_model, ops.current_tenant();
    end if;
    return query execute
        'select distinct on (1) * from (' || statement || ' union all '
        'select r.text_hash, r.embedding from embedding.retired_vector as r '
        'where r.tenant_id = $2 and r.model_id = $3 and r.text_hash = any($1)) as known'
    using p_hashes, ops.current_tenant(), p_model;
end
$$;

comment on function embedding.known_vectors (text, bytea[]) is 'Vectors that the tenant has for these texts already, of whatever entity, or of one that has left';

create function embedding.claim(p_model text, p_entity text, p_worker text, p_limit integer, p_lease interval)
returns table (entity_key text, generation bigint, content text, text_hash bytea, settled text)
language plpgsql as $$
declare
    tenant constant text := ops.current_tenant();
    claimed_keys text[];
    generations bigint[];
begin
    if p_entity <> all (embedding.entities()) then
        raise exception 'unknown entity %, known are %', p_entity, embedding.entities();
    end if;
    if not exists (select from embedding.model as m where m.tenant_id = tenant and m.model_id = p_model) then
        raise exception 'no model % is registered for tenant %', p_model, tenant;
    end if;
    -- A lease that ran out means that its worker died with the job. Twice may be chance; after that the job is tried
    -- alone, so that it cannot take others along, and at the fifth time it is given up.
    update embedding.job as j
    set dead_at = now(), worker = null, error = 'five workers died while they embedded this text'
    where j.tenant_id = tenant and j.model_id = p_model and j.entity = p_entity and j.dead_at is null
        and j.available_at <= clock_timestamp() and j.worker is not null and j.crashes >= 4;
    with healthy as (
        select j.entity_key from embedding.job as j
        where j.tenant_id = tenant and j.model_id = p_model and j.entity = p_entity and j.dead_at is null
            and j.available_at <= clock_timestamp() and j.crashes < 2
        order by j.available_at limit p_limit for update skip locked
    ), suspect as (
        select j.entity_key from embedding.job as j
        where j.tenant_id = tenant and j.model_id = p_model and j.entity = p_entity and j.dead_at is null
            and j.available_at <= clock_timestamp() and j.crashes >= 2 and not exists (select from healthy)
        order by j.available_at limit 1 for update skip locked
    ), picked as (
        select h.entity_key from healthy as h union all select s.entity_key from suspect as s
    ), taken as (
        update embedding.job as j
        set generation = j.generation + 1, worker = p_worker, available_at = clock_timestamp() + p_lease,
            attempts = j.attempts + 1, crashes = j.crashes + (j.worker is not null)::integer
        where j.tenant_id = tenant and j.model_id = p_model and j.entity = p_entity
            and j.entity_key = any(array(select p.entity_key from picked as p))
        returning j.entity_key, j.generation
    )
    select array_agg(t.entity_key), array_agg(t.generation) into claimed_keys, generations from taken as t;
    if claimed_keys is null then
        return;
    end if;
    return query execute format($statement$
        with claimed as (
            select * from unnest($1, $2) as c (entity_key, generation)
        ), now_text as materialized (
            select * from embedding.texts($3, $1)
        ), compared as materialized (
            select c.entity_key, c.generation, t.content, t.text_hash,
                case when t.content is null then 'withdrawn' when v.text_hash = t.text_hash then 'current' end as state
            from claimed as c
            left join now_text as t on t.entity_key = c.entity_key
            left join embedding.%1$I as v on v.tenant_id = $4 and v.model_id = $5 and v.entity_key = c.entity_key
        ), known as materialized (
            select * from embedding.known_vectors($5, array(
                select distinct c.text_hash from compared as c where c.state is null
            ))
        ), outcome as materialized (
            select c.entity_key, c.generation, c.content, c.text_hash, k.embedding,
                coalesce(c.state, case when k.text_hash is not null then 'copied' end) as settled
            from compared as c left join known as k on k.text_hash = c.text_hash
        ), copied as (
            insert into embedding.%1$I (tenant_id, model_id, entity_key, text_hash, embedding)
            select $4, $5, o.entity_key, o.text_hash, o.embedding from outcome as o where o.settled = 'copied'
            on conflict (tenant_id, model_id, entity_key) do update
            set text_hash = excluded.text_hash, embedding = excluded.embedding, embedded_at = now()
        ), withdrawn as (
            delete from embedding.%1$I as v using outcome as o
            where v.tenant_id = $4 and v.model_id = $5 and v.entity_key = o.entity_key and o.settled = 'withdrawn'
        ), closed as (
            delete from embedding.job as j using outcome as o
            where j.tenant_id = $4 and j.model_id = $5 and j.entity = $3 and j.entity_key = o.entity_key
                and o.settled is not null
        ), renamed as (
            update embedding.job as j set text_hash = o.text_hash from outcome as o
            where j.tenant_id = $4 and j.model_id = $5 and j.entity = $3 and j.entity_key = o.entity_key
                and o.settled is null and j.text_hash <> o.text_hash
        )
        select o.entity_key, o.generation, o.content, o.text_hash, o.settled from outcome as o
    $statement$, embedding.leaf(p_entity, tenant, p_model))
    using claimed_keys, generations, p_entity, tenant, p_model;
end
$$;

comment on function embedding.claim (text, text, text, integer, interval) is 'Takes up to so many open jobs of an entity for a worker. Jobs that need no provider are settled at once: the text is gone (withdrawn), its vector is there (current), or the tenant has a vector of an equal text (copied); the others come with their text';
