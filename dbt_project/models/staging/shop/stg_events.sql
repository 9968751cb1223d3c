with source as (

    select * from {{ source('raw', 'events') }}
    where _deleted_at is null

)

select
    tenant_id,
    id as event_id,
    customer_id,
    {{ clean_text('visitor_id') }} as visitor_id,
    {{ clean_text('session_id') }} as session_id,
    coalesce(lower({{ clean_text('event_type') }}), 'unknown') as event_type,
    product_id,
    order_id,
    coalesce(event_time, created_at, updated_at) as event_at,
    {{ clean_text('url') }} as url,
    created_at,
    updated_at,
    _etl_loaded_at as changed_at
from source
