-- Dataset C.
create table datasets.customer_features (
    tenant_id text not null,
    customer_id text not null,
    age smallint,
    country text,
    language text,
    is_in_shop boolean not null,
    is_in_leo boolean not null,
    signup_date date,
    signup_age_days bigint,
    active boolean not null,
    total_transactions bigint not null,
    transactions_in_currency bigint not null,
    total_amount_spent numeric not null,
    avg_transaction_value double precision,
    first_purchase_date date,
    last_purchase_date date,
    recency_days bigint,
    tenure_days bigint,
    total_orders bigint not null,
    orders_in_currency bigint not null,
    order_days bigint not null,
    total_items_bought bigint not null,
    total_revenue numeric not null,
    avg_order_value double precision,
    avg_basket_size double precision,
    returned_lines bigint not null,
    return_rate double precision,
    cancelled_orders bigint not null,
    days_between_orders_mean double precision,
    days_between_orders_std double precision,
    days_to_next_expected double precision,
    frequency_6m bigint not null,
    frequency_12m bigint not null,
    monetary_6m numeric not null,
    monetary_12m numeric not null,
    orders_7d bigint not null,
    orders_30d bigint not null,
    orders_90d bigint not null,
    orders_180d bigint not null,
    orders_365d bigint not null,
    items_7d bigint not null,
    items_30d bigint not null,
    items_90d bigint not null,
    items_180d bigint not null,
    items_365d bigint not null,
    spend_7d numeric not null,
    spend_30d numeric not null,
    spend_90d numeric not null,
    spend_180d numeric not null,
    spend_365d numeric not null,
    sessions_7d bigint not null,
    sessions_30d bigint not null,
    sessions_90d bigint not null,
    sessions_180d bigint not null,
    sessions_365d bigint not null,
    views_7d bigint not null,
    views_30d bigint not null,
    views_90d bigint not null,
    views_180d bigint not null,
    views_365d bigint not null,
    carts_7d bigint not null,
    carts_30d bigint not null,
    carts_90d bigint not null,
    carts_180d bigint not null,
    carts_365d bigint not null,
    orders_trend_30d double precision not null,
    sessions_trend_30d double precision not null,
    session_events bigint not null,
    total_sessions bigint not null,
    views bigint not null,
    clicks bigint not null,
    wishlist_events bigint not null,
    carts bigint not null,
    cart_removals bigint not null,
    checkouts bigint not null,
    buys bigint not null,
    searches bigint not null,
    wishlist_size bigint not null,
    cart_additions bigint not null,
    conversion_rate double precision,
    click_through_rate double precision,
    add_to_cart_rate double precision,
    view_to_buy_rate double precision,
    cart_abandon_rate double precision,
    conversion_rate_smoothed double precision,
    cart_abandon_rate_smoothed double precision,
    dominant_event_type text,
    active_days bigint not null,
    days_since_last_event bigint,
    most_used_sales_channel text,
    most_used_channel_share double precision,
    categories_bought bigint not null,
    top_category text,
    top_category_share double precision,
    top_categories jsonb,
    category_entropy double precision,
    top_brand text,
    top_brand_share double precision,
    price_level double precision,
    preferred_weekday smallint,
    preferred_hour smallint,
    weekend_share double precision,
    promotion_share double precision,
    reviews_written bigint not null,
    rating_mean double precision,
    r_score smallint,
    f_score smallint,
    m_score smallint,
    rfm_score smallint,
    rfm_cell text,
    rfm_segment text not null,
    p_alive double precision,
    expected_purchases_30 double precision,
    expected_purchases_90 double precision,
    expected_purchases_180 double precision,
    expected_spend double precision,
    clv_180 double precision,
    lifetime_value_estimate double precision,
    model_version text,
    primary key (tenant_id, customer_id)
);
call ops.isolate('datasets.customer_features');

