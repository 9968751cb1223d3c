-- The registry tells the demo world's tenants from those that a person registered: a command may write only the former
-- anew by itself.
alter table ops.tenant add column is_demo boolean not null default false;
comment on column ops.tenant.is_demo is 'Whether the demo world made the registration; a registration that a person made is never written anew by `cdp pipeline`';
