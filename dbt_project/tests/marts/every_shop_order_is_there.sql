{{ config(meta={'dagster': {'ref': {'name': 'fct_orders'}}}) }}
-- Orders of the shop that fct_orders lacks, and orders there that the shop does not have.
with facts as (

    select
        tenant_id,
        order_id
    from {{ ref('fct_orders') }}
    where order_id is not null

)

select
    shop.order_id as shop_order_id,
    facts.order_id as fact_order_id,
    coalesce(shop.tenant_id, facts.tenant_id) as tenant_id
from {{ ref('int_orders_enriched') }} as shop
full outer join facts
    on shop.tenant_id = facts.tenant_id and shop.order_id = facts.order_id
where shop.order_id is null or facts.order_id is null
