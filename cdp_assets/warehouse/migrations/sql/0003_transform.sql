-- What dbt may do. It makes its relations as cdp_transform; a table is then taken over by the owner, so that no model
-- can lift the row security of what it wrote, or drop the rows of other tenants with the table.

create procedure ops.adopt(p_tenant text, p_table text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    target pg_class;
    has_foreign_rows boolean;
begin
    perform ops.require_tenant(p_tenant);
    select c.* into target
    from pg_class as c
    inner join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'marts' and c.relname = p_table;
    if not found or target.relkind <> 'r' then
        raise exception 'marts.% is not a table: only tables of marts are adopted', p_table;
    end if;
    if pg_get_userbyid(target.relowner) = 'cdp_owner' then
        return;
    end if;
    -- Whatever runs code of the table's maker when rows are touched must not come with it.
    if target.relhasrules or target.relhastriggers or target.relrowsecurity or target.relhassubclass
        or not exists (
            select from pg_attribute as a
            where a.attrelid = target.oid and a.attname = 'tenant_id' and a.atttypid = 'text'::regtype
        ) then
        raise exception 'marts.% must be a plain table with a column tenant_id of type text', p_table;
    end if;
    execute format('select exists (select from marts.%I where tenant_id is distinct from $1)', p_table)
    into has_foreign_rows using p_tenant;
    if has_foreign_rows then
        raise exception 'marts.% holds rows that are not of tenant %', p_table, p_tenant;
    end if;
    execute format('alter table marts.%I owner to cdp_owner', p_table);
    execute format('alter table marts.%I alter column tenant_id set not null', p_table);
    call ops.isolate(format('marts.%I', p_table)::regclass);
    execute format('grant select, insert, update, delete on marts.%I to cdp_transform', p_table);
    execute format('grant select, delete on marts.%I to cdp_pipeline', p_table);
    execute format('grant select on marts.%I to cdp_reader', p_table);
end
$$;

comment on procedure ops.adopt (text, text) is 'Takes a table that dbt has just made in marts over to the owner: row security, grants; nothing to do for one that was';
