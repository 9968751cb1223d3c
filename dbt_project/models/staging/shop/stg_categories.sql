with source as (

    select * from {{ source('raw', 'categories') }}
    where _deleted_at is null

)

select
    tenant_id,
    id as category_id,
    {{ clean_text('name') }} as category_name,
    parent_id,
    created_at,
    updated_at
from source
