-- ops.etl_artifacts: which files a run published.

comment on schema datasets is 'Datasets A to F: one table each, of which the published version is in the artifact store, too';

create table ops.etl_artifacts (
    tenant_id text not null,
    run_id text not null,
    dataset text not null,
    version text not null,
    name text not null,
    uri text not null,
    bytes bigint not null,
    sha256 text not null,
    published_at timestamptz not null default now(),
    primary key (tenant_id, run_id, dataset, name)
);
create index etl_artifacts_version on ops.etl_artifacts (tenant_id, dataset, version);
call ops.isolate('ops.etl_artifacts');

comment on table ops.etl_artifacts is 'One row per file of a version that a run published; the run is in ops.etl_runs';
