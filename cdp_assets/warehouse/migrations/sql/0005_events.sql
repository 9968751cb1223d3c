-- Dataset F: what LEO says of conversions.

alter table datasets.events_enriched add column source_is_conversion boolean;
comment on column datasets.events_enriched.source_is_conversion is 'Whether the source counts it as a conversion; null where it does not say';
comment on column datasets.events_enriched.event_type is 'Canonical word; where is_known_type is false the source''s own, or purchase where it counts as a conversion';
comment on column datasets.events_enriched.is_conversion is 'A purchase, by its name or because LEO counts it as a conversion';
