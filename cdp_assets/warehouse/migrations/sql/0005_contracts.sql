-- What the contract forbids to be null, the table refuses as well.
alter table cdp.transactional_context alter column txn_timestamp set not null;
