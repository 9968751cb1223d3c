{#- The rows that point to the unknown member, once they are more than one in fifty: a frequent buyer who asks to be
    erased held 1.6 % of a small shop's orders. -#}
{% test mostly_known(model, column_name) %}
    select *
    from (
        select
            *,
            avg(({{ column_name }} = 'unknown')::integer) over () as unknown_share
        from {{ model }}
    ) as shared
    where {{ column_name }} = 'unknown' and unknown_share > 0.02
{% endtest %}
