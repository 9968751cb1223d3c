with leo as (

    select * from {{ ref('stg_leo__events') }}

),

shop as (

    select * from {{ ref('stg_events') }}

),

orders as (

    select * from {{ ref('stg_orders') }}

),

links as (

    select * from {{ ref('int_event_links') }}

),

events as (

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
        changed_at
    from leo

    union all

    select
        shop.tenant_id,
        'shop:' || shop.event_id as event_key,
        'shop' as source,
        shop.event_type,
        shop.event_at,
        'shop:' || shop.customer_id as customer_reference,
        shop.visitor_id,
        shop.session_id,
        'shop:' || shop.product_id as product_reference,
        'shop:' || shop.order_id as order_reference,
        orders.order_number,
        shop.url,
        orders.order_total as order_value,
        orders.currency,
        null as campaign_id,
        null as utm_source,
        null as device_type,
        null as browser,
        false as is_imported,
        shop.created_at as received_at,
        shop.changed_at
    from shop
    left join orders
        on shop.tenant_id = orders.tenant_id and shop.order_id = orders.order_id

)

select
    events.tenant_id,
    events.event_key,
    events.source,
    events.event_type,
    events.event_at,
    coalesce(customers.key, 'unknown') as customer_key,
    events.visitor_id,
    events.session_id,
    case when events.product_reference is not null then coalesce(products.key, 'unknown') end as product_key,
    events.order_number,
    events.url,
    products.category_id,
    events.order_value,
    events.currency,
    events.campaign_id,
    events.utm_source,
    events.device_type,
    events.browser,
    events.is_imported,
    events.received_at,
    events.customer_reference,
    events.product_reference,
    events.order_reference,
    events.changed_at
from events
left join links as customers
    on
        events.tenant_id = customers.tenant_id
        and customers.kind = 'customer'
        and events.customer_reference = customers.reference
left join links as products
    on
        events.tenant_id = products.tenant_id
        and products.kind = 'product'
        and events.product_reference = products.reference
