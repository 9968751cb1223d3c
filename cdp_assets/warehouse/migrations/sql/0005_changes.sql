-- Change counters: how often the rows of a tenant's tables have changed. Triggers count in the transaction that writes,
-- whatever writes: landing, replay, dbt, COPY, SQL by hand. A build keeps the counters that it read before it read the
-- rows; what it made is up to date as long as they are the same.

-- Each transaction counts in rows of its own, so no writer ever waits for another. A counter is the sum of the rows
-- that are committed. A number that is drawn could appear after a larger one; a sum cannot, and a reader that sees it
-- sees the changes that it counts.
create table ops.change (
    tenant_id text not null,
    schema_name text not null,
    table_name text not null,
    writer xid8 not null default pg_current_xact_id(),
    began_at timestamptz not null default now(),
    changes bigint not null default 1,
    primary key (tenant_id, schema_name, table_name, writer, began_at)
);
call ops.isolate('ops.change');

comment on table ops.change is 'One row per tenant, table and transaction that changed rows of the table; ops.fold_changes makes one row of many';
comment on column ops.change.writer is 'Transaction that changed rows, or that folded the rows of others';
comment on column ops.change.began_at is 'When that transaction began: a restored server may give its number again';
comment on column ops.change.changes is 'How many transactions the row counts';

create function ops.count_change() returns trigger
language plpgsql as $$
declare
    -- vectors are written into partitions; what changes for a reader is the whole table
    counted constant text := (
        select relname from pg_class where oid = coalesce(pg_partition_root(tg_relid), tg_relid)
    );
begin
    if tg_op = 'UPDATE' then
        insert into ops.change (tenant_id, schema_name, table_name)
        select c.tenant_id, tg_table_schema, counted
        from (select tenant_id from changed union select tenant_id from former) as c
        on conflict do nothing;
    else
        insert into ops.change (tenant_id, schema_name, table_name)
        select distinct c.tenant_id, tg_table_schema, counted from changed as c
        on conflict do nothing;
    end if;
    return null;
end
$$;

comment on function ops.count_change() is 'Statement trigger of a counted table: one change per transaction for each tenant whose rows the statement touched; none for a statement that touched no row';

create function ops.refuse_truncate() returns trigger
language plpgsql as $$
begin
    raise exception '%.% holds the rows of all tenants and is never truncated', tg_table_schema, tg_table_name
        using hint = 'delete the rows of one tenant';
end
$$;

comment on function ops.refuse_truncate() is 'Trigger of a counted table: TRUNCATE does not say whose rows go, so no counter could move';

create function ops.is_counted(p_target regclass) returns boolean
language sql stable
-- The queue and what belongs to one model are bookkeeping of the embedding stage: no build reads them.
return (
    select
        relkind in ('r', 'p')
        and relnamespace::regnamespace::text = any(
            array['cdp', 'raw', 'marts', 'activation', 'embedding', 'datasets', 'audience']
        )
        and not (relnamespace::regnamespace::text = 'embedding' and (
            relname = any(array['job', 'retired_vector', 'probe']) or relname like '%\_texts'
        ))
    from pg_class
    where oid = p_target
);

comment on function ops.is_counted(regclass) is 'Whether changes of a table are counted';

create procedure ops.count_changes_of(target regclass)
language plpgsql as $$
begin
    execute format(
        'create trigger change_of_inserted after insert on %s referencing new table as changed '
        'for each statement execute function ops.count_change()', target);
    execute format(
        'create trigger change_of_updated after update on %s referencing old table as former new table as changed '
        'for each statement execute function ops.count_change()', target);
    execute format(
        'create trigger change_of_deleted after delete on %s referencing old table as changed '
        'for each statement execute function ops.count_change()', target);
    execute format(
        'create trigger change_of_truncated before truncate on %s '
        'for each statement execute function ops.refuse_truncate()', target);
end
$$;

