-- embedding: partitions and their indexes. These three procedures run as the owner, since no runtime role may create
-- anything; each works for the transaction's own tenant only and pins its search path.

create function embedding.leaf(p_entity text, p_tenant text, p_model text) returns text
language sql immutable parallel safe
-- names of fixed length, since tenant and model together may be longer than the 63 characters of a name
return p_entity || '_' || left(encode(sha256(convert_to(p_tenant || '/' || p_model, 'UTF8')), 'hex'), 20);

comment on function embedding.leaf(text, text, text) is 'Name of the partition (in schema embedding) that holds the vectors of one entity, tenant and model';

create procedure embedding.add_partitions(p_tenant text, p_model text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    dims integer;
    target text;
    parent text;
    branch text;
    leaf text;
    bound text;
begin
    perform ops.require_tenant(p_tenant);
    select dimension into dims from embedding.model where tenant_id = p_tenant and model_id = p_model;
    if dims is null then
        raise exception 'no model % is registered for tenant %', p_model, p_tenant;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('embedding.add_partitions/' || p_tenant, 0));
    foreach target in array embedding.entities() loop
        parent := target || '_embedding';
        branch := embedding.leaf(target, p_tenant, '');
        leaf := embedding.leaf(target, p_tenant, p_model);
        -- Made aside and attached: `partition of` would lock the parent, and with it every tenant's searches.
        if to_regclass(format('embedding.%I', branch)) is null then
            execute format(
                'create table embedding.%I (like embedding.%I including all) partition by list (model_id)',
                branch, parent);
            call ops.isolate(format('embedding.%I', branch)::regclass);
            call embedding.grant_partition(branch);
            execute format(
                'alter table embedding.%I attach partition embedding.%I for values in (%L)', parent, branch, p_tenant);
        end if;
        if to_regclass(format('embedding.%I', leaf)) is null then
            execute format('create table embedding.%I (like embedding.%I including all)', leaf, branch);
            execute format('alter table embedding.%I add check (vector_dims(embedding) = %s)', leaf, dims);
            -- A vector that fits a page (up to about 2,000 dimensions) stays inline: an exact scan reads no TOAST.
            execute format('alter table embedding.%I set (toast_tuple_target = 8160)', leaf);
            call ops.isolate(format('embedding.%I', leaf)::regclass);
            call embedding.grant_partition(leaf);
            execute format(
                'alter table embedding.%I attach partition embedding.%I for values in (%L)', branch, leaf, p_model);
        end if;
    end loop;
end
$$;

create procedure embedding.grant_partition(p_name text)
language plpgsql as $$
begin
    execute format('grant select, insert, update, delete on embedding.%I to cdp_pipeline', p_name);
    execute format('grant select on embedding.%I to cdp_transform, cdp_reader', p_name);
end
$$;

create procedure embedding.drop_partitions(p_tenant text, p_model text default null)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    target text;
    top text;
    leaf text;
begin
    perform ops.require_tenant(p_tenant);
    if p_model is not null and exists (
        select from embedding.active_model where tenant_id = p_tenant and model_id = p_model
    ) then
        raise exception 'model % serves tenant %: activate another one before it is dropped', p_model, p_tenant;
    end if;
    foreach target in array embedding.entities() loop
        top := embedding.leaf(target, p_tenant, coalesce(p_model, ''));
        for leaf in
            select c.relname from pg_partition_tree(to_regclass(format('embedding.%I', top))) as t
            inner join pg_class as c on c.oid = t.relid where t.isleaf
        loop
            execute format('drop table if exists embedding.%I', leaf || '_texts');
        end loop;
        execute format('drop table if exists embedding.%I', top);
    end loop;
end
$$;

comment on procedure embedding.drop_partitions (text, text) is 'Drops all vectors of a model of a tenant, or of the tenant when the model is null';

create function embedding.text_indexed() returns trigger
language plpgsql as $$
declare
    texts constant text := format('%I.%I', tg_table_schema, tg_table_name || '_texts');
    is_used boolean;
