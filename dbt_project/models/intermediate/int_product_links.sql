-- The one place that says which product a stock code is.
with shop as (

    select
        tenant_id,
        product_id,
        {{ sku_key('sku') }} as sku_key
    from {{ ref('stg_products') }}

),

leo as (

    select
        tenant_id,
        leo_product_key,
        {{ sku_key('sku') }} as sku_key
    from {{ ref('stg_leo__products') }}

),

first_by_sku as (

    select
        tenant_id,
        sku_key,
        min(product_id) as product_id
    from shop
    where sku_key is not null
    group by tenant_id, sku_key

),

leo_by_sku as (

    select
        tenant_id,
        sku_key,
        min(leo_product_key) as leo_product_key
    from leo
    where sku_key is not null
    group by tenant_id, sku_key

)

select
    tenant_id,
    'shop' as source,
    product_id::text as source_id,
    sku_key,
    'shop:' || product_id as product_key,
    'self' as link_rule
from shop

union all

select
    leo.tenant_id,
    'leo' as source,
    leo.leo_product_key as source_id,
    leo.sku_key,
    coalesce('shop:' || first_by_sku.product_id, 'leo:' || leo.leo_product_key) as product_key,
    case when first_by_sku.product_id is null then 'self' else 'sku' end as link_rule
from leo
left join first_by_sku
    on leo.tenant_id = first_by_sku.tenant_id and leo.sku_key = first_by_sku.sku_key

union all

-- events name a product by its stock code alone
select
    coalesce(first_by_sku.tenant_id, leo_by_sku.tenant_id) as tenant_id,
    'sku' as source,
    coalesce(first_by_sku.sku_key, leo_by_sku.sku_key) as source_id,
    coalesce(first_by_sku.sku_key, leo_by_sku.sku_key) as sku_key,
    coalesce('shop:' || first_by_sku.product_id, 'leo:' || leo_by_sku.leo_product_key) as product_key,
    'sku' as link_rule
from first_by_sku
full outer join leo_by_sku
    on first_by_sku.tenant_id = leo_by_sku.tenant_id and first_by_sku.sku_key = leo_by_sku.sku_key
