-- Dataset F: events, sessions, behaviour, funnels; and what an incremental run remembers.
create table datasets.events_enriched (
    tenant_id text not null,
    event_id text not null,
    source text not null,
    source_event_type text not null,
    event_at timestamptz not null,
    received_at timestamptz,
    customer_id text not null,
    customer_reference text,
    visitor_id text,
    client_session_id text,
    article_id text,
    product_reference text,
    category_id bigint,
    order_number text,
    order_reference text,
    order_value numeric,
    currency text,
    page text,
    campaign_id text,
    utm_source text,
    device_type text,
    browser text,
    is_imported boolean not null,
    event_type text not null,
    is_known_type boolean not null,
    event_on date not null,
    event_hour smallint not null,
    event_day smallint not null,
    is_conversion boolean not null,
    lateness_s double precision,
    stitched_customer_id text,
    stitch_method text not null,
    visitor_key text not null,
    session_id text,
    session_start timestamptz,
    time_since_session_start double precision,
    event_index bigint,
    gap_s double precision,
    is_duplicate boolean not null,
    is_bot boolean not null,
    bot_reason text,
    is_quarantined boolean not null,
    primary key (tenant_id, event_id)
);
call ops.isolate('datasets.events_enriched');
create index events_enriched_visitor on datasets.events_enriched (tenant_id, visitor_key);
create index events_enriched_device on datasets.events_enriched (tenant_id, visitor_id);
create index events_enriched_customer_reference on datasets.events_enriched (tenant_id, customer_reference);
create index events_enriched_product_reference on datasets.events_enriched (tenant_id, product_reference);
create index events_enriched_order_reference on datasets.events_enriched (tenant_id, order_reference)
where order_reference is not null;
create index events_enriched_session on datasets.events_enriched (tenant_id, session_id);
comment on table datasets.events_enriched is 'One row per event of either source, with its session. Count those that are neither is_imported, is_duplicate, is_bot nor is_quarantined';
comment on column datasets.events_enriched.received_at is 'When the source stored it; null where it does not say (LEO)';
comment on column datasets.events_enriched.customer_id is 'Whom the event names; unknown for nobody';
comment on column datasets.events_enriched.stitched_customer_id is 'The customer named, else the one last known on the device; null for nobody';
comment on column datasets.events_enriched.stitch_method is 'known (named), visitor (by device), shared (more than 3 customers on the device: nobody), none';
comment on column datasets.events_enriched.visitor_key is 'Whose sessions it belongs to: stitched customer, else visitor: and the device, else event: and the event';
comment on column datasets.events_enriched.client_session_id is 'The source''s own session';
comment on column datasets.events_enriched.page is 'Address without query and fragment, which may hold personal data';
comment on column datasets.events_enriched.event_type is 'Canonical word; the source''s own where is_known_type is false';
comment on column datasets.events_enriched.event_day is 'Weekday in the tenant''s zone, Sunday = 0';
comment on column datasets.events_enriched.lateness_s is 'received_at - event_at in seconds';
comment on column datasets.events_enriched.session_id is 'MD5 of tenant, visitor_key and the session''s first event; null for imported events';
comment on column datasets.events_enriched.time_since_session_start is 'Seconds';
comment on column datasets.events_enriched.event_index is 'Place in the session from 1; null for duplicates';
comment on column datasets.events_enriched.gap_s is 'Seconds since the visitor''s event before, of whatever session; null for the first and for duplicates';
comment on column datasets.events_enriched.is_duplicate is 'Same visitor, type and article within a second of the event before';
comment on column datasets.events_enriched.bot_reason is 'user_agent, too_fast (more than 60 a minute), views_without_cart (more than 500 a day), regular_gaps';
comment on column datasets.events_enriched.is_quarantined is 'Its session has more than 1,000 events';
comment on column datasets.events_enriched.is_imported is 'Not seen on a page but reported later, by a till for instance: of no session';


