{#- Survivorship: the value of the first member (by `place`) that has one; `given` asks for another column to be there,
    such as the key that only a valid value has. -#}
{% macro first_of(column, given=none) -%}
    (array_agg({{ column }} order by place) filter (where {{ given or column }} is not null))[1]
{%- endmacro %}
