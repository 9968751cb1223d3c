{#- What an amount without a currency is in: the tenant's option, else USD, as landing has it for LEO's amounts. Asked of
    the database, since views are read in sessions that dbt has not opened; in a subquery, so that it is asked once. -#}
{% macro default_currency() -%}
    coalesce((select ops.default_currency(ops.current_tenant())), 'USD')
{%- endmacro %}
