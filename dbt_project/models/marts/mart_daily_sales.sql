{{ config(
    unique_key=['tenant_id', 'date_day', 'channel', 'currency'],
    indexes=[{'columns': ['tenant_id', 'date_day', 'channel', 'currency'], 'unique': true}],
) }}

with orders as (

    select * from {{ ref('fct_orders') }}
    where date_day is not null

)

select
    tenant_id,
    date_day,
    channel,
    currency,
    count(*) as orders,
    count(*) filter (where is_revenue) as revenue_orders,
    count(*) filter (where order_status = 'cancelled') as cancelled_orders,
    sum(total_items)::bigint as lines,
    sum(total_quantity)::bigint as quantity,
    coalesce(sum(calculated_total) filter (where is_revenue), 0) as revenue,
    coalesce(sum(calculated_total) filter (where order_status = 'cancelled'), 0) as cancelled_value,
    count(distinct customer_key) filter (where customer_key <> 'unknown') as customers
from orders
group by tenant_id, date_day, channel, currency
