with source as (

    select * from {{ source('cdp', 'transactional_context') }}
    where deleted_at is null

)

select
    tenant_id,
    txn_id,
    {{ clean_text('transaction_id') }} as transaction_id,
    cdp_profile_id as profile_id,
    product_key as leo_product_key,
    txn_type,
    {{ order_status('txn_status') }} as order_status,
    txn_status as raw_status,
    txn_timestamp as purchased_at,
    quantity,
    amount as line_total,
    currency,
    coalesce(updated_at, txn_timestamp) as updated_at
from source
