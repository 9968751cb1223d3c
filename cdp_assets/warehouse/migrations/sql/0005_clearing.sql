-- What rows of before keep that this release clears: values quoted by closed quarantine entries, and personal columns
-- of rows that left LEO. Row security is lifted for the owner within this transaction, since the rows are of all
-- tenants; triggers rest, since no reader sees a row that is gone.

alter table ops.quarantine no force row level security;
update ops.quarantine
set reason = coalesce(nullif(array_to_string(fields, ', '), ''), 'the document') || ' at fault', document = null
where resolved_at is not null;
alter table ops.quarantine force row level security;

alter table cdp.customer_profile no force row level security;
alter table cdp.customer_profile disable trigger user;
update cdp.customer_profile set age_group = null, marital_status = null
where deleted_at is not null;
alter table cdp.customer_profile enable trigger user;
alter table cdp.customer_profile force row level security;

alter table cdp.tracking_event no force row level security;
alter table cdp.tracking_event disable trigger user;
update cdp.tracking_event
set visitor_id = null, session_key = null, touchpoint_name = null, touchpoint_url = null
where deleted_at is not null;
alter table cdp.tracking_event enable trigger user;
alter table cdp.tracking_event force row level security;

alter table cdp.feedback no force row level security;
alter table cdp.feedback disable trigger user;
update cdp.feedback set visitor_id = null, touchpoint_name = null, touchpoint_url = null
where deleted_at is not null;
alter table cdp.feedback enable trigger user;
alter table cdp.feedback force row level security;
