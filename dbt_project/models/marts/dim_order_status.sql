{{ config(materialized='view', grants={'select': ['cdp_pipeline', 'cdp_reader']}) }}

-- Revenue is what the shop has accepted: a pending order is not paid for yet, an unknown status proves nothing.
with statuses (order_status, label, is_open, is_revenue, sort_order) as (

    {{ order_statuses() }}

)

select
    order_status,
    label,
    is_open,
    is_revenue,
    sort_order
from statuses
