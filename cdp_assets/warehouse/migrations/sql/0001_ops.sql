-- ops: tenants, change detection, quarantine, registry of runs.

create function ops.current_tenant() returns text
language sql stable parallel safe
-- A variable that was set in an earlier transaction of the session reads as '', not as null.
return nullif(current_setting('app.tenant_id', true), '');

comment on function ops.current_tenant() is 'Tenant of this transaction, or null: then no row is visible';

create procedure ops.isolate(target regclass)
language plpgsql as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format(
        'create policy tenant_isolation on %s using (tenant_id = (select ops.current_tenant())) '
        'with check (tenant_id = (select ops.current_tenant()))', target);
end
$$;

comment on procedure ops.isolate (regclass) is 'Forced row level security by tenant_id; every table with tenant_id goes through here';

create table ops.tenant (
    tenant_id text primary key check (tenant_id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text not null,
    status text not null default 'active' check (status in ('active', 'suspended')),
    source_kind text not null check (source_kind in ('arango', 'dump')),
    source jsonb not null,
    options jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
call ops.isolate('ops.tenant');
-- The orchestrator must know who the tenants are. Only the pipeline, and only in a transaction that is opened for
-- no tenant, sees the registry; inside a tenant's transaction it sees that tenant's row alone.
create policy registry on ops.tenant to cdp_pipeline
using ((select ops.current_tenant()) is null) with check ((select ops.current_tenant()) is null);

comment on table ops.tenant is 'One row per tenant. source holds addresses and the names of secrets, never a secret';

create table ops.ledger (
    tenant_id text not null,
    collection text not null,
    key text not null collate "C",
    rev text not null,
    content_hash bytea,
    primary key (tenant_id, collection, key)
);
call ops.isolate('ops.ledger');

comment on table ops.ledger is 'One row per source document that was read: its _rev and the hash of its landed content (null: quarantined)';

create table ops.watermark (
    tenant_id text not null,
    collection text not null,
    watermark timestamptz,
    window_at timestamptz,
    sweep_at timestamptz,
    contract_version text,
    signature_count bigint,
    signature_revision text,
    withheld_deletes bigint not null default 0,
    updated_at timestamptz not null default now(),
    primary key (tenant_id, collection)
);
call ops.isolate('ops.watermark');

comment on table ops.watermark is 'One row per tenant and collection: how far the window and the sweep have come, and the change signature of the last successful load';

create table ops.quarantine (
    tenant_id text not null,
    collection text not null,
    key text not null collate "C",
    rev text not null,
    reason text not null,
    fields text[] not null default '{}',
    landed boolean not null,
    document text,
    run_id text,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    resolved_at timestamptz,
    resolution text check (resolution in ('landed', 'vanished')),
    primary key (tenant_id, collection, key)
);
call ops.isolate('ops.quarantine');

comment on table ops.quarantine is 'One row per document that broke the contract. landed: the row is there with the named fields null; else it was rejected whole. document has its secrets removed';

create table ops.etl_runs (
    tenant_id text not null,
    run_id text not null,
    dataset text not null,
    partition_key text,
    as_of timestamptz,
    status text not null check (status in ('running', 'success', 'failed', 'skipped', 'quarantined')),
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    duration_s numeric,
    attempt integer not null default 1,
    trigger text not null check (trigger in ('schedule', 'sensor', 'manual', 'backfill')),
    orchestrator_run_id text,
    code_version text not null,
    git_sha text,
    git_dirty boolean,
    config_hash text,
    input_fingerprint text,
    rows_in bigint,
    rows_out bigint,
    rows_rejected bigint,
    min_event_ts timestamptz,
    max_event_ts timestamptz,
    artifact_uri text,
    artifact_sha256 text,
    bytes bigint,
    schema_hash text,
    metrics jsonb not null default '{}',
    error text,
    primary key (tenant_id, run_id)
);
create index etl_runs_recent on ops.etl_runs (tenant_id, dataset, status, finished_at desc);
create index etl_runs_orchestrator on ops.etl_runs (tenant_id, orchestrator_run_id);
call ops.isolate('ops.etl_runs');

comment on table ops.etl_runs is 'One row per run of one dataset for one tenant: written as running before any work, always closed';

create procedure ops.delete_tenant_rows(p_tenant text)
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
            and n.nspname not in ('pg_catalog', 'information_schema')
        order by c.oid::regclass = 'ops.tenant'::regclass, c.oid
    loop
        execute format('delete from %s where tenant_id = $1', target.name) using p_tenant;
    end loop;
end
$$;

comment on procedure ops.delete_tenant_rows (text) is 'Deletes every row of the tenant from every table that has tenant_id, the registry last';

create procedure ops.remove_tenant(p_tenant text)
language sql as $$
    call ops.delete_tenant_rows(p_tenant);
$$;

comment on procedure ops.remove_tenant (text) is 'Deletes all that there is of a tenant; stages that keep more than rows replace it';
