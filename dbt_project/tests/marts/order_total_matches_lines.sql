{{ config(severity='warn') }}
-- Orders whose total is not the sum of their lines, each by id. The shop must say which is right; neither is changed.
select
    tenant_id,
    order_id,
    order_number,
    currency,
    order_total,
    calculated_total,
    reconciliation_diff
from {{ ref('fct_orders') }}
where not is_reconciled
