-- Least privilege for what this release adds: the pipeline writes datasets, dbt and readers read them.
grant usage on schema datasets to cdp_pipeline, cdp_transform, cdp_reader;
grant select, insert, update, delete on all tables in schema datasets to cdp_pipeline;
grant select on all tables in schema datasets to cdp_transform, cdp_reader;
grant select, insert, update, delete on ops.etl_artifacts to cdp_pipeline;
