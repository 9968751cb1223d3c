{#- Rows whose column lies outside the two bounds, which are allowed. -#}
{% test is_between(model, column_name, low, high) %}
    select *
    from {{ model }}
    where {{ column_name }} not between {{ low }} and {{ high }}
{% endtest %}
