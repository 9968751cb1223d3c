-- Rows that are not of the session's tenant, which row level security should have hidden: per model, how many of whom.
-- One test for all models of the layer: a test each would start forty.
{{ config(meta={'dagster': {'ref': {'name': 'int_customers'}}}) }}
{% set models = [
    'int_category_paths',
    'int_customer_links',
    'int_customers',
    'int_events',
    'int_order_items_enriched',
    'int_orders_enriched',
    'int_product_links',
    'int_products',
    'int_purchases',
    'int_reviews'
] %}
{% for model in models %}
    select
        '{{ model }}' as model_name,
        tenant_id,
        count(*) as rows_found
    from {{ ref(model) }}
    where tenant_id is distinct from ops.current_tenant()
    group by tenant_id
    {% if not loop.last %}union all{% endif %}
{% endfor %}