begin
    if tg_op <> 'DELETE' then
        -- Locks the row that is there, so that nobody takes it away with the last other bearer of the text meanwhile.
        execute format(
            'insert into %s (tenant_id, text_hash, embedding) values ($1, $2, $3) '
            'on conflict (tenant_id, text_hash) do update set text_hash = excluded.text_hash where false', texts)
        using new.tenant_id, new.text_hash, new.embedding::public.halfvec;
    end if;
    if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.text_hash <> new.text_hash) then
        execute format('select from %s where tenant_id = $1 and text_hash = $2 for update', texts)
        using old.tenant_id, old.text_hash;
        -- a statement of its own: it sees what others committed before they let go of the row
        execute format(
            'select exists (select from %I.%I where tenant_id = $1 and text_hash = $2)', tg_table_schema, tg_table_name)
        into is_used using old.tenant_id, old.text_hash;
        if not is_used then
            execute format('delete from %s where tenant_id = $1 and text_hash = $2', texts)
            using old.tenant_id, old.text_hash;
        end if;
    end if;
    return null;
end
$$;

comment on function embedding.text_indexed() is 'Row trigger of an indexed partition: keeps its table of distinct texts in step';

create procedure embedding.index_partition(p_tenant text, p_entity text, p_model text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    leaf constant text := embedding.leaf(p_entity, p_tenant, p_model);
    texts constant text := embedding.leaf(p_entity, p_tenant, p_model) || '_texts';
    dims integer;
    vectors bigint;
begin
    perform ops.require_tenant(p_tenant);
    select dimension into dims from embedding.model where tenant_id = p_tenant and model_id = p_model;
    if to_regclass(format('embedding.%I', leaf)) is null or dims is null then
        raise exception 'tenant % has no vectors of % under model %', p_tenant, p_entity, p_model;
    end if;
    if to_regclass(format('embedding.%I', texts)) is null then
        -- Distinct texts, not rows: fifty purchases of one product have one vector, and a graph in which the nearest
        -- are all equal has no way out of them (400 texts fifty times each: a quarter of the neighbours found).
        execute format('lock table embedding.%I in share row exclusive mode', leaf);
        execute format(
            'create table embedding.%I (tenant_id text not null, text_hash bytea not null, '
            'embedding public.halfvec(%s) not null, primary key (tenant_id, text_hash)) '
            'with (toast_tuple_target = 8160)', texts, dims);
        call ops.isolate(format('embedding.%I', texts)::regclass);
        call embedding.grant_partition(texts);
        execute format(
            'insert into embedding.%I (tenant_id, text_hash, embedding) '
            'select distinct on (v.text_hash) v.tenant_id, v.text_hash, v.embedding from embedding.%I as v',
            texts, leaf);
        get diagnostics vectors = row_count;
        -- The graph must fit in this memory, or building becomes many times slower. Parallel workers take all of it
        -- from /dev/shm at once, of which a container seldom has more than a gigabyte: so no more than is needed.
        perform set_config(
            'maintenance_work_mem', least(greatest(64, vectors * (2 * dims + 1000) / 1000000 + 1), 900) || 'MB', true);
        execute format(
            'create index %I on embedding.%I using hnsw (embedding halfvec_cosine_ops)', leaf || '_hnsw', texts);
        execute format(
            'create trigger text_indexed after insert or update or delete on embedding.%I '
            'for each row execute function embedding.text_indexed()', leaf);
    end if;
    execute format('analyze embedding.%I', texts);
    execute format('analyze embedding.%I', leaf);
end
$$;

comment on procedure embedding.index_partition (text, text, text) is 'Gives a partition an HNSW index (cosine) over its distinct texts, in half precision: equal recall at half the size';

create or replace procedure ops.remove_tenant(p_tenant text)
language sql as $$
    -- first: without models no row that goes below asks for its vector
    delete from embedding.model where tenant_id = p_tenant;
    call embedding.drop_partitions(p_tenant);
    call ops.delete_tenant_rows(p_tenant);
$$;
