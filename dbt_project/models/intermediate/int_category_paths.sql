with recursive categories as (

    select * from {{ ref('stg_categories') }}

),

-- from the leaves' view: each category climbs to its top; twenty steps end a circle
climbed as (

    select
        tenant_id,
        category_id,
        category_name,
        parent_id,
        category_name as category_path,
        1 as depth
    from categories

    union all

    select
        climbed.tenant_id,
        climbed.category_id,
        climbed.category_name,
        parents.parent_id,
        parents.category_name || ' > ' || climbed.category_path as category_path,
        climbed.depth + 1 as depth
    from climbed
    inner join categories as parents
        on climbed.tenant_id = parents.tenant_id and climbed.parent_id = parents.category_id
    where climbed.depth < 20

)

select distinct on (tenant_id, category_id)
    tenant_id,
    category_id,
    category_name,
    category_path,
    depth
from climbed
order by tenant_id asc, category_id asc, depth desc
