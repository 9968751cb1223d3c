-- embedding: how texts and vectors are kept in step. A change of a text enqueues a job in its own transaction; a
-- worker claims jobs, embeds outside any transaction, and completes those that nobody touched meanwhile.

create function embedding.texts_lock(p_tenant text) returns bigint
language sql immutable parallel safe
return hashtextextended('embedding.model/' || p_tenant, 0);

comment on function embedding.texts_lock(text) is 'Advisory lock of a tenant''s texts: shared by every transaction that changes one, alone for who compares all of them';

create function embedding.out_of_step(p_entity text, p_model text) returns boolean
language plpgsql stable set enable_nestloop = off as $$
declare
    tenant constant text := ops.current_tenant();
    differs boolean;
begin
    execute format($statement$
        select exists (
            select from embedding.texts($1, null) as t
            full join (
                select v.entity_key, v.text_hash from embedding.%I as v where v.tenant_id = $2 and v.model_id = $3
            ) as v using (entity_key)
            full join (
                select j.entity_key, j.text_hash from embedding.job as j
                where j.tenant_id = $2 and j.model_id = $3 and j.entity = $1
            ) as j using (entity_key)
            where t.text_hash is distinct from coalesce(j.text_hash, v.text_hash)
        )
    $statement$, embedding.leaf(p_entity, tenant, p_model)) into differs using p_entity, tenant, p_model;
    return differs;
end
$$;

comment on function embedding.out_of_step(text, text) is 'Whether a text of an entity has neither its vector nor a job, or a vector or job has no text';

create function embedding.enqueue(p_entity text, p_keys text[], p_model text default null) returns bigint
-- The planner expects one row of a tenant (row level security); nested loops over 100,000 would take minutes.
language plpgsql set enable_nestloop = off as $$
declare
    tenant constant text := ops.current_tenant();
    -- spelled out for each case: with `p_keys is null or`, a cached plan would read all jobs for one key
    scope constant text := 'v.tenant_id = $3 and v.model_id = $4'
        || case when p_keys is null then '' else ' and v.entity_key = any($2)' end;
    model text;
    enqueued bigint;
    total bigint := 0;
begin
    if p_entity <> all (embedding.entities()) then
        raise exception 'unknown entity %, known are %', p_entity, embedding.entities();
    end if;
    for model in
        -- locked, so that a model is not dropped under the statements below
        select m.model_id from embedding.model as m
        where m.tenant_id = tenant and m.model_id = coalesce(p_model, m.model_id) order by 1 for key share
    loop
        if p_keys is null then
            -- Mostly there is nothing to do, and nobody is kept waiting. Else the texts must stand still (5 s for
            -- 100,000): one that changes between the comparison and the repair would lose its vector or its job.
            if p_model is null and not embedding.out_of_step(p_entity, model) then
                continue;
            end if;
            perform pg_advisory_xact_lock(embedding.texts_lock(tenant));
        end if;
        -- Jobs first, in a statement of their own: a worker that is just completing one of them commits before this
        -- returns, and the comparison below sees its vector. Without it, a text that goes there and back could be
        -- left with the vector of the text between.
        execute format(
            'select from embedding.job as v where %s and v.entity = $1 order by v.entity_key for update', scope
        ) using p_entity, p_keys, tenant, model;
        execute format($statement$
            with wanted as materialized (
                select t.entity_key, t.text_hash from embedding.texts($1, $2) as t
            ), compared as materialized (
                select w.entity_key, w.text_hash, v.text_hash is distinct from w.text_hash as is_stale
                from wanted as w left join embedding.%1$I as v on v.entity_key = w.entity_key and %2$s
            ), gone as (
                delete from embedding.%1$I as v
                where %2$s and not exists (select from wanted as w where w.entity_key = v.entity_key)
                returning v.text_hash, v.embedding
            ), retired as (
                insert into embedding.retired_vector (tenant_id, model_id, text_hash, embedding)
                select distinct on (g.text_hash) $3, $4, g.text_hash, g.embedding
                from (
                    select gone.text_hash, gone.embedding from gone
                    union all
                    select v.text_hash, v.embedding
                    from embedding.%1$I as v inner join compared as c on c.entity_key = v.entity_key and c.is_stale
                    where %2$s
                ) as g
                -- what was said by or about a person leaves with them
                where $1 not in ('profile', 'review')
                order by g.text_hash
                on conflict (tenant_id, model_id, text_hash) do update set retired_at = now()
            ), closed as (
                delete from embedding.job as v
                where %2$s and v.entity = $1 and not exists (
                    select from compared as c where c.entity_key = v.entity_key and c.is_stale
                )
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
        $statement$, embedding.leaf(p_entity, tenant, model), scope)
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

comment on function embedding.enqueue(text, text[], text) is 'Brings jobs in step with the texts of these keys (null: of all), for one model or all: a job for each text without its vector, and neither job nor vector for a key without text. Returns the jobs made or changed';

create function embedding.known_vectors(p_model text, p_hashes bytea[])
returns table (text_hash bytea, embedding public.vector)
-- Thousands of purchases share one text, so the planner would look for it by reading the whole partition.
language plpgsql stable set enable_seqscan = off as $$
declare
    tenant constant text := ops.current_tenant();
    lookups text;
begin
    select string_agg(format(
        '(select v.embedding from embedding.%I as v '
        'where v.tenant_id = $2 and v.model_id = $3 and v.text_hash = h.text_hash limit 1)',
        embedding.leaf(e.entity, tenant, p_model)), ', ')
    into lookups
    from unnest(embedding.entities()) as e (entity)
    where to_regclass(format('embedding.%I', embedding.leaf(e.entity, tenant, p_model))) is not null;
    if lookups is null then
        raise exception 'no model % is registered for tenant %', p_model, tenant;
    end if;
    return query execute
        'select k.text_hash, k.embedding from (select h.text_hash, coalesce(' || lookups || ', '
        '(select r.embedding from embedding.retired_vector as r '
        'where r.tenant_id = $2 and r.model_id = $3 and r.text_hash = h.text_hash)) as embedding '
        'from unnest($1) as h (text_hash)) as k where k.embedding is not null'
    using p_hashes, tenant, p_model;
end
$$;

comment on function embedding.known_vectors(text, bytea[]) is 'Vectors that the tenant has for these texts already, of whatever entity, or of one that has left';

-- Few jobs are held or have outlived a worker; all of them are looked for at every claim, heartbeat and release.
create index job_held on embedding.job (tenant_id, worker) where worker is not null;
create index job_crashed on embedding.job (tenant_id, model_id, entity, available_at)
where crashes >= 1 and dead_at is null;
-- Every job is written twice and deleted: by default, vacuum would wait for a fifth of the largest backlog.
alter table embedding.job set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0
);

