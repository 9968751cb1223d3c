{{ config(severity='warn') }}
-- Orders of LEO that the shop does not have, each by its number; none while the tenant has one source only.
select
    tenant_id,
    order_number,
    order_key,
    order_date,
    currency,
    found_amount
from {{ ref('mart_reconciliation') }}
where finding = 'only_in_leo'
