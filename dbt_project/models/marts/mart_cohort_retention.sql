{{ config(
    unique_key=['tenant_id', 'cohort_month', 'month_number'],
    indexes=[{'columns': ['tenant_id', 'cohort_month', 'month_number'], 'unique': true}],
) }}

with active_months as (

    select distinct
        tenant_id,
        customer_key,
        date_trunc('month', date_day::timestamp)::date as active_month
    from {{ ref('fct_orders') }}
    where is_revenue and customer_key <> 'unknown' and date_day <= {{ today() }}

),

numbered as (

    select
        tenant_id,
        cohort_month,
        (
            extract(year from active_month) * 12 + extract(month from active_month)
            - extract(year from cohort_month) * 12 - extract(month from cohort_month)
        )::integer as month_number
    from (
        select
            *,
            min(active_month) over (partition by tenant_id, customer_key) as cohort_month
        from active_months
    ) as cohorts

),

active as (

    select
        tenant_id,
        cohort_month,
        month_number,
        count(*) as active_customers
    from numbered
    group by tenant_id, cohort_month, month_number

),

cohorts as (

    select
        tenant_id,
        cohort_month,
        active_customers as customers
    from active
    where month_number = 0

),

last_month as (

    select date_trunc('month', {{ today() }}::timestamp)::date as active_month

),

-- Every month up to today's, so that a month in which nobody came back shows as none.
months as (

    select
        cohorts.tenant_id,
        cohorts.cohort_month,
        cohorts.customers,
        month_number
    from cohorts
    cross join last_month
    cross join lateral generate_series(
        0,
        (
            extract(year from last_month.active_month) * 12 + extract(month from last_month.active_month)
            - extract(year from cohorts.cohort_month) * 12 - extract(month from cohorts.cohort_month)
        )::integer
    ) as month_number

)

select
    months.tenant_id,
    months.cohort_month,
    months.month_number,
    months.customers,
    coalesce(active.active_customers, 0) as active_customers,
    round(coalesce(active.active_customers, 0)::numeric / months.customers, 4) as retention
from months
left join active
    on months.tenant_id = active.tenant_id
        and months.cohort_month = active.cohort_month
        and months.month_number = active.month_number
