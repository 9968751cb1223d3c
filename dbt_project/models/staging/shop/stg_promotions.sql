with source as (

    select * from {{ source('raw', 'promotions') }}
    where _deleted_at is null

)

select
    tenant_id,
    id as promotion_id,
    upper({{ clean_text('code') }}) as promotion_code,
    {{ clean_text('name') }} as promotion_name,
    discount_percent,
    starts_at,
    ends_at,
    created_at,
    updated_at
from source
