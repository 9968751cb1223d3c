with source as (

    select * from {{ source('raw', 'order_items') }}
    where _deleted_at is null

)

select
    tenant_id,
    id as order_item_id,
    order_id,
    product_id,
    quantity as item_quantity,
    unit_price as item_price,
    quantity * unit_price as line_total,
    created_at,
    updated_at,
    coalesce(quantity > 0, false) as is_valid_quantity,
    coalesce(unit_price > 0, false) as is_valid_price
from source
