-- What the contracts forbid to be null, tables refuse as well.
alter table cdp.transactional_context alter column txn_timestamp set not null;
update datasets.events_enriched set is_order_told_before = false where is_order_told_before is null;
alter table datasets.events_enriched alter column is_order_told_before set not null;
