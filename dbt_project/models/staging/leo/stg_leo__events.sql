with source as (

    select * from {{ source('cdp', 'tracking_event') }}
    where deleted_at is null

)

select
    tenant_id,
    event_id,
    cdp_profile_id as profile_id,
    visitor_id,
    session_key as session_id,
    lower(event_name) as event_type,
    event_at,
    event_value,
    is_live,
    is_conversion,
    {{ clean_text('item_id') }} as sku,
    {{ clean_text('transaction_id') }} as transaction_id,
    transaction_value,
    currency,
    touchpoint_url as url,
    campaign_id,
    {{ clean_text("metadata #>> '{eventData,utm_source}'") }} as utm_source,
    device_type,
    browser,
    changed_at
from source
