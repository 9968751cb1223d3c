with orders as (

    select * from {{ ref('stg_orders') }}

),

order_items as (

    select * from {{ ref('stg_order_items') }}

),

transactions as (

    select * from {{ ref('stg_leo__transactions') }}

),

customer_links as (

    select * from {{ ref('int_customer_links') }}

),

product_links as (

    select * from {{ ref('int_product_links') }}

),

order_links as (

    select * from {{ ref('int_order_links') }}

),

known_to_both as (

    select distinct
        tenant_id,
        order_id
    from order_links
    where order_id is not null

),

-- a line whose order has not come yet is kept, as an order nothing is known of
shop_lines as (

    select
        order_items.tenant_id,
        order_items.order_id,
        orders.order_number,
        order_items.order_item_id,
        orders.customer_id::text as customer_source_id,
        order_items.product_id::text as product_source_id,
        coalesce(orders.channel, 'unknown') as channel,
        coalesce(orders.order_status, 'unknown') as order_status,
        coalesce(orders.order_date, orders.created_at, order_items.created_at) as purchased_at,
        order_items.item_quantity,
        order_items.item_price,
        order_items.line_total,
        orders.currency,
        known_to_both.order_id is not null as is_known_to_both,
        greatest(order_items.updated_at, orders.updated_at) as updated_at
    from order_items
    left join orders
        on order_items.tenant_id = orders.tenant_id and order_items.order_id = orders.order_id
    left join known_to_both
        on orders.tenant_id = known_to_both.tenant_id and orders.order_id = known_to_both.order_id

),

leo_people as (

    select
        transactions.*,
        coalesce(customer_links.customer_key, 'unknown') as customer_key
    from transactions
    left join customer_links
        on
            transactions.tenant_id = customer_links.tenant_id
            and customer_links.source = 'leo'
            and transactions.profile_id = customer_links.source_id

),

-- an order that the shop knows counts with the shop's lines alone
leo_lines as (

    select
        leo_people.*,
        coalesce(order_links.order_key, 'leo:' || leo_people.txn_id) as order_key
    from leo_people
    left join order_links
        on
            leo_people.tenant_id = order_links.tenant_id
            and leo_people.transaction_id = order_links.transaction_id
            and leo_people.customer_key = order_links.customer_key
    where order_links.order_id is null

)

select
    shop_lines.tenant_id,
    'shop:' || shop_lines.order_item_id as purchase_key,
    'shop' as source,
    'shop:' || shop_lines.order_id as order_key,
    shop_lines.order_number,
    shop_lines.order_item_id,
    null::text as txn_id,
    coalesce(customer_links.customer_key, 'unknown') as customer_key,
    coalesce(product_links.product_key, 'unknown') as product_key,
    shop_lines.channel,
    shop_lines.order_status,
    shop_lines.purchased_at,
    shop_lines.item_quantity as quantity,
    shop_lines.item_price as unit_price,
    shop_lines.line_total,
    coalesce(shop_lines.currency, {{ default_currency() }}) as currency,
    shop_lines.is_known_to_both,
    shop_lines.updated_at
from shop_lines
left join customer_links
    on
        shop_lines.tenant_id = customer_links.tenant_id
        and customer_links.source = 'shop'
        and shop_lines.customer_source_id = customer_links.source_id
left join product_links
    on
        shop_lines.tenant_id = product_links.tenant_id
        and product_links.source = 'shop'
        and shop_lines.product_source_id = product_links.source_id

union all

select
    leo_lines.tenant_id,
    'leo:' || leo_lines.txn_id as purchase_key,
    'leo' as source,
    leo_lines.order_key,
    leo_lines.transaction_id as order_number,
    null::bigint as order_item_id,
    leo_lines.txn_id,
    leo_lines.customer_key,
    coalesce(product_links.product_key, 'unknown') as product_key,
    'unknown' as channel,
    leo_lines.order_status,
    leo_lines.purchased_at,
    leo_lines.quantity,
    round(leo_lines.line_total / nullif(leo_lines.quantity, 0), 4) as unit_price,
    leo_lines.line_total,
    leo_lines.currency,
    false as is_known_to_both,
    leo_lines.updated_at
from leo_lines
left join product_links
    on
        leo_lines.tenant_id = product_links.tenant_id
        and product_links.source = 'leo'
        and leo_lines.leo_product_key = product_links.source_id
