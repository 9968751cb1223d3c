with orders as (

    select * from {{ ref('stg_orders') }}

),

customers as (

    select * from {{ ref('stg_customers') }}

)

select
    orders.tenant_id,
    orders.order_id,
    orders.order_number,
    orders.order_date,
    orders.order_status,
    orders.order_total,
    orders.channel,
    orders.currency,
    orders.promotion_id,
    orders.shipping_address,
    orders.customer_id,
    customers.customer_name,
    customers.customer_email,
    customers.phone_number,
    customers.full_address as customer_address,
    orders.created_at,
    orders.updated_at
from orders
left join customers
    on orders.tenant_id = customers.tenant_id and orders.customer_id = customers.customer_id
