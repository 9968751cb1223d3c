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
products_by_sku as (

    select
        tenant_id,
        sku_key,
        coalesce(min(product_key) filter (where source = 'shop'), min(product_key)) as product_key
    from product_links
    where sku_key is not null
    group by tenant_id, sku_key

),

product_references as (

    select
        tenant_id,
        'sku:' || sku_key as reference,
        product_key
    from products_by_sku

    union all

    select
        tenant_id,
        'shop:' || source_id as reference,
        product_key
    from product_links
    where source = 'shop'

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
