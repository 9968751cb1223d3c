-- Which order of LEO is which order of the shop. A number alone proves nothing: a shop that numbers from 1 has a 5, and
-- LEO had one two years ago. A second witness is asked: the person, the amount or the day.
with links as (

    select * from {{ ref('int_customer_links') }}

),

line_totals as (

    select
        tenant_id,
        order_id,
        sum(line_total) as line_total
    from {{ ref('stg_order_items') }}
    group by tenant_id, order_id

),

shop as (

    select
        orders.tenant_id,
        orders.order_id,
        orders.order_number,
        coalesce(links.customer_key, 'unknown') as customer_key,
        orders.order_total,
        line_totals.line_total,
        {{ local_day('coalesce(orders.order_date, orders.created_at)') }} as date_day
    from {{ ref('stg_orders') }} as orders
    left join line_totals
        on orders.tenant_id = line_totals.tenant_id and orders.order_id = line_totals.order_id
    left join links
        on
            orders.tenant_id = links.tenant_id
            and links.source = 'shop'
            and orders.customer_id::text = links.source_id

),

-- two people may have used one number
leo as (

    select
        transactions.tenant_id,
        transactions.transaction_id,
        coalesce(links.customer_key, 'unknown') as customer_key,
        sum(transactions.line_total) as leo_total,
        sum(sum(transactions.line_total)) over (number) as number_total,
        {{ local_day('min(transactions.purchased_at)') }} as date_day,
        row_number() over (
            number order by min(transactions.purchased_at), coalesce(links.customer_key, 'unknown')
        ) as place
    from {{ ref('stg_leo__transactions') }} as transactions
    left join links
        on
            transactions.tenant_id = links.tenant_id
            and links.source = 'leo'
            and transactions.profile_id = links.source_id
    where transactions.transaction_id is not null
    group by transactions.tenant_id, transactions.transaction_id, coalesce(links.customer_key, 'unknown')
    window number as (partition by transactions.tenant_id, transactions.transaction_id)

),

pairs as (

    select
        leo.tenant_id,
        leo.transaction_id,
        leo.customer_key,
        shop.order_id,
        leo.customer_key <> 'unknown' and leo.customer_key = shop.customer_key as is_same_person,
        -- less than a cent apart
        coalesce(
            least(abs(shop.order_total - leo.leo_total), abs(shop.line_total - leo.leo_total)) < 0.01, false
        ) as is_same_amount,
        coalesce(
            least(abs(shop.order_total - leo.number_total), abs(shop.line_total - leo.number_total)) < 0.01, false
        ) as is_whole_amount,
        -- clocks and zones of two systems differ by less than a day
        coalesce(shop.date_day between leo.date_day - 1 and leo.date_day + 1, false) as is_same_day
    from leo
    inner join shop
        on leo.tenant_id = shop.tenant_id and leo.transaction_id = shop.order_number

),

ranked as (

    select
        *,
        row_number() over (
            partition by tenant_id, transaction_id, customer_key
            order by is_same_person desc, is_same_amount desc, is_same_day desc, order_id asc
        ) as place_of_shop,
        row_number() over (
            partition by tenant_id, order_id
            order by is_same_person desc, is_same_amount desc, is_same_day desc, customer_key asc
        ) as place_of_leo
    from pairs
    where is_same_person or is_same_amount or is_whole_amount or is_same_day

),

linked as (

    select
        *,
        case
            when is_same_person then 'person'
            when is_same_amount or is_whole_amount then 'amount'
            else 'day'
        end as link_rule
    from ranked
    where place_of_shop = 1 and (place_of_leo = 1 or is_whole_amount)

)

select
    leo.tenant_id,
    leo.transaction_id,
    leo.customer_key,
    coalesce(
        'shop:' || linked.order_id,
        'leo:' || leo.transaction_id || case when leo.place > 1 then ':' || leo.customer_key else '' end
    ) as order_key,
    linked.order_id,
    coalesce(linked.link_rule, 'self') as link_rule,
    leo.leo_total
from leo
left join linked
    on
        leo.tenant_id = linked.tenant_id
        and leo.transaction_id = linked.transaction_id
        and leo.customer_key = linked.customer_key
