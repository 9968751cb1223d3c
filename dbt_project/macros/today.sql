{#- Today where the tenant trades. The session brings it with the tenant (PGOPTIONS="-c app.today=2026-06-30"), so that
    all models of a build and their tests mean the same day; without one it is the clock's. Never the largest date in
    the data: one order of 2062 would make everybody else a customer of the last century. -#}
{% macro today() -%}
    coalesce(nullif(current_setting('app.today', true), '')::date, {{ local_day('now()') }})
{%- endmacro %}
