-- A table that dbt hands over comes as rows and nothing else: no code of its maker runs with the owner's rights or in
-- another tenant's transaction, and no other relation reaches its rows past row level security.

create function ops.not_plain(target oid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select concat_ws(
        ', ',
        case when c.relkind <> 'r' or c.relpersistence <> 'p' or c.reloftype <> 0 or a.amname is distinct from 'heap'
            then 'a kind of relation of its own' end,
        case when c.relispartition or exists (select from pg_inherits where target in (inhrelid, inhparent))
            then 'inheritance' end,
        case when exists (select from pg_rewrite where ev_class = target) then 'rules' end,
        case when exists (select from pg_trigger where tgrelid = target) then 'triggers' end,
        case when c.relrowsecurity or c.relforcerowsecurity or exists (select from pg_policy where polrelid = target)
            then 'policies' end,
        case when exists (select from pg_attrdef where adrelid = target)
            or exists (select from pg_attribute where attrelid = target and attidentity <> '')
            then 'defaults or computed columns' end,
        -- not null, primary key, unique: no expression can be in them
        case when exists (
            select from pg_constraint where conrelid = target and contype not in ('n', 'p', 'u')
        ) then 'constraints with expressions' end,
        case when exists (
            select from pg_index as i
            inner join pg_class as x on x.oid = i.indexrelid
            inner join pg_am as m on m.oid = x.relam
            where i.indrelid = target
                and (i.indexprs is not null or i.indpred is not null or m.amname <> 'btree' or exists (
                    select from unnest(i.indclass::oid[]) as used
                    inner join pg_opclass as o on o.oid = used
                    where o.opcnamespace <> 'pg_catalog'::regnamespace
                ))
        ) then 'indexes of anything but columns' end,
        case when exists (
            select from pg_index as i
            inner join pg_attribute as k on k.attrelid = target and k.attname = 'tenant_id'
            where i.indrelid = target and i.indisunique and i.indkey[0] <> k.attnum
        ) then 'a unique index that does not begin with tenant_id' end,
        case when exists (select from pg_statistic_ext where stxrelid = target) then 'statistics of its own' end,
        -- a domain has checks, a range has functions
        case when exists (
            select from pg_attribute as k
            inner join pg_type as t on t.oid = k.atttypid
            where k.attrelid = target and k.attnum > 0 and not k.attisdropped
                and t.typnamespace <> 'pg_catalog'::regnamespace
        ) then 'columns of types that PostgreSQL does not bring' end,
        -- a right to make triggers would outlast the handing over
        case when c.relacl is not null or exists (
            select from pg_attribute where attrelid = target and attacl is not null
        ) then 'grants' end,
        case when not exists (
            select from pg_attribute
            where attrelid = target and attname = 'tenant_id' and atttypid = 'text'::regtype and not attisdropped
        ) then 'no column tenant_id of type text' end
    )
    from pg_class as c left join pg_am as a on a.oid = c.relam
    where c.oid = target
$$;

comment on function ops.not_plain(oid) is 'What makes a table of dbt more than rows, in words; empty for a plain table';

create or replace procedure ops.adopt(p_tenant text, p_table text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    target pg_class;
    beyond_rows text;
    has_foreign_rows boolean;
begin
    perform ops.require_tenant(p_tenant);
    select c.* into target
    from pg_class as c
    where c.relnamespace = 'marts'::regnamespace and c.relname = p_table;
    if not found or target.relkind <> 'r' then
        raise exception 'marts.% is not a table: only tables of marts are adopted', p_table;
    end if;
    if pg_get_userbyid(target.relowner) = 'cdp_owner' then
        return;
    end if;
    -- What is looked at must be what is taken: nobody changes the table meanwhile, and an older snapshot is no answer.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'marts.% is adopted in a transaction of isolation level read committed only', p_table;
    end if;
    execute format('lock table only marts.%I in access exclusive mode', p_table);
    select c.* into target
    from pg_class as c
    where c.relnamespace = 'marts'::regnamespace and c.relname = p_table;
    beyond_rows := ops.not_plain(target.oid);
    if beyond_rows <> '' then
        raise exception 'marts.% must be a plain table with a column tenant_id of type text; it has: %',
            p_table, beyond_rows;
    end if;
    execute format('select exists (select from only marts.%I where tenant_id is distinct from $1)', p_table)
    into has_foreign_rows using p_tenant;
    if has_foreign_rows then
        raise exception 'marts.% holds rows that are not of tenant %', p_table, p_tenant;
    end if;
    execute format('alter table marts.%I owner to cdp_owner', p_table);
    execute format('alter table marts.%I alter column tenant_id set not null', p_table);
    call ops.isolate(format('marts.%I', p_table)::regclass);
    -- dbt filled it before there was a trigger to count with
    insert into ops.change (tenant_id, schema_name, table_name) values (p_tenant, 'marts', p_table)
    on conflict do nothing;
    execute format('grant select, insert, update, delete on marts.%I to cdp_transform', p_table);
    execute format('grant select, delete on marts.%I to cdp_pipeline', p_table);
    execute format('grant select on marts.%I to cdp_reader', p_table);
end
$$;

comment on procedure ops.adopt (text, text) is 'Takes a table that dbt has just made in marts over to the owner: row security, change counter, grants; nothing to do for one that was';

revoke execute on function ops.not_plain(oid) from public;
