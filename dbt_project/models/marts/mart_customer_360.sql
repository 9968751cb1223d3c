{{ config(
    unique_key=['tenant_id', 'customer_key'],
    indexes=[
        {'columns': ['tenant_id', 'customer_key'], 'unique': true},
        {'columns': ['tenant_id', 'root_profile_id']},
    ],
) }}

with customers as (

    select * from {{ ref('dim_customers') }}
    where not is_unknown

),

orders as (

    select * from {{ ref('fct_orders') }}
    where date_day is null or date_day <= {{ today() }}

),

today as (

    select {{ today() }} as as_of_day

),

main_currencies as (

    select distinct on (customer_key)
        customer_key,
        currency
    from orders
    where is_revenue
    group by customer_key, currency
    order by customer_key asc, count(*) desc, currency asc

),

ordered as (

    select
        orders.customer_key,
        count(*) as orders_placed,
        count(*) filter (where orders.is_revenue) as orders,
        count(*) filter (where orders.order_status = 'cancelled') as cancelled_orders,
        min(orders.order_date) filter (where orders.is_revenue) as first_order_at,
        max(orders.order_date) filter (where orders.is_revenue) as last_order_at,
        max(orders.date_day) filter (where orders.is_revenue) as last_order_day,
        max(main_currencies.currency) as currency,
        sum(orders.calculated_total) filter (where orders.is_revenue and orders.currency = main_currencies.currency)
            as revenue,
        count(*) filter (where orders.is_revenue and orders.currency = main_currencies.currency)
            as orders_in_currency,
        count(*) filter (where orders.is_revenue and orders.date_day > today.as_of_day - 365) as frequency_365d,
        sum(orders.calculated_total) filter (
            where orders.is_revenue and orders.currency = main_currencies.currency
            and orders.date_day > today.as_of_day - 365
        ) as monetary_365d
    from orders
    cross join today
    left join main_currencies on orders.customer_key = main_currencies.customer_key
    group by orders.customer_key

),

favourite_categories as (

    select distinct on (sales.customer_key)
        sales.customer_key,
        products.product_category
    from {{ ref('fct_sales') }} as sales
    inner join {{ ref('dim_products') }} as products
        on sales.tenant_id = products.tenant_id and sales.product_version_key = products.product_version_key
    where
        sales.is_revenue and products.product_category is not null
        and (sales.date_day is null or sales.date_day <= {{ today() }})
    group by sales.customer_key, products.product_category
    order by sales.customer_key asc, sum(sales.item_quantity) desc, products.product_category asc

),

reviewed as (

    select
        customer_key,
        count(*) as reviews,
        round(avg(rating), 2) as average_rating
    from {{ ref('int_reviews') }}
    group by customer_key

),

events as (

    select
        *,
        {{ local_day('event_at') }} as event_day
    from {{ ref('int_events') }}
    where {{ local_day('event_at') }} <= {{ today() }}

),

-- Both sources log visits: an event within a second of one of its kind by the same customer is the same act.
recent_events as (

    select
        events.customer_key,
        events.event_at - lag(events.event_at) over (
            partition by
                events.customer_key,
                translate(lower(events.event_type), '_ ', '--'),
                events.product_key
            order by events.event_at, events.event_key
        ) <= interval '1 second' as is_repeat
    from events
    cross join today
    where events.event_day > today.as_of_day - 30

),

recent as (

    select
        customer_key,
        count(*) as events_30d
    from recent_events
    where is_repeat is not true
    group by customer_key

),

visited as (

    select
        events.customer_key,
        max(recent.events_30d) as events_30d,
        max(events.event_at) as last_event_at
    from events
    left join recent on events.customer_key = recent.customer_key
    group by events.customer_key

),

profiles as (

    select * from {{ ref('stg_leo__profiles') }}

),

metrics as (

    select * from {{ ref('stg_leo__metrics') }}

),

segments as (

    select
        profile_id,
        array_agg(distinct segment_id order by segment_id) as segment_ids
    from {{ ref('stg_leo__segments') }}
    group by profile_id

),

consents as (

    select
        profile_id,
        max(decision) filter (where channel = 'email') as email_consent,
        max(decision) filter (where channel = 'sms') as sms_consent,
        max(decision) filter (where channel = 'web_push') as web_push_consent,
        max(decision) filter (where channel = 'app_push') as app_push_consent,
        max(decision) filter (where channel = 'ads') as ads_consent
    from {{ ref('stg_leo__consents') }}
    group by profile_id

)

select
    customers.tenant_id,
    customers.customer_key,
    customers.customer_id,
    customers.root_profile_id,
    customers.is_in_shop,
    customers.is_in_leo,
    customers.customer_since,
    coalesce(ordered.orders_placed, 0) as orders_placed,
    coalesce(ordered.orders, 0) as orders,
    coalesce(ordered.cancelled_orders, 0) as cancelled_orders,
    ordered.first_order_at,
    ordered.last_order_at,
    ordered.currency,
    coalesce(ordered.revenue, 0) as revenue,
    round(ordered.revenue / nullif(ordered.orders_in_currency, 0), 4) as average_order_value,
    today.as_of_day - ordered.last_order_day as recency_days,
    coalesce(ordered.frequency_365d, 0) as frequency_365d,
    coalesce(ordered.monetary_365d, 0) as monetary_365d,
    favourite_categories.product_category as favourite_category,
    coalesce(reviewed.reviews, 0) as reviews,
    reviewed.average_rating,
    coalesce(visited.events_30d, 0) as events_30d,
    visited.last_event_at,
    coalesce(segments.segment_ids, '{}'::text[]) as segment_ids,
    profiles.funnel_stage,
    metrics.clv_est::numeric as leo_clv_est,
    metrics.experience_score::numeric as leo_experience_score,
    metrics.segment as leo_segment,
    coalesce(consents.email_consent, 'unset') as email_consent,
    coalesce(consents.sms_consent, 'unset') as sms_consent,
    coalesce(consents.web_push_consent, 'unset') as web_push_consent,
    coalesce(consents.app_push_consent, 'unset') as app_push_consent,
    coalesce(consents.ads_consent, 'unset') as ads_consent
from customers
cross join today
left join ordered on customers.customer_key = ordered.customer_key
left join favourite_categories on customers.customer_key = favourite_categories.customer_key
left join reviewed on customers.customer_key = reviewed.customer_key
left join visited on customers.customer_key = visited.customer_key
left join profiles on customers.root_profile_id = profiles.profile_id
left join metrics on customers.root_profile_id = metrics.profile_id
left join segments on customers.root_profile_id = segments.profile_id
left join consents on customers.root_profile_id = consents.profile_id
