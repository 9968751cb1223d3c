{{ config(
    unique_key=['tenant_id', 'finding', 'order_key'],
    indexes=[
        {'columns': ['tenant_id', 'finding', 'order_key'], 'unique': true},
        {'columns': ['tenant_id', 'order_number']},
    ],
) }}

with orders as (

    select * from {{ ref('fct_orders') }}

),

-- A tenant with one source has nothing to compare.
sources as (

    select
        coalesce(bool_or(source = 'shop'), false)
        and coalesce(bool_or(source = 'leo' or is_known_to_both), false) as both_there
    from orders

),

findings as (

    select
        orders.*,
        'only_in_shop' as finding,
        orders.calculated_total as found_amount,
        null::numeric as expected_amount
    from orders
    cross join sources
    where sources.both_there and orders.source = 'shop' and not orders.is_known_to_both and orders.order_id is not null
    union all
    select
        orders.*,
        'only_in_leo' as finding,
        orders.leo_total as found_amount,
        null::numeric as expected_amount
    from orders
    cross join sources
    where sources.both_there and orders.source = 'leo'
    union all
    select
        *,
        'total_differs_from_lines' as finding,
        order_total as found_amount,
        calculated_total as expected_amount
    from orders
    where not is_reconciled
    union all
    select
        *,
        'lines_differ_from_leo' as finding,
        calculated_total as found_amount,
        leo_total as expected_amount
    from orders
    where is_known_to_both and abs(calculated_total - leo_total) >= 0.01
    union all
    select
        *,
        'lines_without_order' as finding,
        calculated_total as found_amount,
        null::numeric as expected_amount
    from orders
    where source = 'shop' and order_id is null

)

select
    tenant_id,
    finding,
    order_key,
    order_id,
    order_number,
    order_date,
    date_day,
    order_status,
    currency,
    found_amount,
    expected_amount,
    found_amount - expected_amount as difference
from findings
