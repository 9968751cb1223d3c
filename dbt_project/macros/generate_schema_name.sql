{#- Schemas are named exactly as configured (dbt would make staging_marts of marts): relation, dbt node and Dagster
    asset key are then one name. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
