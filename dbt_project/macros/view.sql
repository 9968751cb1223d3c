{#- Views, replaced in place and only when their SQL is another. dbt's own way (make another, rename, drop the old one with
    cascade) takes away every view on top of the one that is built, and leaves a moment in which another tenant's run
    finds nothing; replacing an equal one would still wait for every query that reads it. The comment remembers. -#}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set made_from = 'dbt ' ~ local_md5(sql) -%}
    {% call statement('made_from', fetch_result=true) -%}
        select obj_description(to_regclass('{{ target_relation.include(database=false) }}'), 'pg_class')
    {%- endcall %}
    {% if load_result('made_from')['data'][0][0] == made_from %}
        {% call noop_statement('main', 'VIEW AS IT WAS') %}{% endcall %}
    {% else %}
        {{ run_hooks(pre_hooks) }}
        {% call statement('main') -%}
            {{ get_create_view_as_sql(target_relation, sql) }}
            comment on view {{ target_relation }} is '{{ made_from }}';
        {%- endcall %}
        {% do apply_grants(target_relation, config.get('grants'), should_revoke=true) %}
        {{ run_hooks(post_hooks) }}
        {% do adapter.commit() %}
    {% endif %}
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
