{#- Incremental strategy `exact`. The model selects all rows of the tenant as they should be; what differs is written:
    rows whose key is gone are deleted, rows that differ in any column updated, new ones inserted. An unchanged row is
    not touched, so a second run writes nothing. unique_key starts with tenant_id; its columns are never null. -#}
{% macro get_incremental_exact_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set wanted = arg_dict['temp_relation'] -%}
    {%- set keys = arg_dict['unique_key'] -%}
    {%- if keys is string or not keys or keys[0] != 'tenant_id' -%}
        {% do exceptions.raise_compiler_error(
            target.identifier ~ ': strategy exact needs unique_key as a list that starts with tenant_id'
        ) %}
    {%- endif -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='name') | list -%}
    {%- set others = columns | reject('in', keys) | list -%}

    -- A temporary table has no statistics of its own.
    analyze {{ wanted }};

    delete from {{ target }} as t
    where t.tenant_id = ops.current_tenant() and not exists (
        select from {{ wanted }} as w
        where {% for key in keys %}w.{{ key }} = t.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
    );

    merge into {{ target }} as t
    using {{ wanted }} as w
    on {% for key in keys %}w.{{ key }} = t.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
    {% if others -%}
    when matched and (
        {%- for column in others %}t.{{ column }}{{ ', ' if not loop.last }}{% endfor -%}
    ) is distinct from (
        {%- for column in others %}w.{{ column }}{{ ', ' if not loop.last }}{% endfor -%}
    ) then update set
        {% for column in others %}{{ column }} = w.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    {%- endif %}
    when not matched then insert ({{ columns | join(', ') }})
    values ({% for column in columns %}w.{{ column }}{{ ', ' if not loop.last }}{% endfor %});
{% endmacro %}
