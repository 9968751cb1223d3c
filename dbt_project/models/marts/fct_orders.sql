{{ config(
    unique_key=['tenant_id', 'order_key'],
    indexes=[
        {'columns': ['tenant_id', 'order_key'], 'unique': true},
        {'columns': ['tenant_id', 'order_number']},
        {'columns': ['tenant_id', 'customer_key', 'order_date']},
        {'columns': ['tenant_id', 'date_day']},
    ],
) }}

with shop_orders as (

    select
        orders.tenant_id,
        'shop:' || orders.order_id as order_key,
        orders.order_id,
        orders.order_number,
        orders.order_date,
        orders.order_status,
        coalesce(links.customer_key, 'unknown') as customer_key,
        orders.channel,
        orders.currency,
        orders.order_total,
        orders.created_at,
        orders.updated_at
    from {{ ref('int_orders_enriched') }} as orders
    left join {{ ref('int_customer_links') }} as links
        on orders.tenant_id = links.tenant_id
            and links.source = 'shop'
            and orders.customer_id::text = links.source_id

),

lines as (

    select
        tenant_id,
        order_key,
        min(order_number) as order_number,
        min(source) as source,
        min(order_date) as order_date,
        min(order_status) as order_status,
        min(customer_key) as customer_key,
        min(channel) as channel,
        case when min(currency) = max(currency) then min(currency) else 'mixed' end as currency,
        sum(line_total) as calculated_total,
        count(*) as total_items,
        sum(item_quantity)::bigint as total_quantity,
        avg(item_price) as avg_item_price,
        min(item_price) as min_item_price,
        max(item_price) as max_item_price,
        max(last_updated) as updated_at
    from {{ ref('fct_sales') }}
    group by tenant_id, order_key

),

leo_orders as (

    select
        tenant_id,
        order_id,
        sum(leo_total) as leo_total
    from {{ ref('int_order_links') }}
    where order_id is not null
    group by tenant_id, order_id

),

statuses as (

    select * from {{ ref('dim_order_status') }}

),

-- Orders of LEO alone have lines only. So has a shop order whose lines came before it, until it comes, too.
joined as (

    select
        coalesce(shop_orders.tenant_id, lines.tenant_id) as tenant_id,
        coalesce(shop_orders.order_key, lines.order_key) as order_key,
        shop_orders.order_id,
        coalesce(shop_orders.order_number, lines.order_number) as order_number,
        coalesce(lines.source, 'shop') as source,
        coalesce(shop_orders.order_date, lines.order_date) as order_date,
        coalesce(shop_orders.order_status, lines.order_status) as order_status,
        coalesce(shop_orders.customer_key, lines.customer_key) as customer_key,
        coalesce(shop_orders.channel, lines.channel, 'unknown') as channel,
        coalesce(lines.currency, shop_orders.currency, 'unknown') as currency,
        case when lines.source = 'leo' then lines.calculated_total else shop_orders.order_total end as order_total,
        coalesce(lines.calculated_total, 0) as calculated_total,
        coalesce(lines.total_items, 0) as total_items,
        coalesce(lines.total_quantity, 0) as total_quantity,
        lines.avg_item_price,
        lines.min_item_price,
        lines.max_item_price,
        shop_orders.created_at,
        greatest(shop_orders.updated_at, lines.updated_at) as updated_at
    from shop_orders
    full outer join lines
        on shop_orders.tenant_id = lines.tenant_id and shop_orders.order_key = lines.order_key

),

-- Nobody's orders have no first among them.
numbered as (

    select
        *,
        case when customer_key <> 'unknown' then
                row_number() over (partition by tenant_id, customer_key order by order_date, order_key)
        end as order_seq
    from joined

)

select
    numbered.tenant_id,
    numbered.order_key,
    numbered.order_id,
    numbered.order_number,
    numbered.source,
    numbered.order_date,
    {{ local_day('numbered.order_date') }} as date_day,
    numbered.order_status,
    coalesce(statuses.is_revenue, false) as is_revenue,
    numbered.customer_key,
    numbered.channel,
    numbered.currency,
    numbered.order_total,
    numbered.calculated_total,
    numbered.order_total - numbered.calculated_total as reconciliation_diff,
    -- less than a cent: one cent is a difference
    abs(numbered.order_total - numbered.calculated_total) < 0.01 as is_reconciled,
    numbered.total_items,
    numbered.total_quantity,
    numbered.avg_item_price,
    numbered.min_item_price,
    numbered.max_item_price,
    numbered.order_seq,
    numbered.order_seq = 1 as is_first_order,
    numbered.source = 'shop' and leo_orders.order_id is not null as is_known_to_both,
    case when numbered.source = 'leo' then numbered.calculated_total else leo_orders.leo_total end as leo_total,
    numbered.created_at,
    numbered.updated_at
from numbered
left join leo_orders
    on numbered.tenant_id = leo_orders.tenant_id and numbered.order_id = leo_orders.order_id
left join statuses on numbered.order_status = statuses.order_status