create function embedding.claim(p_model text, p_entity text, p_worker text, p_limit integer, p_lease interval)
returns table (entity_key text, generation bigint, content text, text_hash bytea, settled text)
-- Statistics of a queue are always old: the planner would sort 200,000 open jobs for the first 512, and compare 512
-- claimed jobs with 512 texts pair by pair.
language plpgsql set enable_sort = off set enable_nestloop = off as $$
declare
    tenant constant text := ops.current_tenant();
    -- clock_timestamp() itself is volatile, so no index could be searched by it
    moment constant timestamptz := clock_timestamp();
    claimed_keys text[];
    generations bigint[];
begin
    if p_entity <> all (embedding.entities()) then
        raise exception 'unknown entity %, known are %', p_entity, embedding.entities();
    end if;
    perform from embedding.model as m where m.tenant_id = tenant and m.model_id = p_model for key share;
    if not found then
        raise exception 'no model % is registered for tenant %', p_model, tenant;
    end if;
    -- A lease that ran out means that its worker died with the job. Twice may be chance; after that the job is tried
    -- alone, so that it cannot take others along, and at the fifth time it is given up.
    update embedding.job as j
    set dead_at = moment, worker = null, crashes = 5, error = 'five workers died while they embedded this text'
    where j.tenant_id = tenant and j.model_id = p_model and j.entity = p_entity
        and j.entity_key = any(array(
            select d.entity_key from embedding.job as d
            where d.tenant_id = tenant and d.model_id = p_model and d.entity = p_entity and d.dead_at is null
                and d.available_at <= moment and d.crashes >= 1 and d.crashes + (d.worker is not null)::integer >= 5
            for update skip locked
        ));
    with healthy as (
        select j.entity_key from embedding.job as j
        where j.tenant_id = tenant and j.model_id = p_model and j.entity = p_entity and j.dead_at is null
            and j.available_at <= moment and j.crashes + (j.worker is not null)::integer < 2
        order by j.available_at limit p_limit for update skip locked
    ), suspect as (
        select j.entity_key from embedding.job as j
        where j.tenant_id = tenant and j.model_id = p_model and j.entity = p_entity and j.dead_at is null
            and j.available_at <= moment and j.crashes >= 1 and j.crashes + (j.worker is not null)::integer >= 2
            and not exists (select from healthy)
        order by j.available_at limit 1 for update skip locked
    ), picked as (
        select h.entity_key from healthy as h union all select s.entity_key from suspect as s
    ), taken as (
        update embedding.job as j
        set generation = j.generation + 1, worker = p_worker, available_at = clock_timestamp() + p_lease,
            crashes = j.crashes + (j.worker is not null)::integer
        where j.tenant_id = tenant and j.model_id = p_model and j.entity = p_entity
            and j.entity_key = any(array(select p.entity_key from picked as p))
        returning j.entity_key, j.generation
    )
    select array_agg(t.entity_key), array_agg(t.generation) into claimed_keys, generations from taken as t;
    if claimed_keys is null then
        return;
    end if;
    -- `any($1)` beside each join: else the planner, who knows a queue only as it was, reads all of it for 512 jobs
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
            left join embedding.%1$I as v
                on v.tenant_id = $4 and v.model_id = $5 and v.entity_key = any($1) and v.entity_key = c.entity_key
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
            where v.tenant_id = $4 and v.model_id = $5 and v.entity_key = any($1) and v.entity_key = o.entity_key
                and o.settled = 'withdrawn'
        ), closed as (
            delete from embedding.job as j using outcome as o
            where j.tenant_id = $4 and j.model_id = $5 and j.entity = $3 and j.entity_key = any($1)
                and j.entity_key = o.entity_key and o.settled is not null
        ), renamed as (
            update embedding.job as j set text_hash = o.text_hash from outcome as o
            where j.tenant_id = $4 and j.model_id = $5 and j.entity = $3 and j.entity_key = any($1)
                and j.entity_key = o.entity_key and o.settled is null and j.text_hash <> o.text_hash
        )
        select o.entity_key, o.generation, o.content, o.text_hash, o.settled from outcome as o
    $statement$, embedding.leaf(p_entity, tenant, p_model))
    using claimed_keys, generations, p_entity, tenant, p_model;
end
$$;

comment on function embedding.claim(text, text, text, integer, interval) is 'Takes up to so many open jobs of an entity for a worker. Jobs that need no provider are settled at once: the text is gone (withdrawn), its vector is there (current), or the tenant has a vector of an equal text (copied); the others come with their text';
