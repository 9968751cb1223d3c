{#- Rows that are not of the session's tenant: row security should have hidden them. -#}
{% test of_current_tenant(model, column_name) %}
    select *
    from {{ model }}
    where {{ column_name }} is distinct from ops.current_tenant()
{% endtest %}
