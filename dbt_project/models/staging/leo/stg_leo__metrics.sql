with source as (

    select * from {{ source('cdp', 'customer_metrics') }}

)

select
    tenant_id,
    cdp_profile_id as profile_id,
    currency,
    last_purchase,
    freq_90d,
    orders,
    avg_order_value,
    monetary_90d,
    clv_est,
    experience_score,
    segment,
    updated_at
from source
