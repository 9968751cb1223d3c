with events as (

    select * from {{ ref('int_event_references') }}

),

orders as (

    select * from {{ ref('stg_orders') }}

),

links as (

    select * from {{ ref('int_event_links') }}

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
    coalesce(orders.order_number, events.order_number) as order_number,
    events.url,
    products.category_id,
    coalesce(orders.order_total, events.order_value) as order_value,
    coalesce(orders.currency, events.currency) as currency,
    events.campaign_id,
    events.utm_source,
    events.device_type,
    events.browser,
    events.is_imported,
    events.received_at,
    events.customer_reference,
    events.product_reference,
    events.order_reference,
    events.changed_at,
    events.is_conversion
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
left join orders
    on
        events.tenant_id = orders.tenant_id
        and events.order_id = orders.order_id
