with order_items as (

    select * from {{ ref('stg_order_items') }}

),

products as (

    select * from {{ ref('stg_products') }}

)

select
    order_items.tenant_id,
    order_items.order_item_id,
    order_items.order_id,
    order_items.product_id,
    products.product_name,
    products.product_description,
    products.product_category,
    order_items.item_quantity,
    order_items.item_price,
    order_items.line_total,
    order_items.created_at,
    order_items.updated_at
from order_items
left join products
    on order_items.tenant_id = products.tenant_id and order_items.product_id = products.product_id
