"""What the catalog says about isolation: the lint that holds for every object, however it came to be there.

Belongs here: reading grants, policies and roles, and naming what breaks a rule. Each finding begins with the name
of its rule. `tests/test_isolation_catalog.py` breaks every rule once.
"""

from __future__ import annotations

from tests.rows import OURS, Conn

ROLES = ("cdp_pipeline", "cdp_transform", "cdp_reader")
TENANT_PREDICATE = "(tenant_id = ( SELECT ops.current_tenant() AS current_tenant))"
NO_TENANT_DATA = ("ops.alembic_version",)
"""Relations without tenant_id: the version of the schema, and nothing else."""
NO_TENANT_PREDICATE = "(( SELECT ops.current_tenant() AS current_tenant) IS NULL)"
CONTROL_PLANE = ("ops.tenant", "registry", ["cdp_pipeline"], NO_TENANT_PREDICATE)
"""The one policy beside `tenant_isolation`: in a transaction for no tenant, the pipeline sees the registry."""
DEFINERS = {
    "embedding.add_partitions": ("cdp_pipeline",),
    "embedding.drop_partitions": ("cdp_pipeline",),
    "embedding.index_partition": ("cdp_pipeline",),
    "ops.adopt": ("cdp_transform",),
    "ops.default_currency": ("cdp_pipeline", "cdp_transform", "cdp_reader"),
}
"""Routines that run with the owner's rights, and who may call each: partitions come and go with models, tables that dbt
has made are taken from it, and views ask for an option of a registration that their readers may not see."""
TRANSFORM_SCHEMAS = ("staging", "intermediate", "marts")
"""Where dbt makes its relations, and the views stay its own."""

RELATIONS = f"""
    select c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name, c.relkind, c.relrowsecurity as rls,
        c.relforcerowsecurity as forced, c.reloptions, c.relispartition or c.relkind = 'p' as is_partitioned, exists (
            select from pg_attribute as a
            where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        ) as has_tenant
    from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and {OURS.format(oid="c.oid")}
"""
ROUTINES = f"""
    select p.oid, quote_ident(n.nspname) || '.' || quote_ident(p.proname) as name, p.prokind, p.prosecdef,
        p.pronargs - p.pronargdefaults as needed, p.proargtypes::regtype[]::text[] as arguments,
        coalesce(p.proargnames, '{{}}') as names, p.proconfig, p.prosrc,
        p.prorettype = 'trigger'::regtype as is_trigger, p.provolatile = 'i' as is_immutable,
        p.prosqlbody is not null as is_parsed
    from pg_proc as p inner join pg_namespace as n on n.oid = p.pronamespace
    where {OURS.format(oid="p.oid")}
"""

