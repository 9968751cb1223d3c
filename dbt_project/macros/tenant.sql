{#- Hooks of tables that hold rows of many tenants and are built for one at a time. Views need neither. -#}

{% macro prepare_tenant_table() -%}
    {%- if model.config.materialized != 'view' %}
    do $$
    begin
        if ops.current_tenant() is null then
            raise exception 'marts.{{ this.identifier }} is built for one tenant, and the session has none'
            using hint = 'set PGOPTIONS="-c app.tenant_id=<tenant>" for dbt';
        end if;
    end
    $$;
    -- Row security hides the statistics of what the views compute: the planner takes 100,000 rows for a few, and a
    -- nested loop over them for cheap.
    set local enable_nestloop = off;
    set local work_mem = '64MB';
    {%- endif %}
{%- endmacro %}


{% macro adopt_table() -%}
    {%- if model.config.materialized != 'view' %}
    call ops.adopt(ops.current_tenant(), '{{ this.identifier }}')
    {%- endif %}
{%- endmacro %}
