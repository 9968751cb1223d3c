{#- Rows for which a condition over their columns is false; unknown (null) is allowed. -#}
{% test expression_is_true(model, expression) %}
    select *
    from {{ model }}
    where not ({{ expression }})
{% endtest %}
