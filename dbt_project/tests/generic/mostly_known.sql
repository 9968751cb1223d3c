{#- The rows that point to the unknown member, once they are more than one in a hundred. -#}
{% test mostly_known(model, column_name) %}
    select *
    from (
        select
            *,
            avg(({{ column_name }} = 'unknown')::integer) over () as unknown_share
        from {{ model }}
    ) as shared
    where {{ column_name }} = 'unknown' and unknown_share > 0.01
{% endtest %}
