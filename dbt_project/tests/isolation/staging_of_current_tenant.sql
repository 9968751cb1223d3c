-- Rows that are not of the session's tenant, which row level security should have hidden: per model, how many of whom.
-- One test for all models of the layer: a test each would start forty.
{{ config(meta={'dagster': {'ref': {'name': 'stg_customers'}}}) }}
{% set models = [
    'stg_categories',
    'stg_customers',
    'stg_events',
    'stg_leo__consents',
    'stg_leo__events',
    'stg_leo__feedback',
    'stg_leo__main_currency',
    'stg_leo__metrics',
    'stg_leo__products',
    'stg_leo__profiles',
    'stg_leo__segments',
    'stg_leo__transactions',
    'stg_order_items',
    'stg_orders',
    'stg_products',
    'stg_promotions',
    'stg_reviews'
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
