with stays as (

    select * from {{ source('cdp', 'profile_segment') }}
    where left_at is null

),

segments as (

    select * from {{ source('cdp', 'segment') }}
    where deleted_at is null

)

select
    stays.tenant_id,
    stays.cdp_profile_id as profile_id,
    stays.segment_id,
    {{ clean_text('segments.name') }} as segment_name,
    segments.segment_type,
    stays.joined_at
from stays
inner join segments
    on stays.tenant_id = segments.tenant_id and stays.segment_id = segments.segment_id