create table datasets.session_funnel (
    tenant_id text not null,
    session_id text not null,
    visitor_key text not null,
    customer_id text not null,
    session_index bigint not null,
    started_on date not null,
    first_event timestamptz not null,
    last_event timestamptz not null,
    duration_s double precision not null,
    events bigint not null,
    views bigint not null,
    clicks bigint not null,
    wishlist bigint not null,
    searches bigint not null,
    carts bigint not null,
    removes bigint not null,
    checkouts bigint not null,
    buys bigint not null,
    articles bigint not null,
    funnel_stage text,
    converted boolean not null,
    time_to_convert double precision,
    orders bigint not null,
    revenue numeric not null,
    bounce boolean not null,
    engaged boolean not null,
    cart_abandoned boolean not null,
    landing_page text,
    exit_page text,
    utm_source text,
    campaign_id text,
    device_type text,
    is_bot boolean not null,
    bot_reason text,
    is_quarantined boolean not null,
    primary key (tenant_id, session_id)
);
call ops.isolate('datasets.session_funnel');
create index session_funnel_visitor on datasets.session_funnel (tenant_id, visitor_key);
create index session_funnel_day on datasets.session_funnel (tenant_id, started_on);
comment on table datasets.session_funnel is 'One row per session. Those with is_bot or is_quarantined are here to be counted, and in no rate';
comment on column datasets.session_funnel.session_index is 'Which session of its visitor, from 1';
comment on column datasets.session_funnel.started_on is 'Day in the tenant''s zone';
comment on column datasets.session_funnel.time_to_convert is 'Seconds from the first event to the first purchase; null without one';
comment on column datasets.session_funnel.funnel_stage is 'Deepest reached of view, click, wishlist, add_to_cart, checkout_start, purchase; null for none of them';
comment on column datasets.session_funnel.orders is 'Distinct orders that purchases name';
comment on column datasets.session_funnel.revenue is 'Value of these orders in the tenant''s main currency; other currencies do not count';
comment on column datasets.session_funnel.bounce is 'One event';
comment on column datasets.session_funnel.engaged is 'Ten seconds, two views or a purchase';
comment on column datasets.session_funnel.cart_abandoned is 'More put into the cart than taken out, and nothing bought after the last that was put in';


create table datasets.customer_behavior (
    tenant_id text not null,
    customer_id text not null,
    total_events bigint not null,
    total_sessions bigint not null,
    avg_session_length_seconds double precision not null,
    views bigint not null,
    clicks bigint not null,
    carts bigint not null,
    buys bigint not null,
    wishlist_events bigint not null,
    conversion_rate double precision not null,
    click_through_rate double precision,
    add_to_cart_rate double precision,
    cart_abandon_rate double precision,
    view_to_buy_rate double precision,
    dominant_event_type text not null,
    events_1d bigint not null,
    events_7d bigint not null,
    events_30d bigint not null,
    views_1d bigint not null,
    views_7d bigint not null,
    views_30d bigint not null,
    carts_1d bigint not null,
    carts_7d bigint not null,
    carts_30d bigint not null,
    buys_1d bigint not null,
    buys_7d bigint not null,
    buys_30d bigint not null,
    active_days_30d bigint not null,
    first_event_at timestamptz not null,
    last_event_at timestamptz not null,
    last_purchase_at timestamptz,
    open_cart_since timestamptz,
    open_cart_articles jsonb not null,
    cart_abandoned boolean not null,
    primary key (tenant_id, customer_id)
);
call ops.isolate('datasets.customer_behavior');
comment on table datasets.customer_behavior is 'One row per customer seen on the pages up to the day in datasets.event_state.as_of; windows end with that day';
comment on column datasets.customer_behavior.conversion_rate is 'Sessions with a purchase / sessions';
comment on column datasets.customer_behavior.click_through_rate is 'clicks / views; null without views';
comment on column datasets.customer_behavior.add_to_cart_rate is 'carts / views; null without views';
comment on column datasets.customer_behavior.view_to_buy_rate is 'buys / views; null without views';
comment on column datasets.customer_behavior.cart_abandon_rate is 'Sessions with a cart and no purchase / sessions with a cart; null without';
comment on column datasets.customer_behavior.dominant_event_type is 'Most frequent; of equals the first by name';
comment on column datasets.customer_behavior.open_cart_since is 'When the last of the articles in the open cart was put in; null without one';
comment on column datasets.customer_behavior.open_cart_articles is 'Put in since the last purchase and not taken out';
comment on column datasets.customer_behavior.cart_abandoned is 'The cart was left more than 24 hours before the end of the day';


