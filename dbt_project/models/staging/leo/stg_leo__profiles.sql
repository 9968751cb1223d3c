with source as (

    select * from {{ source('cdp', 'customer_profile') }}
    where deleted_at is null

),

cleaned as (

    select
        *,
        {{ clean_text('full_name') }} as customer_name,
        lower({{ clean_text('email') }}) as customer_email
    from source
    -- `offset 0`: cleaned once, and not again in the key below
    offset 0

)

select
    tenant_id,
    cdp_profile_id as profile_id,
    root_profile_id,
    status as profile_status,
    profile_type,
    customer_name,
    customer_email,
    phone as phone_number,
    gender,
    birth_date,
    {{ clean_text('city') }} as city,
    {{ clean_text('country') }} as country,
    language,
    {{ clean_text('crm_id') }} collate "C" as crm_id,
    funnel_stage,
    created_at,
    updated_at,
    {{ email_key('customer_email') }} as email_key,
    {{ phone_key('phone') }} as phone_key
from cleaned
