-- Options of a registration that views ask for. Views are shared by all tenants and read by roles that may not see the
-- registry, so the owner answers, for the tenant of the transaction alone.
create function ops.default_currency(p_tenant text) returns text
language plpgsql stable parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform ops.require_tenant(p_tenant);
    return (
        select upper(btrim(t.options ->> 'default_currency')) from ops.tenant as t
        where t.tenant_id = p_tenant and upper(btrim(t.options ->> 'default_currency')) ~ '^[A-Z]{3}$'
    );
end
$$;

comment on function ops.default_currency(text) is 'Option default_currency of the tenant of this transaction; null where it has none';

revoke execute on function ops.default_currency(text) from public;
grant execute on function ops.default_currency(text) to cdp_pipeline, cdp_transform, cdp_reader;
