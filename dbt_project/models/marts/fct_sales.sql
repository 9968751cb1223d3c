{{ config(
    unique_key=['tenant_id', 'purchase_key'],
    indexes=[
        {'columns': ['tenant_id', 'purchase_key'], 'unique': true},
        {'columns': ['tenant_id', 'order_key']},
        {'columns': ['tenant_id', 'customer_key']},
        {'columns': ['tenant_id', 'product_key']},
        {'columns': ['tenant_id', 'date_day']},
    ],
) }}

with purchases as (

    select * from {{ ref('int_purchases') }}

),

orders as (

    select
        tenant_id,
        'shop:' || order_id as order_key,
        order_id,
        order_total
    from {{ ref('int_orders_enriched') }}

),

versions as (

    select * from {{ ref('dim_products') }}

),

statuses as (

    select * from {{ ref('dim_order_status') }}

),

lines as (

    select
        purchases.tenant_id,
        purchases.purchase_key,
        purchases.order_key,
        purchases.order_item_id,
        orders.order_id,
        purchases.order_number,
        purchases.source,
        purchases.purchased_at as order_date,
        {{ local_day('purchases.purchased_at') }} as date_day,
        purchases.order_status,
        coalesce(statuses.is_revenue, false) as is_revenue,
        purchases.customer_key,
        purchases.product_key,
        coalesce(versions.product_version_key, 'unknown') as product_version_key,
        coalesce(purchases.channel, 'unknown') as channel,
        coalesce(purchases.currency, 'unknown') as currency,
        coalesce(purchases.quantity, 0) as item_quantity,
        purchases.unit_price as item_price,
        coalesce(purchases.line_total, 0) as line_total,
        orders.order_total,
        purchases.is_known_to_both,
        purchases.updated_at as last_updated
    from purchases
    left join orders
        on purchases.tenant_id = orders.tenant_id and purchases.order_key = orders.order_key
    left join versions
        on purchases.tenant_id = versions.tenant_id
            and purchases.product_key = versions.product_key
            and (
                (purchases.purchased_at >= versions.valid_from and purchases.purchased_at < versions.valid_to)
                or (purchases.purchased_at is null and versions.is_current)
            )
    left join statuses on purchases.order_status = statuses.order_status

),

-- Lines of an order that adds up to nothing share its total evenly.
weighted as (

    select
        *,
        case sum(line_total) over (partition by tenant_id, order_key) when 0 then 1 else line_total end as weight
    from lines

),

running as (

    select
        *,
        sum(weight) over (line_order rows unbounded preceding) as weight_so_far,
        sum(weight) over (partition by tenant_id, order_key) as weight_in_all,
        lead(purchase_key) over line_order is null as is_last
    from weighted
    window line_order as (partition by tenant_id, order_key order by order_item_id, purchase_key)

),

-- What the order charges up to and with this line. Each line is charged the difference to the one before, so that
-- roundings do not add up and the lines of an order sum to its total exactly.
charged as (

    select
        *,
        case when is_last then order_total else round(order_total * weight_so_far / weight_in_all, 2) end
            as charged_so_far
    from running

)

select
    tenant_id,
    purchase_key,
    order_key,
    order_item_id,
    order_id,
    order_number,
    source,
    order_date,
    date_day,
    order_status,
    is_revenue,
    customer_key,
    product_key,
    product_version_key,
    channel,
    currency,
    item_quantity,
    item_price,
    line_total,
    coalesce(
        charged_so_far - coalesce(
            lag(charged_so_far) over (partition by tenant_id, order_key order by order_item_id, purchase_key), 0
        ),
        line_total
    ) as order_total_allocated,
    is_known_to_both,
    last_updated
from charged
