with purchases as (

    select * from {{ ref('int_purchases') }}

)

-- what is not reached is not asked: a tenant that has said its currency pays nothing for this
select
    ops.current_tenant() as tenant_id,
    coalesce(
        (select ops.default_currency(ops.current_tenant())),
        (
            select purchases.currency
            from purchases
            where purchases.currency is not null
            group by purchases.currency
            order by count(*) desc, purchases.currency
            limit 1
        ),
        {{ default_currency() }}
    ) as currency
where ops.current_tenant() is not null
