{{ config(materialized='view', grants={'select': ['cdp_pipeline', 'cdp_reader']}) }}

-- Revenue is what the shop has accepted: a pending order is not paid for yet, an unknown status proves nothing.
with statuses (order_status, label, is_open, is_revenue, sort_order) as (

    values
    ('pending', 'Pending', true, false, 1),
    ('processing', 'Processing', true, true, 2),
    ('shipped', 'Shipped', true, true, 3),
    ('completed', 'Completed', false, true, 4),
    ('cancelled', 'Cancelled', false, false, 5),
    ('unknown', 'Unknown', false, false, 6)

)

select
    order_status,
    label,
    is_open,
    is_revenue,
    sort_order
from statuses
