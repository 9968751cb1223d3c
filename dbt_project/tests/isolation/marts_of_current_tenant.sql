-- Rows that are not of the session's tenant, which row level security should have hidden: per model, how many of whom.
-- One test for all models of the layer: a test each would start forty.
{{ config(meta={'dagster': {'ref': {'name': 'fct_sales'}}}) }}
{% set models = [
    'dim_customers',
    'dim_products',
    'fct_orders',
    'fct_sales',
    'mart_cohort_retention',
    'mart_customer_360',
    'mart_daily_sales',
    'mart_product_performance',
    'mart_reconciliation',
    'snp_products'
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
