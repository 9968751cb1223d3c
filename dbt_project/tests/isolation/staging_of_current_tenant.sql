-- Rows of other tenants in the models of the layer.
{{ config(meta={'dagster': {'ref': {'name': 'stg_customers'}}}) }}
{{ rows_of_other_tenants([
    'stg_categories',
    'stg_customers',
    'stg_events',
    'stg_leo__consents',
    'stg_leo__events',
    'stg_leo__feedback',
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
]) }}
