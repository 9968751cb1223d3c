{{ config(
    unique_key=['tenant_id', 'product_version_key'],
    indexes=[
        {'columns': ['tenant_id', 'product_version_key'], 'unique': true},
        {'columns': ['tenant_id', 'product_key', 'valid_from'], 'unique': true},
    ],
) }}

with versions as (

    select * from {{ ref('snp_products') }}

),

products as (

    select * from {{ ref('int_products') }}

),

numbered as (

    select
        *,
        row_number() over version_order as version_number,
        lead(dbt_valid_from) over version_order as next_valid_from
    from versions
    window version_order as (partition by tenant_id, product_key order by dbt_valid_from)

),

-- The first version also speaks for the time before the warehouse knew the product, the last one for the time after
-- the product was removed: a sale at any time finds exactly one version.
spanned as (

    select
        *,
        case version_number when 1 then timestamptz '1900-01-01 00:00:00+00' else dbt_valid_from end as valid_from,
        coalesce(next_valid_from, timestamptz '9999-12-31 00:00:00+00') as valid_to,
        next_valid_from is null as is_current
    from numbered

),

known as (

    select
        spanned.tenant_id,
        spanned.product_key || '@' || spanned.version_number as product_version_key,
        spanned.product_key,
        spanned.product_id,
        spanned.product_name,
        spanned.product_description,
        spanned.product_category,
        spanned.category_path,
        spanned.brand,
        spanned.sku,
        spanned.unit_price,
        spanned.currency,
        case when spanned.is_current then products.stock_quantity end as stock_quantity,
        spanned.product_since,
        spanned.valid_from,
        spanned.valid_to,
        spanned.is_current,
        case when spanned.is_current and spanned.dbt_valid_to < spanned.valid_to then spanned.dbt_valid_to end
            as removed_at,
        false as is_unknown
    from spanned
    left join products
        on spanned.tenant_id = products.tenant_id and spanned.product_key = products.product_key

),

unknown_member as (

    select
        ops.current_tenant() as tenant_id,
        'unknown' as product_version_key,
        'unknown' as product_key,
        null::bigint as product_id,
        'Unknown product' as product_name,
        null::text as product_description,
        null::text as product_category,
        null::text as category_path,
        null::text as brand,
        null::text as sku,
        null::numeric as unit_price,
        null::text as currency,
        null::bigint as stock_quantity,
        null::timestamptz as product_since,
        timestamptz '1900-01-01 00:00:00+00' as valid_from,
        timestamptz '9999-12-31 00:00:00+00' as valid_to,
        true as is_current,
        null::timestamptz as removed_at,
        true as is_unknown

)

select * from known
union all
select * from unknown_member
