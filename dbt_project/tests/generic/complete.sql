{#- Rows in which one of the columns is missing, with the names of those that are. One test for all columns of a model:
    a test per column would start 250 of them. -#}
{% test complete(model, columns) %}
    select
        *,
        array_remove(array[{% for column in columns %}
            case when {{ column }} is null then '{{ column }}' end{{ ',' if not loop.last }}
        {%- endfor %}
        ], null) as missing_columns
    from {{ model }}
    where {% for column in columns %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
