{% snapshot snp_products %}

{{ config(
    unique_key=['tenant_id', 'product_key'],
    strategy='check',
    check_cols=[
        'product_id', 'product_name', 'product_description', 'product_category', 'category_path', 'brand', 'sku',
        'unit_price', 'currency', 'product_since'
    ],
    hard_deletes='invalidate',
    dbt_valid_to_current="'9999-12-31 00:00:00+00'::timestamptz",
    indexes=[{'columns': ['tenant_id', 'dbt_scd_id'], 'unique': true}],
) }}

-- Without the stock: it moves with every sale, and a version per sale would say nothing about the product.
select
    tenant_id,
    product_key,
    shop_product_id as product_id,
    product_name,
    product_description,
    product_category,
    category_path,
    brand,
    sku,
    unit_price,
    currency,
    product_since
from {{ ref('int_products') }}

{% endsnapshot %}
