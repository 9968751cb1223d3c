-- cdp: landing tables of LEO CDP, typed. One row per source document; primary keys start with the tenant.
-- created_at and updated_at are the source's own times; landed_at, changed_at and deleted_at are the warehouse's.

create table cdp.segment (
    tenant_id text not null,
    segment_id text not null collate "C",
    name text,
    description text,
    segment_type text not null,
    status text not null,
    parent_id text,
    query_rules text,
    query_filter text,
    reported_size integer,
    created_at timestamptz,
    updated_at timestamptz,
    metadata jsonb not null,
    content_hash bytea not null,
    landed_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (tenant_id, segment_id)
);
comment on table cdp.segment is 'One row per LEO segment. reported_size is what LEO last counted; members are in cdp.profile_segment';

create table cdp.customer_profile (
    tenant_id text not null,
    cdp_profile_id text not null collate "C",
    root_profile_id text not null collate "C",
    merged_into text collate "C",
    status text not null,
    profile_type text not null,
    data_context text not null,
    full_name text,
    first_name text,
    last_name text,
    email text,
    phone text,
    gender text,
    age smallint,
    age_group text,
    birth_date date,
    marital_status text,
    nationality text,
    country text,
    province text,
    city text,
    language text,
    crm_id text,
    visitor_id text,
    identities text[] not null,
    job_titles text[] not null,
    data_labels text[] not null,
    content_keywords text[] not null,
    product_keywords text[] not null,
    media_channels text[] not null,
    segment_ids text[] not null,
    funnel_stage text,
    receive_email smallint not null,
    receive_sms smallint not null,
    receive_web_push smallint not null,
    receive_app_push smallint not null,
    receive_ads smallint not null,
    created_at timestamptz,
    updated_at timestamptz,
    metadata jsonb not null,
    content_hash bytea not null,
    landed_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (tenant_id, cdp_profile_id)
);
create index customer_profile_merged on cdp.customer_profile (tenant_id, cdp_profile_id) include (root_profile_id)
where merged_into is not null;
create index customer_profile_root on cdp.customer_profile (tenant_id, root_profile_id)
where root_profile_id <> cdp_profile_id;
comment on table cdp.customer_profile is 'One row per LEO profile, merged ones kept with status merged. root_profile_id is the profile that speaks for this one: itself, or the winner at the end of the merge chain';

create table cdp.profile_segment (
    tenant_id text not null,
    cdp_profile_id text not null collate "C",
    segment_id text not null collate "C",
    joined_at timestamptz not null,
    left_at timestamptz,
    primary key (tenant_id, cdp_profile_id, segment_id, joined_at)
);
create unique index profile_segment_current on cdp.profile_segment (tenant_id, segment_id, cdp_profile_id)
where left_at is null;
comment on table cdp.profile_segment is 'One row per stay of an active profile in a segment; left_at null: still a member. Times are when the pipeline saw it';

create table cdp.product_item (
    tenant_id text not null,
    product_key text not null collate "C",
    item_id text,
    id_type text,
    product_code text,
    title text,
    description text,
    category_id text,
    category text,
    brand text,
    keywords text[] not null,
    original_price numeric(18, 4),
    sale_price numeric(18, 4),
    currency text,
    availability text,
    status text not null,
    url text,
    image_url text,
    created_at timestamptz,
    metadata jsonb not null,
    content_hash bytea not null,
    landed_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (tenant_id, product_key)
);
create index product_item_code on cdp.product_item (tenant_id, item_id, id_type);
comment on table cdp.product_item is 'One row per product item. Counters and updatedAt are not kept: LEO re-saves the item at every purchase of it';

create table cdp.tracking_event (
    tenant_id text not null,
    event_id text not null collate "C",
    cdp_profile_id text collate "C",
    source_profile_id text collate "C",
    visitor_id text,
    session_key text,
    event_name text not null,
    event_at timestamptz not null,
    event_value bigint,
    is_live boolean not null,
    is_conversion boolean not null,
    journey_id text,
    touchpoint_name text,
    touchpoint_url text,
    touchpoint_host text,
    item_id text,
    content_id text,
    campaign_id text,
    device_type text,
    device_os text,
    browser text,
    time_spent_s integer,
    transaction_id text,
    transaction_value numeric(18, 4),
    currency text,
    transaction_status text,
    order_status text,
    state text not null,
    environment text,
    updated_at timestamptz,
    metadata jsonb not null,
    content_hash bytea not null,
    landed_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (tenant_id, event_id)
);
create index tracking_event_profile on cdp.tracking_event (tenant_id, cdp_profile_id, event_at);
create index tracking_event_source_profile on cdp.tracking_event (tenant_id, source_profile_id);
create index tracking_event_overridden on cdp.tracking_event (tenant_id, event_id)
where cdp_profile_id is distinct from source_profile_id;
create index tracking_event_transaction on cdp.tracking_event (tenant_id, transaction_id)
where order_status is not null;
comment on table cdp.tracking_event is 'One row per LEO tracking event. cdp_profile_id is the owner today, source_profile_id what the document says; order_status is transaction_status (free text) in our words, null when unknown';

