-- Set-based derivations of the landing stage. Each is idempotent, writes only rows that differ, and returns how many.
-- All run as the caller, under row level security, for the tenant of the transaction.

create function ops.require_tenant(p_tenant text) returns text
language plpgsql stable as $$
begin
    if p_tenant is distinct from ops.current_tenant() then
        raise exception 'the transaction is open for tenant %, the call is for %',
            coalesce(ops.current_tenant(), 'none'), p_tenant
        using hint = 'open the transaction with set_config(''app.tenant_id'', tenant, true)';
    end if;
    return p_tenant;
end
$$;

create function cdp.resolve_profiles(p_tenant text) returns bigint
language plpgsql set enable_nestloop = off as $$
-- Hash joins only, for the reason given at refresh_profile_segment: right after a first load of 100,000 profiles with
-- 5,000 merges, nested loops took 33 s instead of one.
-- root_profile_id: follow merged_into to the last profile that is still there. A profile that is not merged, whose
-- winner is missing, or that stands in a circle of merges, speaks for itself.
declare
    written bigint;
begin
    perform ops.require_tenant(p_tenant);
    with recursive chain as (
        select p.cdp_profile_id as start, p.cdp_profile_id as reached, p.merged_into as next
        from cdp.customer_profile as p
        where p.tenant_id = p_tenant and p.deleted_at is null and p.merged_into is not null
        union all
        select c.start, w.cdp_profile_id, w.merged_into
        from chain as c
        inner join cdp.customer_profile as w
            on w.tenant_id = p_tenant and w.cdp_profile_id = c.next and w.deleted_at is null
    ) cycle reached set is_circle using visited,
    roots as (
        select distinct on (start) start, case when bool_or(is_circle) over (partition by start) then start else reached end as root
        from chain
        order by start, cardinality(visited) desc
    ),
    wanted as (
        select p.cdp_profile_id, coalesce(r.root, p.cdp_profile_id) as root
        from cdp.customer_profile as p
        left join roots as r on r.start = p.cdp_profile_id
        where p.tenant_id = p_tenant and p.deleted_at is null
            and (p.merged_into is not null or p.root_profile_id <> p.cdp_profile_id)
    )
    update cdp.customer_profile as p
    set root_profile_id = w.root, changed_at = now()
    from wanted as w
    where p.tenant_id = p_tenant and p.cdp_profile_id = w.cdp_profile_id and p.root_profile_id <> w.root;
    get diagnostics written = row_count;
    return written;
end
$$;

create function cdp.resolve_transactions(p_tenant text, p_keys text[] default null) returns bigint
language plpgsql as $$
-- Owner and status of transactions: the owner is the root of the profile that the edge names, the status that of the
-- order's newest tracking event with a known status. Only rows that can differ from the default are looked at, and
-- they are found through arrays, which the planner takes as keys of an index: the cost follows the number of merges
-- and of adverse orders, not the table (as one statement with joins it read the table twice, 0.35 s per 60,000 rows).
declare
    merged text[];
    adverse text[];
    candidates text[];
    written bigint;
begin
    perform ops.require_tenant(p_tenant);
    merged := array(
        select cdp_profile_id from cdp.customer_profile
        where tenant_id = p_tenant and deleted_at is null and root_profile_id <> cdp_profile_id
    );
    adverse := array(
        select distinct transaction_id from cdp.tracking_event
        where tenant_id = p_tenant and deleted_at is null and order_status is not null
            and order_status <> 'completed' and transaction_id is not null
    );
    if p_keys is null then
        candidates := array(
            select t.txn_id from cdp.transactional_context as t
            where t.tenant_id = p_tenant and t.source_profile_id = any(merged)
            union
            select t.txn_id from cdp.transactional_context as t
            where t.tenant_id = p_tenant and t.transaction_id = any(adverse)
            union
            select t.txn_id from cdp.transactional_context as t
            where t.tenant_id = p_tenant and (t.cdp_profile_id <> t.source_profile_id or t.txn_status <> 'completed')
        );
    else
        candidates := array(
            select t.txn_id from cdp.transactional_context as t
            where t.tenant_id = p_tenant and t.txn_id = any(p_keys)
                and (
                    t.source_profile_id = any(merged) or t.transaction_id = any(adverse)
                    or t.cdp_profile_id <> t.source_profile_id or t.txn_status <> 'completed'
                )
        );
    end if;
    if cardinality(candidates) = 0 then
        return 0;
    end if;
    with wanted as (
        select
            t.txn_id,
            coalesce((
                select p.root_profile_id from cdp.customer_profile as p
                where p.tenant_id = p_tenant and p.cdp_profile_id = t.source_profile_id and p.deleted_at is null
            ), t.source_profile_id) as owner,
            coalesce((
                select e.order_status from cdp.tracking_event as e
                where e.tenant_id = p_tenant and e.transaction_id = t.transaction_id and e.deleted_at is null
                    and e.order_status is not null
                order by e.event_at desc, e.event_id desc limit 1
            ), 'completed') as status
        from cdp.transactional_context as t
        where t.tenant_id = p_tenant and t.txn_id = any(candidates)
    )
    update cdp.transactional_context as t
    set cdp_profile_id = w.owner, txn_status = w.status, changed_at = now()
    from wanted as w
    where t.tenant_id = p_tenant and t.txn_id = w.txn_id and t.txn_id = any(candidates)
        and (t.cdp_profile_id, t.txn_status) is distinct from (w.owner, w.status);
    get diagnostics written = row_count;
    return written;
