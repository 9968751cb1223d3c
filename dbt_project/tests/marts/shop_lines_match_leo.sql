{{ config(severity='warn') }}
-- Orders that both sources have with lines of another sum.
select
    tenant_id,
    order_number,
    order_key,
    currency,
    found_amount as shop_lines,
    expected_amount as leo_lines,
    difference
from {{ ref('mart_reconciliation') }}
where finding = 'lines_differ_from_leo'
