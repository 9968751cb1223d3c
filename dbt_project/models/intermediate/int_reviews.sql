with feedback as (

    select
        *,
        -- surveys are scored from 0 to 10, ratings from 1 to 5: the lowest scores are one star
        case
            when feedback_type <> 'SURVEY' then score
            when score between 0 and 10 then greatest(round(score / 2, 2), 1)
        end as rating
    from {{ ref('stg_leo__feedback') }}
    where feedback_type <> 'CONTACT'

),

reviews as (

    select * from {{ ref('stg_reviews') }}

),

customer_links as (

    select * from {{ ref('int_customer_links') }}

),

product_links as (

    select * from {{ ref('int_product_links') }}

),

opinions as (

    select
        feedback.tenant_id,
        'leo:' || feedback.feedback_id as review_key,
        'leo' as source,
        coalesce(customer_links.customer_key, 'unknown') as customer_key,
        case
            when feedback.leo_product_key is not null then coalesce(product_links.product_key, 'unknown')
        end as product_key,
        case when feedback.rating between 1 and 5 then feedback.rating end as rating,
        feedback.comment,
        feedback.language,
        feedback.created_at
    from feedback
    left join customer_links
        on
            feedback.tenant_id = customer_links.tenant_id
            and customer_links.source = 'leo'
            and feedback.profile_id = customer_links.source_id
    left join product_links
        on
            feedback.tenant_id = product_links.tenant_id
            and product_links.source = 'leo'
            and feedback.leo_product_key = product_links.source_id

    union all

    select
        reviews.tenant_id,
        'shop:' || reviews.review_id as review_key,
        'shop' as source,
        coalesce(customer_links.customer_key, 'unknown') as customer_key,
        coalesce(product_links.product_key, 'unknown') as product_key,
        reviews.rating::numeric as rating,
        nullif(concat_ws(E'\n', reviews.review_title, reviews.review_comment), '') as comment,
        null::text as language,
        reviews.created_at
    from reviews
    left join customer_links
        on
            reviews.tenant_id = customer_links.tenant_id
            and customer_links.source = 'shop'
            and reviews.customer_id::text = customer_links.source_id
    left join product_links
        on
            reviews.tenant_id = product_links.tenant_id
            and product_links.source = 'shop'
            and reviews.product_id::text = product_links.source_id

),

-- One person's stars for one product on one day are one opinion, also where both sources keep it: the first of LEO
-- goes with the first of the shop, the second with the second.
comparable as (

    select
        *,
        {{ local_day('created_at') }} as written_on,
        case
            when customer_key = 'unknown' or coalesce(product_key, 'unknown') = 'unknown' or rating is null
                then review_key
        end as own_key
    from opinions

),

numbered as (

    select
        *,
        row_number() over (
            partition by tenant_id, own_key, customer_key, product_key, rating, written_on, source
            order by created_at, review_key
        ) as nth
    from comparable

),

placed as (

    select
        *,
        -- the text decides; with or without one on both sides LEO's has the vectors
        row_number() over (opinion order by comment is null, source) as place,
        count(*) over opinion as tellings
    from numbered
    window opinion as (partition by tenant_id, own_key, customer_key, product_key, rating, written_on, nth)

)

select
    tenant_id,
    review_key,
    source,
    customer_key,
    product_key,
    rating,
    comment,
    language,
    created_at,
    tellings > 1 as is_known_to_both
from placed
where place = 1
