with source as (

    select * from {{ source('raw', 'orders') }}
    where _deleted_at is null

)

select
    source.tenant_id,
    source.id as order_id,
    source.customer_id,
    source.order_date,
    {{ order_status('source.status') }} as order_status,
    source.total_amount as order_total,
    {{ clean_text('source.shipping_address') }} as shipping_address,
    source.created_at,
    source.updated_at,
    coalesce({{ clean_text('source.order_number') }}, source.id::text) as order_number,
    coalesce(lower({{ clean_text('source.channel') }}), 'unknown') as channel,
    coalesce({{ currency_code('source.currency') }}, {{ default_currency() }}) as currency,
    source.promotion_id,
    source.status as raw_status
from source
