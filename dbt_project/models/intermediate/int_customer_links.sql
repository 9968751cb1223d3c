-- Two levels of duplicates and one join to LEO: hash joins and windows only. Following every shared handle to its end
-- (a closure) would merge whole households and companies through one shared phone.
with shop as (

    select
        *,
        case
            when email_key is null then customer_id
            else min(customer_id) over (partition by tenant_id, email_key)
        end as email_speaker
    from {{ ref('stg_customers') }}

),

profiles as (

    select * from {{ ref('stg_leo__profiles') }}

),

leo as (

    select
        profiles.tenant_id,
        profiles.profile_id,
        profiles.root_profile_id,
        profiles.crm_id,
        profiles.email_key,
        profiles.phone_key
    from profiles
    inner join profiles as roots
        on profiles.tenant_id = roots.tenant_id and profiles.root_profile_id = roots.profile_id
    where roots.profile_status = 'active'

),

speakers as (

    select
        tenant_id,
        customer_id,
        case
            when phone_key is null or name_key is null then customer_id
            else min(customer_id) over (partition by tenant_id, phone_key, name_key)
        end as person_id
    from shop
    where customer_id = email_speaker

),

persons as (

    select
        shop.tenant_id,
        shop.customer_id,
        shop.crm_id,
        shop.email_key,
        shop.phone_key,
        speakers.person_id
    from shop
    inner join speakers
        on shop.tenant_id = speakers.tenant_id and shop.email_speaker = speakers.customer_id

),

-- a phone that two persons of the shop share says of neither who it is
own_phones as (

    select
        tenant_id,
        phone_key
    from persons
    where phone_key is not null
    group by tenant_id, phone_key
    having min(person_id) = max(person_id)

),

-- materialized: the planner would otherwise join persons to roots by tenant alone, and look at handles afterwards
shop_handles as materialized (

    select
        persons.tenant_id,
        persons.person_id,
        persons.customer_id,
        handles.link_rule,
        handles.preference,
        handles.handle
    from persons
    left join own_phones
        on persons.tenant_id = own_phones.tenant_id and persons.phone_key = own_phones.phone_key
    cross join
        lateral (
            values ('crm_id', 1, persons.crm_id), ('email', 2, persons.email_key), ('phone', 3, own_phones.phone_key)
        ) as handles (link_rule, preference, handle)
    where handles.handle is not null

),

-- nor does any handle that two roots hold
leo_handles as materialized (

    select
        leo.tenant_id,
        handles.link_rule,
        handles.handle,
        min(leo.root_profile_id) as root_profile_id
    from leo
    cross join
        lateral (
            values ('crm_id', leo.crm_id), ('email', leo.email_key), ('phone', leo.phone_key)
        ) as handles (link_rule, handle)
    where handles.handle is not null
    group by leo.tenant_id, handles.link_rule, handles.handle
    having min(leo.root_profile_id) = max(leo.root_profile_id)

),

linked as (

    select distinct on (shop_handles.tenant_id, shop_handles.person_id)
        shop_handles.tenant_id,
        shop_handles.person_id,
        shop_handles.link_rule,
        leo_handles.root_profile_id
    from shop_handles
    inner join leo_handles
        on
            shop_handles.tenant_id = leo_handles.tenant_id
            and shop_handles.link_rule = leo_handles.link_rule
            and shop_handles.handle = leo_handles.handle
    order by shop_handles.tenant_id, shop_handles.person_id, shop_handles.preference, shop_handles.customer_id

)

select
    persons.tenant_id,
    'shop' as source,
    persons.customer_id::text as source_id,
    coalesce('leo:' || linked.root_profile_id, 'shop:' || persons.person_id) as customer_key,
    case
        when persons.customer_id <> persons.person_id then 'duplicate'
        else coalesce(linked.link_rule, 'self')
    end as link_rule
from persons
left join linked
    on persons.tenant_id = linked.tenant_id and persons.person_id = linked.person_id

union all

select
    tenant_id,
    'leo' as source,
    profile_id as source_id,
    'leo:' || root_profile_id as customer_key,
    case when profile_id = root_profile_id then 'self' else 'merge' end as link_rule
from leo
