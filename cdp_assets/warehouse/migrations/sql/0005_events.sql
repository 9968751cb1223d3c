-- Dataset F: what LEO says of conversions, acts that several events tell of, orders that are told of again.

alter table datasets.events_enriched
add column source_is_conversion boolean,
add column query_hash bigint,
add column is_order_told_before boolean;
create index events_enriched_order on datasets.events_enriched (tenant_id, order_number)
where order_number is not null;
comment on column datasets.events_enriched.query_hash is '16 bits of a hash of the address''s query: tells two queries apart, and says nothing of either';
comment on column datasets.events_enriched.is_order_told_before is 'An earlier event of any visitor told of the same order: a thank-you page that was reloaded';
comment on column datasets.events_enriched.is_duplicate is 'Another event stands for the same act: same visitor, type, article, page, query and order within a second';
comment on column datasets.events_enriched.source_is_conversion is 'Whether the source counts it as a conversion; null where it does not say';
comment on column datasets.events_enriched.event_type is 'Canonical word; where is_known_type is false the source''s own, or purchase where it counts as a conversion';
comment on column datasets.events_enriched.is_conversion is 'A purchase, by its name or because LEO counts it as a conversion, of an order that was not told of before';