create table cdp.transactional_context (
    tenant_id text not null,
    txn_id text not null collate "C",
    transaction_id text,
    cdp_profile_id text not null collate "C",
    source_profile_id text not null collate "C",
    product_key text not null collate "C",
    source_system text not null default 'LEO CDP',
    txn_type text not null,
    txn_status text not null default 'completed',
    txn_timestamp timestamptz,
    amount numeric(18, 4) not null default 0,
    currency text not null default 'USD',
    quantity integer not null default 1,
    updated_at timestamptz,
    context_data jsonb not null,
    content_hash bytea not null,
    landed_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (tenant_id, txn_id)
);
create index transactional_context_profile on cdp.transactional_context (tenant_id, cdp_profile_id, txn_timestamp);
create index transactional_context_source_profile on cdp.transactional_context (tenant_id, source_profile_id);
create index transactional_context_transaction on cdp.transactional_context (tenant_id, transaction_id)
where transaction_id is not null;
create index transactional_context_overridden on cdp.transactional_context (tenant_id, txn_id)
where cdp_profile_id <> source_profile_id or txn_status <> 'completed';
comment on table cdp.transactional_context is 'One row per purchased line (LEO conversion edge). transaction_id names the order and is null when the source has none; amount is the line, in currency; txn_status follows the order''s tracking events';

create table cdp.feedback (
    tenant_id text not null,
    feedback_id text not null collate "C",
    cdp_profile_id text collate "C",
    source_profile_id text collate "C",
    visitor_id text,
    product_key text collate "C",
    content_id text,
    feedback_type text not null,
    event_name text,
    status text not null,
    score numeric(6, 2),
    comment text,
    language text,
    touchpoint_name text,
    touchpoint_url text,
    created_at timestamptz not null,
    metadata jsonb not null,
    content_hash bytea not null,
    landed_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (tenant_id, feedback_id)
);
create index feedback_profile on cdp.feedback (tenant_id, cdp_profile_id, created_at);
create index feedback_source_profile on cdp.feedback (tenant_id, source_profile_id);
create index feedback_overridden on cdp.feedback (tenant_id, feedback_id)
where cdp_profile_id is distinct from source_profile_id;
create index feedback_product on cdp.feedback (tenant_id, product_key);
comment on table cdp.feedback is 'One row per review, rating, survey or contact form. comment is null when blank';

create table cdp.consent (
    tenant_id text not null,
    cdp_profile_id text not null collate "C",
    channel text not null check (channel in ('email', 'sms', 'web_push', 'app_push', 'ads')),
    decision text not null check (decision in ('granted', 'denied', 'unset')),
    is_allowed boolean not null generated always as (decision = 'granted') stored,
    decided_by text[] not null,
    changed_at timestamptz not null default now(),
    primary key (tenant_id, cdp_profile_id, channel)
);
comment on table cdp.consent is 'One row per profile and channel. A refusal (-1) by the profile or by any profile merged into it denies; only an explicit 1 allows; 0 is unset and does not allow';

create table cdp.tenant_metrics_config (
    tenant_id text primary key,
    expected_lifetime_years numeric(5, 2) not null default 3.0,
    cac numeric(18, 4) not null default 5.0,
    clv_happy_threshold numeric(18, 4) not null default 500.0,
    base_currency text check (base_currency ~ '^[A-Z]{3}$'),
    fx_rates jsonb not null default '{}',
    updated_at timestamptz not null default now()
);
comment on table cdp.tenant_metrics_config is 'One row per tenant that departs from the defaults. fx_rates: currency -> units of base_currency per unit';

-- Sums and estimates are ten digits wider than the amounts in them: one absurd line must not end a tenant's refresh.
create table cdp.customer_metrics (
    tenant_id text not null,
    cdp_profile_id text not null collate "C",
    currency text,
    last_purchase timestamptz,
    freq_90d integer not null,
    orders integer not null,
    orders_without_rate integer not null,
    avg_order_value numeric(28, 4) not null,
    monetary_90d numeric(28, 4) not null,
    clv_est numeric(28, 4) not null,
    experience_score numeric(6, 2) not null,
    segment text not null,
    segment_reason jsonb not null,
    updated_at timestamptz not null default now(),
    primary key (tenant_id, cdp_profile_id)
);
create index customer_metrics_last_purchase on cdp.customer_metrics (tenant_id, last_purchase);
comment on table cdp.customer_metrics is 'One row per active profile, money in currency (the tenant''s base currency, else the one the profile buys in most). Made by cdp.refresh_customer_metrics';

do $$
declare
    target text;
begin
    foreach target in array array[
        'segment', 'customer_profile', 'profile_segment', 'product_item', 'tracking_event',
        'transactional_context', 'feedback', 'consent', 'tenant_metrics_config', 'customer_metrics'
    ] loop
        call ops.isolate(format('cdp.%I', target)::regclass);
    end loop;
end
$$;
