-- Rows of other tenants in the models of the layer.
{{ config(meta={'dagster': {'ref': {'name': 'fct_sales'}}}) }}
{{ rows_of_other_tenants([
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
]) }}
