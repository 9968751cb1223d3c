{{ config(meta={'dagster': {'ref': {'name': 'mart_daily_sales'}}}) }}
-- Days on which mart_daily_sales and fct_orders disagree, by currency.
with daily as (

    select
        tenant_id,
        date_day,
        currency,
        sum(orders) as orders,
        sum(revenue) as revenue
    from {{ ref('mart_daily_sales') }}
    group by tenant_id, date_day, currency

),

facts as (

    select
        tenant_id,
        date_day,
        currency,
        count(*) as orders,
        coalesce(sum(calculated_total) filter (where is_revenue), 0) as revenue
    from {{ ref('fct_orders') }}
    where date_day is not null
    group by tenant_id, date_day, currency

)

select
    coalesce(daily.tenant_id, facts.tenant_id) as tenant_id,
    coalesce(daily.date_day, facts.date_day) as date_day,
    coalesce(daily.currency, facts.currency) as currency,
    daily.orders as daily_orders,
    facts.orders as fact_orders,
    daily.revenue as daily_revenue,
    facts.revenue as fact_revenue
from daily
full outer join facts
    on daily.tenant_id = facts.tenant_id and daily.date_day = facts.date_day and daily.currency = facts.currency
where daily.orders is distinct from facts.orders or daily.revenue is distinct from facts.revenue
