{{ config(
    unique_key=['tenant_id', 'product_key'],
    indexes=[{'columns': ['tenant_id', 'product_key'], 'unique': true}],
) }}

with products as (

    select * from {{ ref('dim_products') }}
    where is_current and not is_unknown

),

sales as (

    select * from {{ ref('fct_sales') }}
    where is_revenue

),

main_currency as (

    select currency from {{ ref('int_main_currency') }}

),

sold as (

    select
        sales.product_key,
        count(*) as lines,
        sum(sales.item_quantity)::bigint as quantity,
        sum(sales.line_total) filter (where sales.currency = main_currency.currency) as revenue,
        count(*) filter (where sales.currency <> main_currency.currency) as lines_in_other_currencies,
        count(distinct sales.customer_key) filter (where sales.customer_key <> 'unknown') as buyers,
        min(sales.order_date) as first_sale_at,
        max(sales.order_date) as last_sale_at
    from sales
    cross join main_currency
    group by sales.product_key

),

reviewed as (

    select
        product_key,
        count(*) as reviews,
        round(avg(rating), 2) as average_rating
    from {{ ref('int_reviews') }}
    group by product_key

),

measured as (

    select
        products.tenant_id,
        products.product_key,
        products.product_version_key,
        products.product_category,
        (select main_currency.currency from main_currency) as currency,
        coalesce(sold.lines, 0) as lines,
        coalesce(sold.quantity, 0) as quantity,
        coalesce(sold.revenue, 0) as revenue,
        coalesce(sold.lines_in_other_currencies, 0) as lines_in_other_currencies,
        coalesce(sold.buyers, 0) as buyers,
        sold.first_sale_at,
        sold.last_sale_at,
        coalesce(reviewed.reviews, 0) as reviews,
        reviewed.average_rating
    from products
    left join sold on products.product_key = sold.product_key
    left join reviewed on products.product_key = reviewed.product_key

)

select
    *,
    rank() over (order by revenue desc) as revenue_rank,
    rank() over (partition by product_category order by revenue desc) as revenue_rank_in_category
from measured
