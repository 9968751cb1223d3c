{#- Rows dated later than a day from now: clocks and time zones differ by less. -#}
{% test not_in_future(model, column_name) %}
    select *
    from {{ model }}
    where {{ column_name }} > now() + interval '1 day'
{% endtest %}
