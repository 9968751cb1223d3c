-- Lines of LEO that count as purchases though the shop has their order, whose lines count as well.
select
    purchases.tenant_id,
    purchases.order_number,
    purchases.txn_id
from {{ ref('int_purchases') }} as purchases
inner join {{ ref('int_order_links') }} as links
    on
        purchases.tenant_id = links.tenant_id
        and purchases.order_number = links.transaction_id
        and purchases.customer_key = links.customer_key
where purchases.source = 'leo' and links.order_id is not null
