{#- Views, replaced in place. dbt's own way (make another, rename, drop the old one with cascade) takes away every view
    on top of the one that is built, and leaves a moment in which another tenant's run finds nothing. -#}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        {{ get_create_view_as_sql(target_relation, sql) }}
    {%- endcall %}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=true) %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#- security_invoker: without it a view reads with the rights of its maker, and past the reader's row security.
    PostgreSQL replaces a view only when its old columns stay as they are; otherwise it is dropped with what stands on
    it, which the same run makes again. -#}
{% macro postgres__create_view_as(relation, sql) -%}
    do $view$
    begin
        create or replace view {{ relation }} with (security_invoker = true) as (
            {{ sql }}
        );
    exception when invalid_table_definition then
        drop view {{ relation }} cascade;
        create view {{ relation }} with (security_invoker = true) as (
            {{ sql }}
        );
    end
    $view$;
{%- endmacro %}
