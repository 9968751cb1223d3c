with source as (

    select * from {{ source('raw', 'products') }}
    where _deleted_at is null

)

select
    source.tenant_id,
    source.id as product_id,
    {{ clean_text('source.name') }} as product_name,
    {{ clean_text('source.description') }} as product_description,
    source.price as unit_price,
    {{ clean_text('source.category') }} as product_category,
    source.stock_quantity,
    source.created_at,
    source.updated_at,
    {{ clean_text('source.sku') }} as sku,
    coalesce({{ currency_code('source.currency') }}, {{ default_currency() }}) as currency,
    source.category_id,
    {{ clean_text('source.brand') }} as brand,
    coalesce(source.price > 0, false) as is_valid_price
from source
