-- Results of checks, which every build asks for before it begins, whichever run measured them.

create table ops.check_result (
    tenant_id text not null,
    asset text not null,
    check_name text not null,
    segment_id text not null default '' collate "C",
    blocking boolean not null,
    passed boolean not null,
    severity text not null check (severity in ('warn', 'error')),
    failing bigint not null,
    says text not null,
    scope text not null check (scope in ('segment', 'window', 'sweep', 'build')),
    data_version text,
    run_id text not null,
    measured_at timestamptz not null default now(),
    primary key (tenant_id, asset, check_name, segment_id)
);
call ops.isolate('ops.check_result');

comment on table ops.check_result is 'One row per check of an asset: the result that stands. A failed one is replaced by a result of equal or wider scope only';
comment on column ops.check_result.asset is 'schema.table';
comment on column ops.check_result.segment_id is 'Segment that was measured; empty where the check is of the whole tenant';
comment on column ops.check_result.blocking is 'Whether nothing may be built on the asset while the check fails with severity error';
comment on column ops.check_result.failing is 'How many rows, keys or the like are wrong';
comment on column ops.check_result.says is 'What was found, in one line without personal data';
comment on column ops.check_result.scope is 'What the run had looked at, narrow to wide: segment, window, sweep or build (everything)';
comment on column ops.check_result.data_version is 'Change counter of the table before it was measured (cdp, raw), or version of the artifact (datasets); null: the result does not age';
comment on column ops.check_result.run_id is 'Run of the orchestrator that measured';

grant select, insert, update, delete on ops.check_result to cdp_pipeline;

alter table ops.etl_runs add column ignored_gates text[];
comment on column ops.etl_runs.ignored_gates is 'Checks of inputs that had not passed, where a person let the run go on (ignore_gates)';
