{#- Rows dated after today, by the tenant's clock: they are kept, and no figure that looks back counts them. -#}
{% test not_in_future(model, column_name) %}
    select *
    from {{ model }}
    where {{ local_day(column_name) }} > {{ today() }}
{% endtest %}
