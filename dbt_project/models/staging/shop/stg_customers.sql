with source as (

    select * from {{ source('raw', 'customers') }}
    where _deleted_at is null

),

cleaned as (

    select
        tenant_id,
        id as customer_id,
        {{ clean_text('name') }} as customer_name,
        lower({{ clean_text('email') }}) as customer_email,
        {{ clean_text('phone') }} as phone_number,
        {{ clean_text('address') }} as full_address,
        {{ clean_text('crm_id') }} collate "C" as crm_id,
        created_at,
        updated_at
    from source
    -- `offset 0`: cleaned once, and not again in each key below
    offset 0

),

keyed as (

    select
        *,
        {{ email_key('customer_email') }} as email_key,
        {{ phone_key('phone_number') }} as phone_key,
        {{ name_key('customer_name') }} as name_key
    from cleaned
    offset 0

)

select
    tenant_id,
    customer_id,
    customer_name,
    customer_email,
    phone_number,
    full_address,
    created_at,
    updated_at,
    email_key,
    phone_key,
    name_key,
    email_key is not null as is_valid_email,
    crm_id
from keyed
