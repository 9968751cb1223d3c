{{ config(meta={'dagster': {'ref': {'name': 'fct_sales'}}}) }}
-- Orders whose total is not what their lines were allocated together.
select
    orders.tenant_id,
    orders.order_key,
    orders.order_total,
    sum(sales.order_total_allocated) as allocated
from {{ ref('fct_orders') }} as orders
inner join {{ ref('fct_sales') }} as sales
    on orders.tenant_id = sales.tenant_id and orders.order_key = sales.order_key
where orders.order_total is not null
group by orders.tenant_id, orders.order_key, orders.order_total
having orders.order_total <> sum(sales.order_total_allocated)
