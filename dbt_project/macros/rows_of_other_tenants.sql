{#- Rows of the models that are not of the session's tenant, which row level security should have hidden: per model, how
    many of whom. One query for all models of a layer: a test each would start forty. -#}

{% macro rows_of_other_tenants(models) -%}
    {%- for model in models %}
    select
        '{{ model }}' as model_name,
        tenant_id,
        count(*) as rows_found
    from {{ ref(model) }}
    where tenant_id is distinct from ops.current_tenant()
    group by tenant_id
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
{%- endmacro %}
