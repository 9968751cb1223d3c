with source as (

    select * from {{ source('raw', 'customers') }}
    where _deleted_at is null

)

select
    tenant_id,
    id as customer_id,
    {{ clean_text('name') }} as customer_name,
    lower({{ clean_text('email') }}) as customer_email,
    {{ clean_text('phone') }} as phone_number,
    {{ clean_text('address') }} as full_address,
    created_at,
    updated_at,
    _email_key collate "C" as email_key,
    _phone_key collate "C" as phone_key,
    _name_key collate "C" as name_key,
    _email_key is not null as is_valid_email,
    {{ clean_text('crm_id') }} collate "C" as crm_id
from source
