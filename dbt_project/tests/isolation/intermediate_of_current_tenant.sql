-- Rows of other tenants in the models of the layer.
{{ config(meta={'dagster': {'ref': {'name': 'int_customers'}}}) }}
{{ rows_of_other_tenants([
    'int_category_paths',
    'int_customer_links',
    'int_customers',
    'int_event_links',
    'int_event_references',
    'int_events',
    'int_main_currency',
    'int_order_items_enriched',
    'int_order_links',
    'int_orders_enriched',
    'int_product_links',
    'int_products',
    'int_purchases',
    'int_reviews'
]) }}
