with source as (

    select * from {{ source('cdp', 'transactional_context') }}
    where deleted_at is null

)

select distinct on (tenant_id)
    tenant_id,
    currency
from source
group by tenant_id, currency
order by tenant_id asc, count(*) desc, currency
