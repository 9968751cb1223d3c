with source as (

    select * from {{ source('raw', 'reviews') }}
    where _deleted_at is null

)

select
    tenant_id,
    id as review_id,
    product_id,
    customer_id,
    case when rating between 1 and 5 then rating end as rating,
    {{ clean_text('title') }} as review_title,
    {{ clean_text('comment') }} as review_comment,
    created_at,
    updated_at
from source
