with source as (

    select * from {{ source('cdp', 'customer_profile') }}
    where deleted_at is null

)

select
    tenant_id,
    cdp_profile_id as profile_id,
    root_profile_id,
    status as profile_status,
    profile_type,
    {{ clean_text('full_name') }} as customer_name,
    email as customer_email,
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
    email_key collate "C" as email_key,
    phone collate "C" as phone_key
from source
