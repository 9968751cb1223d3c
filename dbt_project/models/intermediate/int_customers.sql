with links as (

    select * from {{ ref('int_customer_links') }}

),

profiles as (

    select * from {{ ref('stg_leo__profiles') }}

),

shop as (

    select * from {{ ref('stg_customers') }}

),

-- who is asked first: LEO's root profile, the shop's account that speaks for others, merged profiles, duplicates
members as (

    select
        links.tenant_id,
        links.customer_key,
        case when links.link_rule = 'self' then 1 else 3 end as preference,
        null::bigint as customer_id,
        profiles.profile_id,
        profiles.customer_name,
        profiles.customer_email,
        profiles.phone_number,
        null::text as full_address,
        profiles.city,
        profiles.country,
        profiles.gender,
        profiles.birth_date,
        profiles.language,
        profiles.created_at,
        profiles.updated_at,
        profiles.email_key,
        profiles.phone_key
    from links
    inner join profiles
        on links.tenant_id = profiles.tenant_id and links.source_id = profiles.profile_id
    where links.source = 'leo'

    union all

    select
        links.tenant_id,
        links.customer_key,
        case when links.link_rule = 'duplicate' then 4 else 2 end as preference,
        shop.customer_id,
        null::text as profile_id,
        shop.customer_name,
        shop.customer_email,
        shop.phone_number,
        shop.full_address,
        null::text as city,
        null::text as country,
        null::text as gender,
        null::date as birth_date,
        null::text as language,
        shop.created_at,
        shop.updated_at,
        shop.email_key,
        shop.phone_key
    from links
    inner join shop
        on links.tenant_id = shop.tenant_id and links.source_id = shop.customer_id::text
    where links.source = 'shop'

),

placed as (

    select
        *,
        row_number() over (
            partition by tenant_id, customer_key order by preference, customer_id, profile_id
        ) as place
    from members

)

select
    tenant_id,
    customer_key,
    {{ first_of('customer_name') }} as customer_name,
    coalesce({{ first_of('customer_email', 'email_key') }}, {{ first_of('customer_email') }}) as customer_email,
    coalesce({{ first_of('phone_number', 'phone_key') }}, {{ first_of('phone_number') }}) as phone_number,
    {{ first_of('full_address') }} as full_address,
    {{ first_of('city') }} as city,
    {{ first_of('country') }} as country,
    {{ first_of('gender') }} as gender,
    {{ first_of('birth_date') }} as birth_date,
    {{ first_of('language') }} as language,
    min(created_at) as customer_since,
    max(updated_at) as last_updated,
    bool_or(customer_id is not null) as is_in_shop,
    bool_or(profile_id is not null) as is_in_leo,
    coalesce(array_agg(customer_id order by place) filter (where customer_id is not null), '{}') as shop_customer_ids,
    coalesce(array_agg(profile_id order by place) filter (where profile_id is not null), '{}') as profile_ids,
    min(profile_id) filter (where preference = 1) as root_profile_id,
    {{ first_of('email_key') }} as email_key,
    {{ first_of('phone_key') }} as phone_key
from placed
group by tenant_id, customer_key
