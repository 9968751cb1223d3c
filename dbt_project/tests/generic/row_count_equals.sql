{#- One row with both counts, when this relation and another one do not hold equally many rows. -#}
{% test row_count_equals(model, other) %}
    select
        here.rows_found,
        there.rows_found as rows_expected
    from (select count(*) as rows_found from {{ model }}) as here
    cross join (select count(*) as rows_found from {{ other }}) as there
    where here.rows_found <> there.rows_found
{% endtest %}
