{{ config(meta={'dagster': {'ref': {'name': 'fct_sales'}}}) }}
-- Orders whose lines in fct_sales sum to something else than fct_orders says, per order and so per currency.
with sales as (

    select
        tenant_id,
        order_key,
        sum(line_total) as line_total,
        count(*) as lines
    from {{ ref('fct_sales') }}
    group by tenant_id, order_key

)

select
    orders.order_key as fact_order_key,
    sales.order_key as sales_order_key,
    orders.calculated_total,
    sales.line_total,
    orders.total_items,
    sales.lines,
    coalesce(orders.tenant_id, sales.tenant_id) as tenant_id
from {{ ref('fct_orders') }} as orders
full outer join sales
    on orders.tenant_id = sales.tenant_id and orders.order_key = sales.order_key
where
    coalesce(orders.calculated_total, 0) <> coalesce(sales.line_total, 0)
    or orders.total_items is distinct from coalesce(sales.lines, 0)