end
$$;

create function cdp.resolve_events(p_tenant text, p_keys text[] default null) returns bigint
language plpgsql as $$
-- Owner of rows in cdp.tracking_event: the root of the profile that the document names.
declare
    merged text[];
    candidates text[];
    written bigint;
begin
    perform ops.require_tenant(p_tenant);
    merged := array(
        select cdp_profile_id from cdp.customer_profile
        where tenant_id = p_tenant and deleted_at is null and root_profile_id <> cdp_profile_id
    );
    if p_keys is null then
        candidates := array(
            select t.event_id from cdp.tracking_event as t
            where t.tenant_id = p_tenant and t.source_profile_id = any(merged)
            union
            select t.event_id from cdp.tracking_event as t
            where t.tenant_id = p_tenant and t.cdp_profile_id is distinct from t.source_profile_id
        );
    else
        candidates := array(
            select t.event_id from cdp.tracking_event as t
            where t.tenant_id = p_tenant and t.event_id = any(p_keys)
                and (t.source_profile_id = any(merged) or t.cdp_profile_id is distinct from t.source_profile_id)
        );
    end if;
    if cardinality(candidates) = 0 then
        return 0;
    end if;
    with wanted as (
        select
            t.event_id,
            coalesce((
                select p.root_profile_id from cdp.customer_profile as p
                where p.tenant_id = p_tenant and p.cdp_profile_id = t.source_profile_id and p.deleted_at is null
            ), t.source_profile_id) as owner
        from cdp.tracking_event as t
        where t.tenant_id = p_tenant and t.event_id = any(candidates)
    )
    update cdp.tracking_event as t
    set cdp_profile_id = w.owner, changed_at = now()
    from wanted as w
    where t.tenant_id = p_tenant and t.event_id = w.event_id and t.event_id = any(candidates)
        and t.cdp_profile_id is distinct from w.owner;
    get diagnostics written = row_count;
    return written;
end
$$;

create function cdp.resolve_feedback(p_tenant text, p_keys text[] default null) returns bigint
language plpgsql as $$
-- Owner of rows in cdp.feedback: the root of the profile that the document names.
declare
    merged text[];
    candidates text[];
    written bigint;
begin
    perform ops.require_tenant(p_tenant);
    merged := array(
        select cdp_profile_id from cdp.customer_profile
        where tenant_id = p_tenant and deleted_at is null and root_profile_id <> cdp_profile_id
    );
    if p_keys is null then
        candidates := array(
            select t.feedback_id from cdp.feedback as t
            where t.tenant_id = p_tenant and t.source_profile_id = any(merged)
            union
            select t.feedback_id from cdp.feedback as t
            where t.tenant_id = p_tenant and t.cdp_profile_id is distinct from t.source_profile_id
        );
    else
        candidates := array(
            select t.feedback_id from cdp.feedback as t
            where t.tenant_id = p_tenant and t.feedback_id = any(p_keys)
                and (t.source_profile_id = any(merged) or t.cdp_profile_id is distinct from t.source_profile_id)
        );
    end if;
    if cardinality(candidates) = 0 then
        return 0;
    end if;
    with wanted as (
        select
            t.feedback_id,
            coalesce((
                select p.root_profile_id from cdp.customer_profile as p
                where p.tenant_id = p_tenant and p.cdp_profile_id = t.source_profile_id and p.deleted_at is null
            ), t.source_profile_id) as owner
        from cdp.feedback as t
        where t.tenant_id = p_tenant and t.feedback_id = any(candidates)
    )
    update cdp.feedback as t
    set cdp_profile_id = w.owner, changed_at = now()
    from wanted as w
    where t.tenant_id = p_tenant and t.feedback_id = w.feedback_id and t.feedback_id = any(candidates)
        and t.cdp_profile_id is distinct from w.owner;
    get diagnostics written = row_count;
    return written;
end
$$;

