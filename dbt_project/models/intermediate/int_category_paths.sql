with recursive categories as (

    select * from {{ ref('stg_categories') }}

),

-- from the leaves' view: each category climbs to its top, or to the last one before it would meet itself
climbed as (

    select
        tenant_id,
        category_id,
        category_name,
        parent_id,
        category_name as category_path,
        array[category_id] as climbed_ids
    from categories

    union all

    select
        climbed.tenant_id,
        climbed.category_id,
        climbed.category_name,
        parents.parent_id,
        parents.category_name || ' > ' || climbed.category_path as category_path,
        climbed.climbed_ids || parents.category_id as climbed_ids
    from climbed
    inner join categories as parents
        on climbed.tenant_id = parents.tenant_id and climbed.parent_id = parents.category_id
    where parents.category_id <> all(climbed.climbed_ids)

)

select distinct on (tenant_id, category_id)
    tenant_id,
    category_id,
    category_name,
    category_path,
    cardinality(climbed_ids) as depth,
    coalesce(parent_id = any(climbed_ids), false) as is_in_circle
from climbed
order by tenant_id asc, category_id asc, cardinality(climbed_ids) desc
