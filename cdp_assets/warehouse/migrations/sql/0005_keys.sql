-- Keys by which the records of one person meet, made by one set of functions (cdp_assets.cleaning.contacts) whichever
-- source typed them. Null until the next sweep of LEO and the next load of the shop, which fill every row.

alter table raw.customers add column _email_key text;
alter table raw.customers add column _phone_key text;
alter table raw.customers add column _name_key text;
comment on column raw.customers._email_key is 'Mailbox of email: small letters, Unicode domain, without what stands behind a plus; null when no mail reaches it';
comment on column raw.customers._phone_key is 'phone as E.164, read in the tenant''s default_region; null when it is no number';
comment on column raw.customers._name_key is 'Words of name in small letters without accents; null when it has none';

alter table cdp.customer_profile add column email_key text;
comment on column cdp.customer_profile.email_key is 'Mailbox of email, without what stands behind a plus; what raw.customers._email_key is for the shop. phone is the key of itself';