create function cdp.refresh_profile_segment(p_tenant text) returns table (joined bigint, departed bigint)
language plpgsql set enable_nestloop = off set enable_mergejoin = off as $$
-- Hash joins only: row level security makes the planner expect one row per tenant, and a nested loop over a large
-- tenant's rows then takes hours instead of a second. A merge join goes by the profile alone and compares each of its
-- segments with each: one profile with 20,000 took 30 seconds instead of 0.05.
-- Membership as LEO defines it: the segment stands in the profile's inSegments, and the profile is active.
begin
    perform ops.require_tenant(p_tenant);
    return query
    with member as (
        select distinct p.cdp_profile_id, s.segment_id
        from cdp.customer_profile as p
        cross join lateral unnest(p.segment_ids) as s (segment_id)
        where p.tenant_id = p_tenant and p.deleted_at is null and p.status = 'active'
    ),
    current_stay as (
        select cdp_profile_id, segment_id from cdp.profile_segment where tenant_id = p_tenant and left_at is null
    ),
    ended as (
        update cdp.profile_segment as s
        set left_at = greatest(now(), s.joined_at)
        where s.tenant_id = p_tenant and s.left_at is null
            and not exists (
                select from member as m
                where m.cdp_profile_id = s.cdp_profile_id and m.segment_id = s.segment_id
            )
        returning 1
    ),
    begun as (
        insert into cdp.profile_segment (tenant_id, cdp_profile_id, segment_id, joined_at)
        select p_tenant, m.cdp_profile_id, m.segment_id, now()
        from member as m
        where not exists (
            select from current_stay as c
            where c.cdp_profile_id = m.cdp_profile_id and c.segment_id = m.segment_id
        )
        returning 1
    )
    select (select count(*) from begun), (select count(*) from ended);
end
$$;

create function cdp.refresh_consent(p_tenant text) returns table (written bigint, removed bigint)
language plpgsql set enable_nestloop = off as $$
-- One decision per active profile and channel over the profile and everything merged into it: any -1 denies, else an
-- explicit 1 grants, else unset. LEO's own merge only ever raises consent and forgets a loser's refusal; a merged
-- profile that the source has removed since still counts here, since a refusal does not lapse with its record.
-- For that reason the chain of merges is followed here anew: root_profile_id ends where a profile has been removed.
-- An agreement does lapse: it counts only while the profile, and each one it was merged through, is still there.
begin
    perform ops.require_tenant(p_tenant);
    return query
    with recursive chain as (
        select
            p.cdp_profile_id as speaker, p.cdp_profile_id as speaks_for, p.merged_into as next,
            p.deleted_at is null as is_live
        from cdp.customer_profile as p
        where p.tenant_id = p_tenant
        union all
        select c.speaker, w.cdp_profile_id, w.merged_into, c.is_live and w.deleted_at is null
        from chain as c
        inner join cdp.customer_profile as w on w.tenant_id = p_tenant and w.cdp_profile_id = c.next
    ) cycle speaks_for set is_circle using visited,
    said as (
        select
            s.speaks_for as cdp_profile_id, c.channel,
            array_agg(p.cdp_profile_id order by p.cdp_profile_id) filter (where c.value < 0) as refused_by,
            array_agg(p.cdp_profile_id order by p.cdp_profile_id) filter (where c.value > 0 and s.is_live)
                as agreed_by
        from chain as s
        inner join cdp.customer_profile as p on p.tenant_id = p_tenant and p.cdp_profile_id = s.speaker
        cross join lateral (values
            ('email', p.receive_email), ('sms', p.receive_sms), ('web_push', p.receive_web_push),
            ('app_push', p.receive_app_push), ('ads', p.receive_ads)
        ) as c (channel, value)
        where not s.is_circle
        group by s.speaks_for, c.channel
    ),
    wanted as (
        select
            s.cdp_profile_id, s.channel,
            case
                when s.refused_by is not null then 'denied'
                when s.agreed_by is not null then 'granted'
                else 'unset'
            end as decision,
            coalesce(s.refused_by, s.agreed_by, '{}') as decided_by
        from said as s
        inner join cdp.customer_profile as p
            on p.tenant_id = p_tenant and p.cdp_profile_id = s.cdp_profile_id and p.deleted_at is null
            and p.status = 'active'
    ),
    upserted as (
        insert into cdp.consent as c (tenant_id, cdp_profile_id, channel, decision, decided_by)
        select p_tenant, w.cdp_profile_id, w.channel, w.decision, w.decided_by from wanted as w
        on conflict (tenant_id, cdp_profile_id, channel) do update
        set decision = excluded.decision, decided_by = excluded.decided_by, changed_at = now()
        where (c.decision, c.decided_by) is distinct from (excluded.decision, excluded.decided_by)
        returning 1
    ),
    dropped as (
        delete from cdp.consent as c
        where c.tenant_id = p_tenant and not exists (
            select from wanted as w where w.cdp_profile_id = c.cdp_profile_id and w.channel = c.channel
        )
        returning 1
    )
    select (select count(*) from upserted), (select count(*) from dropped);
end
$$;
