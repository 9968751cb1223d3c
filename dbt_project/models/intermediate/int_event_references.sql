-- Events before they are linked. Who keeps links (dataset F) reads what is new here and looks up its few references,
-- where int_events links every customer, product and order that there is.
with leo as (

    select * from {{ ref('stg_leo__events') }}

),

shop as (

    select * from {{ ref('stg_events') }}

)

select
    tenant_id,
    'leo:' || event_id as event_key,
    'leo' as source,
    event_type,
    event_at,
    'leo:' || profile_id as customer_reference,
    visitor_id,
    session_id,
    'sku:' || {{ sku_key('sku') }} as product_reference,
    null::bigint as order_id,
    null as order_reference,
    transaction_id as order_number,
    url,
    transaction_value as order_value,
    currency,
    campaign_id,
    utm_source,
    device_type,
    browser,
    not is_live as is_imported,
    null::timestamptz as received_at,
    changed_at,
    is_conversion
from leo

union all

select
    tenant_id,
    'shop:' || event_id as event_key,
    'shop' as source,
    event_type,
    event_at,
    'shop:' || customer_id as customer_reference,
    visitor_id,
    session_id,
    'shop:' || product_id as product_reference,
    order_id,
    'shop:' || order_id as order_reference,
    null as order_number,
    url,
    null as order_value,
    null as currency,
    null as campaign_id,
    null as utm_source,
    null as device_type,
    null as browser,
    false as is_imported,
    created_at as received_at,
    changed_at,
    null as is_conversion
from shop
