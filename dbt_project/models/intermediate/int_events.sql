with leo as (

    select * from {{ ref('stg_leo__events') }}

),

shop as (

    select * from {{ ref('stg_events') }}

),

orders as (

    select * from {{ ref('stg_orders') }}

),

customer_links as (

    select * from {{ ref('int_customer_links') }}

),

product_links as (

    select * from {{ ref('int_product_links') }}

),

-- LEO's events name a product by its stock code
products_by_sku as (

    select
        tenant_id,
        sku_key,
        coalesce(min(product_key) filter (where source = 'shop'), min(product_key)) as product_key
    from product_links
    where sku_key is not null
    group by tenant_id, sku_key

)

select
    leo.tenant_id,
    'leo:' || leo.event_id as event_key,
    'leo' as source,
    leo.event_type,
    leo.event_at,
    coalesce(customer_links.customer_key, 'unknown') as customer_key,
    leo.visitor_id,
    leo.session_id,
    case when leo.sku is not null then coalesce(products_by_sku.product_key, 'unknown') end as product_key,
    leo.transaction_id as order_number,
    leo.url
from leo
left join customer_links
    on
        leo.tenant_id = customer_links.tenant_id
        and customer_links.source = 'leo'
        and leo.profile_id = customer_links.source_id
left join products_by_sku
    on leo.tenant_id = products_by_sku.tenant_id and {{ sku_key('leo.sku') }} = products_by_sku.sku_key

union all

select
    shop.tenant_id,
    'shop:' || shop.event_id as event_key,
    'shop' as source,
    shop.event_type,
    shop.event_at,
    coalesce(customer_links.customer_key, 'unknown') as customer_key,
    shop.visitor_id,
    shop.session_id,
    case when shop.product_id is not null then coalesce(product_links.product_key, 'unknown') end as product_key,
    orders.order_number,
    shop.url
from shop
left join orders
    on shop.tenant_id = orders.tenant_id and shop.order_id = orders.order_id
left join customer_links
    on
        shop.tenant_id = customer_links.tenant_id
        and customer_links.source = 'shop'
        and shop.customer_id::text = customer_links.source_id
left join product_links
    on
        shop.tenant_id = product_links.tenant_id
        and product_links.source = 'shop'
        and shop.product_id::text = product_links.source_id
