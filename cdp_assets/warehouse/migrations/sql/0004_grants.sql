-- Least privilege for what this release adds: the pipeline writes datasets and audiences, dbt and readers read them.
grant usage on schema datasets, audience to cdp_pipeline, cdp_transform, cdp_reader;
grant select, insert, update, delete on all tables in schema datasets, audience to cdp_pipeline;
grant select on all tables in schema datasets, audience to cdp_transform, cdp_reader;
grant select, insert, update, delete on ops.etl_artifacts to cdp_pipeline;

revoke execute on all functions in schema audience from public;
grant execute on all functions in schema audience to cdp_pipeline, cdp_transform, cdp_reader;
