-- Dataset F: what LEO says of conversions, acts that several events tell of, orders that are told of again.

alter table datasets.events_enriched
add column source_is_conversion boolean,
add column query_hash bigint,
add column is_order_told_before boolean not null default false;
alter table datasets.events_enriched alter column is_order_told_before drop default;
create index events_enriched_order on datasets.events_enriched (tenant_id, order_number)
where order_number is not null;
comment on column datasets.events_enriched.page is 'Address without query and fragment; [email], [phone], [number] and the like stand for what was personal in its path';
comment on column datasets.events_enriched.query_hash is '16 bits of a hash of the address''s query: tells two queries apart, and says nothing of either';
comment on column datasets.events_enriched.is_order_told_before is 'An earlier event of any visitor told of the same order: a thank-you page that was reloaded';
comment on column datasets.events_enriched.is_duplicate is 'Another event stands for the same act: same visitor, type, article, page, query and order within a second';
comment on column datasets.events_enriched.source_is_conversion is 'Whether the source counts it as a conversion; null where it does not say';
comment on column datasets.events_enriched.event_type is 'Canonical word; where is_known_type is false the source''s own, or purchase where it counts as a conversion';
comment on column datasets.events_enriched.is_conversion is 'A purchase, by its name or because LEO counts it as a conversion, of an order that was not told of before';
comment on column datasets.funnel_daily.event_type is 'Type of the step; of a funnel in any order how many of its steps were done, such as 2 of view, purchase';

-- Set aside until the tenant's clock has come so far: a wrong clock must not make all others' events old.
create table datasets.event_ahead (
    tenant_id text not null,
    event_id text not null,
    event_at timestamptz not null,
    primary key (tenant_id, event_id)
);
call ops.isolate('datasets.event_ahead');
comment on table datasets.event_ahead is 'One row per event whose time lies ahead of the tenant''s clock: it is in no table of dataset F until its time has come';
grant select, insert, update, delete on datasets.event_ahead to cdp_pipeline;
grant select on datasets.event_ahead to cdp_transform, cdp_reader;
