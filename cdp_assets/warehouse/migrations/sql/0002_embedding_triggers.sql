-- embedding: what tells the queue that a text may have changed: statement triggers on the tables that texts are made
-- of. They run in the transaction that changes the row, so that a job comes and goes with it.

create function embedding.is_embedded() returns boolean
language plpgsql as $$
begin
    -- Waits while a model is being added (`models.add` holds this lock alone): whoever changes a text either commits
    -- before the model looks at the texts, or sees the model here.
    perform pg_advisory_xact_lock_shared(embedding.texts_lock(ops.current_tenant()));
    return exists (select from embedding.model where tenant_id = ops.current_tenant());
end
$$;

comment on function embedding.is_embedded() is 'Whether the tenant has a model; until the transaction ends none is added';

create function embedding.text_columns(p_entity text, p_source regclass) returns text[]
language sql stable as $$
    select array_agg(distinct a.attname::text)
    from pg_rewrite as r
    inner join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    inner join pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where r.ev_class = to_regclass(format('embedding.%I', p_entity || '_text'))
        and d.refclassid = 'pg_class'::regclass and d.refobjid = p_source and d.refobjsubid > 0
$$;

comment on function embedding.text_columns(text, regclass) is 'Columns of a table that an entity''s text is made of, as its view says';

create function embedding.text_changed() returns trigger
language plpgsql as $$
declare
    entity constant text := tg_argv[0];
    keys text[];
begin
    if not embedding.is_embedded() then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        -- Most updates change counters. Comparing the columns costs a hundredth of making the texts.
        execute (
            select format(
                'select array_agg(%1$I) from former as f full join changed as c using (tenant_id, %1$I) '
                'where tenant_id = ops.current_tenant() and (%2$s) is distinct from (%3$s)',
                tg_argv[1], string_agg(format('f.%I', n.name), ', '), string_agg(format('c.%I', n.name), ', '))
            from unnest(embedding.text_columns(entity, tg_relid)) as n (name)
        ) into keys;
    else
        execute format('select array_agg(%I) from changed where tenant_id = ops.current_tenant()', tg_argv[1])
        into keys;
    end if;
    if keys is null then
        return null;
    end if;
    -- The text of a transaction is made of two rows. If one transaction adds it while another changes its product,
    -- neither sees the other's row: so they go one after the other.
    if entity = 'transaction' then
        if tg_relid = 'cdp.product_item'::regclass then
            perform pg_advisory_xact_lock(hashtextextended('embedding.product/' || ops.current_tenant(), 0));
            keys := array(
                select x.txn_id from cdp.transactional_context as x
                where x.tenant_id = ops.current_tenant() and x.product_key = any(keys)
            );
        else
            perform pg_advisory_xact_lock_shared(hashtextextended('embedding.product/' || ops.current_tenant(), 0));
        end if;
    end if;
    if cardinality(keys) > 0 then
        perform embedding.enqueue(entity, keys);
    end if;
    return null;
end
$$;

comment on function embedding.text_changed() is 'Statement trigger of a table that texts are made of (arguments: entity, the table''s key): enqueues the rows whose text the statement may have changed; of a product, its transactions';

create index transactional_context_product on cdp.transactional_context (tenant_id, product_key);

do $$
declare
    source record;
begin
    for source in
        select * from (values
            ('embedding', 'profile', 'cdp.customer_profile', 'cdp_profile_id'),
            ('embedding', 'transaction', 'cdp.transactional_context', 'txn_id'),
            ('embedding', 'product', 'cdp.product_item', 'product_key'),
            ('embedding_of_transactions', 'transaction', 'cdp.product_item', 'product_key'),
            ('embedding', 'review', 'cdp.feedback', 'feedback_id'),
            ('embedding', 'marketing_event', 'activation.marketing_event', 'marketing_event_id')
        ) as s (prefix, entity, relation, key)
    loop
        execute format(
            'create trigger %I after insert on %s referencing new table as changed '
            'for each statement execute function embedding.text_changed(%L, %L)',
            source.prefix || '_inserted', source.relation, source.entity, source.key);
        execute format(
            'create trigger %I after update on %s referencing old table as former new table as changed '
            'for each statement execute function embedding.text_changed(%L, %L)',
            source.prefix || '_updated', source.relation, source.entity, source.key);
        execute format(
            'create trigger %I after delete on %s referencing old table as changed '
            'for each statement execute function embedding.text_changed(%L, %L)',
            source.prefix || '_deleted', source.relation, source.entity, source.key);
    end loop;
end
$$;
