with source as (

    select * from {{ source('cdp', 'feedback') }}
    where deleted_at is null and status <> 'deleted'

)

select
    tenant_id,
    feedback_id,
    cdp_profile_id as profile_id,
    product_key as leo_product_key,
    upper(feedback_type) as feedback_type,
    score,
    {{ clean_text('comment') }} as comment,
    language,
    created_at
from source
