-- Orders of which lines of both sources count as purchases.
select
    tenant_id,
    order_number
from {{ ref('int_purchases') }}
where order_number is not null
group by tenant_id, order_number
having count(distinct source) > 1