comment on procedure ops.count_changes_of (regclass) is 'Attaches the triggers that count the changes of a table';

create or replace procedure ops.isolate(target regclass)
language plpgsql as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format(
        'create policy tenant_isolation on %s using (tenant_id = (select ops.current_tenant())) '
        'with check (tenant_id = (select ops.current_tenant()))', target);
    if ops.is_counted(target) then
        call ops.count_changes_of(target);
    end if;
end
$$;

comment on procedure ops.isolate (regclass) is 'Forced row level security by tenant_id, and the triggers that count changes; every table with tenant_id goes through here';

-- Tables of earlier releases; in marts, those that were adopted.
do $$
declare
    target regclass;
begin
    for target in
        select c.oid from pg_class as c
        inner join pg_attribute as a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        where ops.is_counted(c.oid) and pg_get_userbyid(c.relowner) = 'cdp_owner' and c.relpersistence = 'p'
    loop
        call ops.count_changes_of(target);
    end loop;
end
$$;

create function ops.change_of(p_tenant text, p_schema text, p_table text default null) returns bigint
language plpgsql stable as $$
-- Read it before the rows, or in their snapshot. Equal numbers mean equal rows; a later number is never smaller.
begin
    perform ops.require_tenant(p_tenant);
    return (
        select coalesce(sum(c.changes), 0)
        from ops.change as c
        where c.tenant_id = p_tenant and c.schema_name = p_schema and (p_table is null or c.table_name = p_table)
    );
end
$$;

comment on function ops.change_of(text, text, text) is 'Change counter of a tenant''s rows in a schema, or in one table of it: moves in the transaction that changes rows';

create procedure ops.fold_changes(p_tenant text)
language plpgsql as $$
-- The sums stay as they are in every snapshot: rows go and their sum comes in one transaction. Two that fold at once
-- fold different rows.
begin
    perform ops.require_tenant(p_tenant);
    with folded as (
        delete from ops.change as c
        using (
            select tenant_id, schema_name, table_name, writer, began_at from ops.change
            where tenant_id = p_tenant for update skip locked
        ) as old
        where c.tenant_id = old.tenant_id and c.schema_name = old.schema_name and c.table_name = old.table_name
            and c.writer = old.writer and c.began_at = old.began_at
        returning c.schema_name, c.table_name, c.changes
    )
    insert into ops.change (tenant_id, schema_name, table_name, changes)
    select p_tenant, f.schema_name, f.table_name, sum(f.changes) from folded as f group by f.schema_name, f.table_name;
end
$$;

comment on procedure ops.fold_changes (text) is 'Makes one row per table of the tenant''s counted changes';

-- What a build was made from, and the counter of what it made: equal both, it need not be made again.
alter table ops.etl_runs add column made_from jsonb;
alter table ops.etl_runs add column left_at bigint;
comment on column ops.etl_runs.made_from is 'What the rows follow from: change counters of the tables that were read, digests of options and code, zone, day. Null: the run makes nothing that could be current';
comment on column ops.etl_runs.left_at is 'Change counter of the tables that the run makes, as it left them; null until it succeeded';
create index etl_runs_started on ops.etl_runs (tenant_id, dataset, started_at desc);
create index etl_runs_left on ops.etl_runs (tenant_id, dataset, left_at) where left_at is not null;

-- The caller writes his own counter: no role gains rights by the triggers. A row more only causes a build more.
grant select, insert, update, delete on ops.change to cdp_pipeline;
grant insert on ops.change to cdp_transform;
revoke execute on function ops.count_change(), ops.refuse_truncate(), ops.is_counted(regclass),
ops.change_of(text, text, text) from public;
revoke execute on procedure ops.count_changes_of(regclass), ops.fold_changes(text) from public;
grant execute on function ops.change_of(text, text, text) to cdp_pipeline;
grant execute on procedure ops.fold_changes(text) to cdp_pipeline;
