{#- The calendar day of an instant where the tenant trades. The session names the zone beside the tenant
    (PGOPTIONS="-c app.timezone=Asia/Ho_Chi_Minh"); without one, days are cut in UTC. -#}
{% macro local_day(instant) -%}
    ({{ instant }} at time zone coalesce(nullif(current_setting('app.timezone', true), ''), 'UTC'))::date
{%- endmacro %}
