-- Least privilege. TRUNCATE is granted to nobody: row level security does not bind it.
grant usage on schema ops, cdp to cdp_pipeline;
grant usage on schema ops, cdp to cdp_transform, cdp_reader;
grant select, insert, update, delete on all tables in schema ops, cdp to cdp_pipeline;
grant select on all tables in schema cdp to cdp_transform, cdp_reader;
revoke insert, update, delete on ops.alembic_version from cdp_pipeline;

revoke execute on all functions in schema ops, cdp from public;
revoke execute on all procedures in schema ops, cdp from public;
grant execute on all functions in schema ops, cdp to cdp_pipeline;
grant execute on procedure ops.remove_tenant(text), ops.delete_tenant_rows(text) to cdp_pipeline;
grant execute on function ops.current_tenant() to cdp_transform, cdp_reader;
grant select on ops.alembic_version to cdp_transform, cdp_reader;
