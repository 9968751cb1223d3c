{{ config(
    unique_key=['tenant_id', 'customer_key'],
    indexes=[
        {'columns': ['tenant_id', 'customer_key'], 'unique': true},
        {'columns': ['tenant_id', 'customer_id']},
        {'columns': ['tenant_id', 'root_profile_id']},
    ],
) }}

with customers as (

    select * from {{ ref('int_customers') }}

),

known as (

    select
        tenant_id,
        customer_key,
        (select min(id) from unnest(shop_customer_ids) as id) as customer_id,
        root_profile_id,
        customer_name,
        customer_email,
        phone_number,
        full_address,
        city,
        country,
        gender,
        birth_date,
        language,
        customer_since,
        last_updated,
        is_in_shop,
        is_in_leo,
        false as is_unknown
    from customers

),

-- Facts whose customer cannot be told point here, so that an inner join loses none of them.
unknown_member as (

    select
        ops.current_tenant() as tenant_id,
        'unknown' as customer_key,
        null::bigint as customer_id,
        null::text as root_profile_id,
        'Unknown customer' as customer_name,
        null::text as customer_email,
        null::text as phone_number,
        null::text as full_address,
        null::text as city,
        null::text as country,
        null::text as gender,
        null::date as birth_date,
        null::text as language,
        null::timestamptz as customer_since,
        null::timestamptz as last_updated,
        false as is_in_shop,
        false as is_in_leo,
        true as is_unknown

)

select * from known
union all
select * from unknown_member
