{#- When a snapshot saw a change, as an instant. dbt's own is a time without zone, so that its meaning would hang on the
    session that wrote it. -#}
{% macro postgres__snapshot_get_time() -%}
    now()
{%- endmacro %}
