-- Least privilege for what this release adds: the pipeline lands the shop's rows, dbt reads what was landed and makes
-- relations in its three schemas, readers read. Views run as their reader, who must be allowed to read what they read.
grant usage on schema raw to cdp_pipeline, cdp_transform, cdp_reader;
grant select, insert, update, delete on all tables in schema raw to cdp_pipeline;
grant select on all tables in schema raw to cdp_transform, cdp_reader;
grant usage on schema staging, intermediate, marts to cdp_pipeline, cdp_reader;
grant usage, create on schema staging, intermediate, marts to cdp_transform;

revoke execute on procedure ops.adopt(text, text) from public;
grant execute on procedure ops.adopt(text, text) to cdp_transform;