# rule -> query for the names of what breaks it
RULES = {
    "row security is enabled": f"""
        select name from ({RELATIONS}) as r where relkind in ('r', 'p') and has_tenant and not rls""",
    "row security is forced": f"""
        select name from ({RELATIONS}) as r where relkind in ('r', 'p') and has_tenant and not forced""",
    "every table has tenant_id": f"""
        select name from ({RELATIONS}) as r
        where relkind in ('r', 'p', 'f') and not has_tenant and name <> all(%(no_tenant_data)s)""",
    "the policy binds reading and writing": f"""
        select name from ({RELATIONS}) as r
        where relkind in ('r', 'p') and has_tenant and not exists (
            select from pg_policy as p
            where p.polrelid = r.oid and p.polpermissive and p.polcmd = '*' and p.polroles = '{{0}}'
                and pg_get_expr(p.polqual, p.polrelid) = %(predicate)s
                and pg_get_expr(p.polwithcheck, p.polrelid) = %(predicate)s
        )""",
    "no other policy widens it": f"""
        select r.name || ' ' || p.polname
        from ({RELATIONS}) as r inner join pg_policy as p on p.polrelid = r.oid and p.polpermissive
        where (coalesce(pg_get_expr(p.polqual, r.oid), '') <> %(predicate)s
            or coalesce(pg_get_expr(p.polwithcheck, r.oid), '') <> %(predicate)s)
            and (r.name, p.polname, array(select rolname::text from pg_roles where oid = any(p.polroles)),
                pg_get_expr(p.polqual, r.oid), pg_get_expr(p.polwithcheck, r.oid)) is distinct from
                (%(table)s, %(policy)s, %(policy_roles)s::text[], %(policy_predicate)s, %(policy_predicate)s)""",
    "unique keys begin with tenant_id": f"""
        select i.indexrelid::regclass::text
        from ({RELATIONS}) as r inner join pg_index as i on i.indrelid = r.oid and i.indisunique
        left join pg_attribute as a on a.attrelid = r.oid and a.attname = 'tenant_id'
        where r.has_tenant and a.attnum is distinct from i.indkey[0]
            -- a partition has rows of one tenant: there the tenant may stand last, and the key that is looked up first
            and not (r.is_partitioned and a.attnum = any(i.indkey))""",
    "foreign keys hold tenant_id": f"""
        select k.conname from ({RELATIONS}) as r inner join pg_constraint as k on k.conrelid = r.oid and k.contype = 'f'
        where not exists (
            select from pg_attribute as a
            where a.attrelid = r.oid and a.attnum = any(k.conkey) and a.attname = 'tenant_id'
        )""",
    "grants end at select, insert, update, delete": f"""
        select r.name || ' ' || g.privilege_type
        from ({RELATIONS}) as r inner join pg_class as c on c.oid = r.oid
        cross join lateral aclexplode(c.relacl) as g
        where g.grantee <> c.relowner and (g.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            or g.grantee = 0 or r.relkind = 'S')""",
    "runtime roles are plain": """
        select rolname from pg_roles where rolname = any(%(roles)s)
            and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)""",
    "runtime roles are members of nothing": """
        select r.rolname || ' ' || other.rolname from pg_roles as r
        inner join pg_roles as other on other.oid <> r.oid and pg_has_role(r.oid, other.oid, 'member')
        where r.rolname = any(%(roles)s)""",
    "runtime roles own nothing": """
        select pg_describe_object(classid, objid, objsubid) from pg_shdepend
        inner join pg_roles as r on refobjid = r.oid and rolname = any(%(roles)s)
        where deptype = 'o' and dbid in (0, (select oid from pg_database where datname = current_database()))
            and not (rolname = 'cdp_transform' and classid = 'pg_class'::regclass and exists (
                select from pg_class as c
                where c.oid = objid and c.relkind = 'v' and c.relnamespace::regnamespace::text = any(%(transform)s)
            ))""",
    "runtime roles create nothing": """
        select r || ' ' || n.nspname from unnest(%(roles)s::text[]) as r, pg_namespace as n
        where n.nspname !~ '^pg_' and has_schema_privilege(r, n.oid, 'CREATE')
            and not (r = 'cdp_transform' and n.nspname = any(%(transform)s))
        union all
        select r || ' ' || current_database() from unnest(%(roles)s::text[]) as r
        where has_database_privilege(r, current_database(), 'CREATE')""",
    "views run as their reader": f"""
        select name from ({RELATIONS}) as r
        where relkind = 'v' and not coalesce(reloptions && '{{security_invoker=true,security_invoker=on}}', false)""",
    "what row security cannot bind is granted to nobody": f"""
        select r.name || ' ' || role from ({RELATIONS}) as r, unnest(%(roles)s::text[]) as role
        where relkind in ('m', 'f') and has_table_privilege(role, r.oid, 'SELECT, INSERT, UPDATE, DELETE')""",
    "routines run as their caller": f"""
        select name from ({ROUTINES}) as f where prosecdef and name <> all(%(definers)s)""",
    # What a caller has put before the trusted schemas, or into pg_temp, would run with the owner's rights.
    "routines of the owner pin their search path": f"""
        select name from ({ROUTINES}) as f
        where prosecdef and proconfig is distinct from '{{"search_path=pg_catalog, public, pg_temp"}}'""",
    "routines of the owner refuse another tenant first": f"""
        select name from ({ROUTINES}) as f
        where prosecdef and (names[1] is distinct from 'p_tenant'
            or prosrc !~ '^\\s*(declare\\M[^$]*?;\\s*)?begin\\s+perform ops\\.require_tenant\\(p_tenant\\);')""",
    # Only a parsed body has dependencies; what a text body reads, the catalog does not know.
    "immutable routines read nothing": f"""
        select name from ({ROUTINES}) as f
        where is_immutable and (not is_parsed or exists (
            select from pg_depend as d
            left join pg_proc as p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
            where d.classid = 'pg_proc'::regclass and d.objid = f.oid
                and (d.refclassid = 'pg_class'::regclass or p.provolatile <> 'i')
        ))""",
    "routines of the owner are for the roles that need them": f"""
        select f.name || ' ' || role from ({ROUTINES}) as f, unnest(%(roles)s::text[]) as role
        where prosecdef and f.name || ' ' || role <> all(%(callers)s)
            and has_function_privilege(role, f.oid, 'execute')""",
}


def lint(conn: Conn) -> list[str]:
    """All findings, as `rule: object`; `conn` is a superuser's."""
    table, policy, policy_roles, policy_predicate = CONTROL_PLANE
    bind = {
        "roles": list(ROLES),
        "predicate": TENANT_PREDICATE,
        "no_tenant_data": list(NO_TENANT_DATA),
        "table": table,
        "policy": policy,
        "policy_roles": policy_roles,
        "policy_predicate": policy_predicate,
        "definers": list(DEFINERS),
        "callers": [f"{routine} {role}" for routine, roles in DEFINERS.items() for role in roles],
        "transform": list(TRANSFORM_SCHEMAS),
    }
    return [f"{rule}: {name}" for rule, query in RULES.items() for (name,) in conn.execute(query, bind)]
