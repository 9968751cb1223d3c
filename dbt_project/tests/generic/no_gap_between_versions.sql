{#- Versions of a product that overlap, leave a gap, do not reach from 1900 to 9999, or of which not exactly the last is
    current. -#}
{% test no_gap_between_versions(model) %}
    select *
    from (
        select
            *,
            lag(valid_to) over versions as previous_valid_to,
            lead(valid_from) over versions is null as is_last
        from {{ model }}
        window versions as (partition by tenant_id, product_key order by valid_from)
    ) as placed
    where
        valid_from <> coalesce(previous_valid_to, timestamptz '1900-01-01 00:00:00+00')
        or valid_from >= valid_to
        or is_current <> is_last
        or (is_last and valid_to <> timestamptz '9999-12-31 00:00:00+00')
{% endtest %}
