with source as (

    select * from {{ source('cdp', 'consent') }}

)

select
    tenant_id,
    cdp_profile_id as profile_id,
    channel,
    decision,
    is_allowed,
    changed_at
from source
