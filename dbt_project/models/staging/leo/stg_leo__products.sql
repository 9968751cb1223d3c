with source as (

    select * from {{ source('cdp', 'product_item') }}
    where deleted_at is null

)

select
    tenant_id,
    product_key as leo_product_key,
    {{ clean_text('item_id') }} as sku,
    {{ clean_text('title') }} as product_name,
    {{ clean_text('description') }} as product_description,
    {{ clean_text('category') }} as product_category,
    {{ clean_text('brand') }} as brand,
    coalesce(sale_price, original_price) as unit_price,
    currency,
    status as product_status,
    created_at,
    changed_at as updated_at
from source
