-- Roles, extension and schemas. Run before the migrations, safe to repeat.
-- cdp_owner owns every object and never logs in; the three others log in and are bound by row level security.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['cdp_owner', 'cdp_pipeline', 'cdp_transform', 'cdp_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I %s', wanted, case wanted when 'cdp_owner' then 'nologin' else 'login' end);
        end if;
    end loop;
    if not pg_has_role(current_user, 'cdp_owner', 'member') then
        execute format('grant cdp_owner to %I', current_user);
    end if;
    if not exists (select from pg_extension where extname = 'vector') then
        create extension vector;
    end if;
    foreach wanted in array array['ops', 'cdp'] loop
        if not exists (select from pg_namespace where nspname = wanted) then
            execute format('create schema %I authorization cdp_owner', wanted);
        end if;
    end loop;
end
$$;

revoke create on schema public from public;
