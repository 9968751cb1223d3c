-- Roles, extension and schemas. Run before the migrations, safe to repeat.
-- cdp_owner owns every object and never logs in; the three others log in and are bound by row level security.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['cdp_owner', 'cdp_pipeline', 'cdp_transform', 'cdp_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I %s', wanted, case wanted when 'cdp_owner' then 'nologin' else 'login' end);
            -- From PostgreSQL 16 on, the creator may administer a role it made, but not act as it.
            if wanted = 'cdp_owner' then
                grant cdp_owner to current_user;
            end if;
        end if;
    end loop;
    -- The owner takes over the tables that dbt makes, which asks for both roles' rights.
    if not pg_has_role('cdp_owner', 'cdp_transform', 'member') then
        grant cdp_transform to cdp_owner;
    end if;
    if not exists (select from pg_extension where extname = 'vector') then
        create extension vector;
    end if;
    foreach wanted in array array[
        'ops', 'cdp', 'raw', 'staging', 'intermediate', 'marts', 'activation', 'embedding', 'datasets', 'audience'
    ] loop
        if not exists (select from pg_namespace where nspname = wanted) then
            execute format('create schema %I authorization cdp_owner', wanted);
        end if;
    end loop;
end
$$;

revoke create on schema public from public;
