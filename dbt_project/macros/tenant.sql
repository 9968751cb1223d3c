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
    -- The planner cannot see through the windows and unions of the canonical model and takes 100,000 rows for a few.
    -- A nested loop over them, or a merge on tenant_id alone, then takes minutes; a hash join uses all of its keys.
    set local enable_nestloop = off;
    set local enable_mergejoin = off;
    set local work_mem = '64MB';
    {%- endif %}
{%- endmacro %}


{% macro adopt_table() -%}
    {%- if model.config.materialized != 'view' %}
    call ops.adopt(ops.current_tenant(), '{{ this.identifier }}')
    {%- endif %}
{%- endmacro %}
