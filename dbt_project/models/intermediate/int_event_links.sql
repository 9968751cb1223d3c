-- One place that says where a reference of an event leads, so that whoever keeps events can tell which of them moved.
with customer_links as (

    select * from {{ ref('int_customer_links') }}

),

product_links as (

    select * from {{ ref('int_product_links') }}

),

products as (

    select * from {{ ref('stg_products') }}

),

-- LEO's events name a product by its stock code
product_references as (

    select
        tenant_id,
        source || ':' || source_id as reference,
        product_key
    from product_links
    where source in ('shop', 'sku')

)

select
    tenant_id,
    'customer' as kind,
    source || ':' || source_id as reference,
    customer_key as key,
    null::bigint as category_id
from customer_links

union all

select
    product_references.tenant_id,
    'product' as kind,
    product_references.reference,
    product_references.product_key as key,
    products.category_id
from product_references
left join products
    on
        product_references.tenant_id = products.tenant_id
        and product_references.product_key = 'shop:' || products.product_id
