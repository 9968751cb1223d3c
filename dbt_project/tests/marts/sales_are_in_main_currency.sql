{{ config(meta={'dagster': {'ref': {'name': 'fct_sales'}}}) }}
-- Sales of a tenant none of which is in its main currency: every total of marts and datasets would be 0. Mended by
-- `cdp tenants add TENANT --replace --option default_currency=CODE`, or a column currency of the shop.
select
    sales.tenant_id,
    main_currency.currency as main_currency,
    count(*) as lines_in_other_currencies,
    string_agg(distinct sales.currency, ', ') as other_currencies
from {{ ref('fct_sales') }} as sales
cross join {{ ref('int_main_currency') }} as main_currency
where sales.is_revenue and sales.line_total <> 0
group by sales.tenant_id, main_currency.currency
having count(*) filter (where sales.currency = main_currency.currency) = 0