comment on table datasets.customer_features is 'One row per customer, with or without a purchase, as known at the end of the day of the version';
comment on column datasets.customer_features.age is 'Whole years at as_of; null where the birth date is unknown or impossible';
comment on column datasets.customer_features.country is 'As known when the version was built, as language: the sources keep no history of it';
comment on column datasets.customer_features.signup_date is 'Day on which either source first knew the customer; null for who bought before that';
comment on column datasets.customer_features.signup_age_days is 'Days from signup_date to as_of';
comment on column datasets.customer_features.active is 'Bought or had an event within the 90 days that end with as_of';
comment on column datasets.customer_features.total_transactions is 'Lines bought, in whatever currency; returns are not among them';
comment on column datasets.customer_features.transactions_in_currency is 'Those of total_transactions in the main currency of the tenant';
comment on column datasets.customer_features.total_amount_spent is 'Sum of all lines of sales in the main currency, returns taken off; cancelled and pending orders are no sales';
comment on column datasets.customer_features.avg_transaction_value is 'total_amount_spent / transactions_in_currency; null without one';
comment on column datasets.customer_features.first_purchase_date is 'Day of the tenant; null without a purchase, as last_purchase_date and recency_days';
comment on column datasets.customer_features.recency_days is 'Days from last_purchase_date to as_of';
comment on column datasets.customer_features.tenure_days is 'Days from first_purchase_date to as_of';
comment on column datasets.customer_features.total_orders is 'Distinct orders with something bought, in whatever currency: the raw value of f_score';
comment on column datasets.customer_features.orders_in_currency is 'Those of total_orders in the main currency';
comment on column datasets.customer_features.order_days is 'Distinct days with an order';
comment on column datasets.customer_features.total_items_bought is 'Pieces, in whatever currency, before returns';
comment on column datasets.customer_features.total_revenue is 'Value of what was bought in the main currency, before returns';
comment on column datasets.customer_features.avg_order_value is 'total_revenue / orders_in_currency; null without one';
comment on column datasets.customer_features.avg_basket_size is 'Pieces per order; null without an order';
comment on column datasets.customer_features.returned_lines is 'Lines of sales with a negative amount or quantity';
comment on column datasets.customer_features.return_rate is 'returned_lines / total_transactions, at most 1; null without a purchase';
comment on column datasets.customer_features.days_between_orders_mean is 'Mean of the days between two days with an order; null with fewer than two';
comment on column datasets.customer_features.days_between_orders_std is 'Standard deviation (n - 1) of the same; null with fewer than three';
comment on column datasets.customer_features.days_to_next_expected is 'days_between_orders_mean - recency_days; below 0 the customer is overdue';
comment on column datasets.customer_features.frequency_6m is 'Orders after the day six calendar months before as_of';
comment on column datasets.customer_features.monetary_6m is 'Money spent after the day six calendar months before as_of, returns taken off, as monetary_12m';
comment on column datasets.customer_features.orders_7d is 'Orders of the 7 days that end with as_of; so for all columns that end in a number of days';
comment on column datasets.customer_features.items_7d is 'Pieces bought, before returns';
comment on column datasets.customer_features.spend_7d is 'Money spent in the main currency, returns taken off';
comment on column datasets.customer_features.sessions_7d is 'Sessions with an event in the window; dataset F parts sessions';
comment on column datasets.customer_features.orders_trend_30d is '(orders_30d + 1) / (orders of the 30 days before + 1)';
comment on column datasets.customer_features.sessions_trend_30d is '(sessions_30d + 1) / (sessions of the 30 days before + 1)';
comment on column datasets.customer_features.session_events is 'All events of the customer that dataset F counts (no repeats, no automata), of unknown types, too';
comment on column datasets.customer_features.views is 'Events of pages, articles and content looked at';
comment on column datasets.customer_features.carts is 'Events of putting something into the cart';
comment on column datasets.customer_features.buys is 'Events of a purchase; total_orders counts the orders';
comment on column datasets.customer_features.wishlist_size is 'Distinct articles ever wished for';
comment on column datasets.customer_features.cart_additions is 'Distinct articles ever put into the cart';
comment on column datasets.customer_features.conversion_rate is 'buys / views, at most 1; null without a view';
comment on column datasets.customer_features.click_through_rate is 'clicks / views, at most 1; null without a view, and for all if no source tells clicks';
comment on column datasets.customer_features.add_to_cart_rate is 'carts / clicks, at most 1; null without a click';
comment on column datasets.customer_features.view_to_buy_rate is 'The same as conversion_rate';
comment on column datasets.customer_features.cart_abandon_rate is '1 - buys / carts, at least 0; null without a cart';
comment on column datasets.customer_features.conversion_rate_smoothed is '(buys + 20 p) / (views + 20) with p the rate of the tenant: few views say little';
comment on column datasets.customer_features.cart_abandon_rate_smoothed is '(abandoned carts + 20 p) / (carts + 20) with p the rate of the tenant';
comment on column datasets.customer_features.dominant_event_type is 'Most frequent canonical type; null without an event of a known type';
comment on column datasets.customer_features.active_days is 'Distinct days with an event or an order';
comment on column datasets.customer_features.most_used_sales_channel is 'Channel of most orders; null where none is known';
comment on column datasets.customer_features.most_used_channel_share is 'Share of the orders of a known channel';
comment on column datasets.customer_features.categories_bought is 'Distinct categories bought';
comment on column datasets.customer_features.top_category is 'Category of most pieces, the last step of its path';
comment on column datasets.customer_features.top_categories is 'The three categories of most pieces, with their shares of all pieces';
comment on column datasets.customer_features.category_entropy is 'In bits, of the shares of categories: 0 is one category alone';
comment on column datasets.customer_features.top_brand is 'Brand of most pieces';
comment on column datasets.customer_features.price_level is 'Mean percentile of the prices paid among all prices paid in the same category: 0 the cheapest, 0.5 the usual, 1 the dearest';
comment on column datasets.customer_features.preferred_weekday is 'Of most orders, 1 Monday to 7 Sunday';
comment on column datasets.customer_features.preferred_hour is 'Of most orders, in the time zone of the tenant';
comment on column datasets.customer_features.weekend_share is 'Share of orders on Saturday or Sunday';
comment on column datasets.customer_features.promotion_share is 'Share of orders placed while a promotion of the shop ran';
comment on column datasets.customer_features.rating_mean is 'Mean rating given, 1 to 5; null where none was';
comment on column datasets.customer_features.r_score is 'Mid-rank quintile among buyers, 5 the most recent; null without a purchase, as all scores';
comment on column datasets.customer_features.f_score is 'Mid-rank quintile of total_orders, 5 the most';
comment on column datasets.customer_features.m_score is 'Mid-rank quintile of total_amount_spent, 5 the most';
comment on column datasets.customer_features.rfm_score is 'Sum of the three scores, 3 to 15';
comment on column datasets.customer_features.rfm_cell is 'The three scores as text, such as 545';
comment on column datasets.customer_features.rfm_segment is 'Name of the cell; prospect without a purchase';
comment on column datasets.customer_features.p_alive is 'Probability that the customer has not left for good: BG/NBD, or MBG/NBD where that is likelier; null without a purchase or a model';
comment on column datasets.customer_features.expected_purchases_30 is 'Days with an order expected within 30 days, whatever the currency';
comment on column datasets.customer_features.expected_spend is 'Expected value of such a day, main currency: Gamma-Gamma';
comment on column datasets.customer_features.clv_180 is 'Value expected within 180 days in the main currency, discounted by 1 % a month';
comment on column datasets.customer_features.lifetime_value_estimate is 'total_amount_spent + clv_180';
comment on column datasets.customer_features.model_version is 'Which model p_alive and the columns after it come of; its parameters are in btyd.json of the version';
