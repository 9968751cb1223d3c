with links as (

    select * from {{ ref('int_product_links') }}

),

shop as (

    select * from {{ ref('stg_products') }}

),

categories as (

    select * from {{ ref('int_category_paths') }}

),

-- LEO may hold one stock code under several ids: the smallest speaks
leo as (

    select distinct on (links.tenant_id, links.product_key)
        links.product_key,
        products.*
    from links
    inner join {{ ref('stg_leo__products') }} as products
        on links.tenant_id = products.tenant_id and links.source_id = products.leo_product_key
    where links.source = 'leo'
    order by links.tenant_id, links.product_key, products.leo_product_key

),

in_shop as (

    select
        shop.*,
        'shop:' || shop.product_id as product_key,
        categories.category_name,
        categories.category_path
    from shop
    left join categories
        on shop.tenant_id = categories.tenant_id and shop.category_id = categories.category_id

)

select
    coalesce(in_shop.tenant_id, leo.tenant_id) as tenant_id,
    coalesce(in_shop.product_key, leo.product_key) as product_key,
    coalesce(in_shop.product_name, leo.product_name) as product_name,
    coalesce(in_shop.product_description, leo.product_description) as product_description,
    coalesce(in_shop.product_category, in_shop.category_name, leo.product_category) as product_category,
    coalesce(in_shop.category_path, in_shop.product_category, leo.product_category) as category_path,
    coalesce(in_shop.brand, leo.brand) as brand,
    coalesce(in_shop.sku, leo.sku) as sku,
    coalesce(in_shop.unit_price, leo.unit_price) as unit_price,
    case when in_shop.unit_price is null then leo.currency else in_shop.currency end as currency,
    in_shop.stock_quantity,
    in_shop.product_key is not null as is_in_shop,
    leo.product_key is not null as is_in_leo,
    in_shop.product_id as shop_product_id,
    leo.leo_product_key,
    least(in_shop.created_at, leo.created_at) as product_since,
    greatest(in_shop.updated_at, leo.updated_at) as last_updated
from in_shop
full outer join leo
    on in_shop.tenant_id = leo.tenant_id and in_shop.product_key = leo.product_key