create table datasets.funnel_member (
    tenant_id text not null,
    funnel_id text not null,
    day date not null,
    member_id text not null,
    visitor_key text not null,
    customer_id text not null,
    entry_event_id text not null,
    entered_at timestamptz not null,
    reached bigint not null,
    state text not null,
    open_until timestamptz,
    step_seconds jsonb not null,
    primary key (tenant_id, funnel_id, day, member_id)
);
call ops.isolate('datasets.funnel_member');
create index funnel_member_visitor on datasets.funnel_member (tenant_id, visitor_key);
create index funnel_member_open on datasets.funnel_member (tenant_id, open_until)
where state = 'open';
comment on table datasets.funnel_member is 'One row per funnel and session, or funnel, visitor and day of entry';
comment on column datasets.funnel_member.day is 'Of the entry, in the tenant''s zone';
comment on column datasets.funnel_member.member_id is 'session_id or visitor_key, as the funnel counts';
comment on column datasets.funnel_member.reached is 'Steps reached';
comment on column datasets.funnel_member.state is 'completed, open (can still convert) or dropped';
comment on column datasets.funnel_member.open_until is 'Until when an open one can convert';
comment on column datasets.funnel_member.step_seconds is 'Seconds between each step reached and the one before';


create table datasets.funnel_daily (
    tenant_id text not null,
    funnel_id text not null,
    day date not null,
    step bigint not null,
    event_type text not null,
    count_by text not null,
    entered bigint not null,
    completed bigint not null,
    open bigint not null,
    dropped bigint not null,
    rate_prev double precision,
    rate_first double precision,
    median_seconds double precision,
    p90_seconds double precision,
    median_seconds_from_entry double precision,
    primary key (tenant_id, funnel_id, day, step)
);
call ops.isolate('datasets.funnel_daily');
comment on table datasets.funnel_daily is 'One row per funnel, day of entry and step: datasets.funnel_member counted';
comment on column datasets.funnel_daily.entered is 'Reached the step';
comment on column datasets.funnel_daily.completed is 'Reached the next one, too; of the last step: all who reached it';
comment on column datasets.funnel_daily.open is 'Got no further yet';
comment on column datasets.funnel_daily.dropped is 'Got no further';
comment on column datasets.funnel_daily.rate_prev is 'Share of those who reached the step before';
comment on column datasets.funnel_daily.rate_first is 'Share of those who entered';
comment on column datasets.funnel_daily.median_seconds is 'From the step before, of those who reached this one';


create table datasets.session_superseded (
    tenant_id text not null,
    old_id text not null,
    new_id text,
    superseded_at timestamptz not null default now(),
    primary key (tenant_id, old_id)
);
create index session_superseded_new on datasets.session_superseded (tenant_id, new_id);
call ops.isolate('datasets.session_superseded');
comment on table datasets.session_superseded is 'One row per session id that was published and is no more: a late event, a merge or a delete gave its events another session';
comment on column datasets.session_superseded.new_id is 'Session that has its first event today; null when all its events are gone';

create table datasets.event_link (
    tenant_id text not null,
    kind text not null,
    reference text not null,
    key text not null,
    category_id bigint,
    primary key (tenant_id, kind, reference)
);
call ops.isolate('datasets.event_link');
comment on table datasets.event_link is 'One row per reference of events: where it led when the tables of dataset F were last brought up to date';

create table datasets.event_state (
    tenant_id text primary key,
    read_until timestamptz not null,
    as_of date not null,
    settings text not null,
    updated_at timestamptz not null default now()
);
call ops.isolate('datasets.event_state');
comment on table datasets.event_state is 'One row per tenant: how far dataset F has come';
comment on column datasets.event_state.read_until is 'All that the warehouse wrote before is in the tables';
comment on column datasets.event_state.as_of is 'Last day of datasets.customer_behavior';
comment on column datasets.event_state.settings is 'Of what else the rows depend: funnels, currency, zone, version of the logic; a change of it builds all anew';

-- What changed since an instant is found by these.
create index tracking_event_changed on cdp.tracking_event (tenant_id, changed_at);
create index events_loaded on raw.events (tenant_id, _etl_loaded_at);
create index events_deleted on raw.events (tenant_id, _deleted_at)
where _deleted_at is not null;
create index orders_loaded on raw.orders (tenant_id, _etl_loaded_at);
create index customer_profile_changed on cdp.customer_profile (tenant_id, changed_at);
create index product_item_changed on cdp.product_item (tenant_id, changed_at);
create index customers_loaded on raw.customers (tenant_id, _etl_loaded_at);
create index products_loaded on raw.products (tenant_id, _etl_loaded_at);
