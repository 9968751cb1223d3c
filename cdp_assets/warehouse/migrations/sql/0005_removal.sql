-- Removal of a tenant keeps to the product's own tables: those of its schemas that belong to its owner. Another
-- application may keep a table with a column tenant_id in the same database.

create or replace procedure ops.delete_tenant_rows(p_tenant text)
language plpgsql as $$
declare
    target record;
begin
    if p_tenant is distinct from ops.current_tenant() then
        raise exception 'transaction is open for tenant %, asked to remove %', ops.current_tenant(), p_tenant;
    end if;
    for target in
        select c.oid::regclass as name
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        inner join pg_attribute as a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
            and n.nspname = any(array[
                'ops', 'cdp', 'raw', 'staging', 'intermediate', 'marts', 'activation', 'embedding', 'datasets', 'audience'
            ])
            and pg_get_userbyid(c.relowner) = 'cdp_owner'
        -- what goes is counted, so the counters go after everything that is; the registry is the last
        order by c.oid::regclass = 'ops.tenant'::regclass, c.oid::regclass = 'ops.change'::regclass, c.oid
    loop
        execute format('delete from %s where tenant_id = $1', target.name) using p_tenant;
    end loop;
end
$$;

comment on procedure ops.delete_tenant_rows (text) is 'Deletes every row of the tenant from every table of the product that has tenant_id, the registry last';
