-- audience: segments of LEO, each row of one segment of one tenant.

create table audience.segment_snapshot (
    tenant_id text not null,
    segment_id text not null collate "C",
    snapshot bigint not null check (snapshot > 0),
    segment_name text,
    definition_hash text not null,
    members bigint not null,
    added bigint not null,
    removed bigint not null,
    members_hash text not null,
    taken_at timestamptz not null default now(),
    run_id text not null,
    primary key (tenant_id, segment_id, snapshot)
);
call ops.isolate('audience.segment_snapshot');
comment on table audience.segment_snapshot is 'One row per snapshot of a segment; a new one is taken only when members or definition differ from the last';
comment on column audience.segment_snapshot.snapshot is '1 for the first, then counted up';
comment on column audience.segment_snapshot.definition_hash is 'SHA-256 of the rules in LEO by which the segment was filled';
comment on column audience.segment_snapshot.added is 'Members that the snapshot before did not have';
comment on column audience.segment_snapshot.removed is 'Members of the snapshot before that are not in this one';
comment on column audience.segment_snapshot.members_hash is 'SHA-256 over the customer_id of all members, in order, a line each';

create table audience.segment_member (
    tenant_id text not null,
    segment_id text not null collate "C",
    customer_id text not null collate "C",
    from_snapshot bigint not null,
    until_snapshot bigint check (until_snapshot > from_snapshot),
    cdp_profile_id text not null,
    joined_at timestamptz not null,
    primary key (tenant_id, segment_id, customer_id, from_snapshot)
);
create unique index segment_member_current on audience.segment_member (tenant_id, segment_id, customer_id)
where until_snapshot is null;
call ops.isolate('audience.segment_member');
comment on table audience.segment_member is 'One row per stay of a customer in a segment, from one snapshot to another; audience.members gives the members of one snapshot';
comment on column audience.segment_member.from_snapshot is 'First snapshot with this member';
comment on column audience.segment_member.until_snapshot is 'First snapshot without this member again; null: in the newest';
comment on column audience.segment_member.cdp_profile_id is 'The profile of LEO that is in the segment; the smallest id where several of one customer are';
comment on column audience.segment_member.joined_at is 'When the pipeline first saw the profile in the segment';

create function audience.members(p_segment text, p_snapshot bigint default null)
returns table (customer_id text, cdp_profile_id text)
language sql stable as $$
    select m.customer_id, m.cdp_profile_id
    from audience.segment_member as m
    where m.tenant_id = ops.current_tenant() and m.segment_id = p_segment
        and case
            when p_snapshot is null then m.until_snapshot is null
            else m.from_snapshot <= p_snapshot and (m.until_snapshot is null or m.until_snapshot > p_snapshot)
        end
$$;
comment on function audience.members(text, bigint) is 'Members of a snapshot of a segment; of the newest when no number is given';

create function audience.members_hash(p_segment text, p_snapshot bigint default null) returns text
language sql stable as $$
    select encode(sha256(convert_to(coalesce(string_agg(m.customer_id, E'\n' order by m.customer_id), ''), 'UTF8')), 'hex')
    from audience.members(p_segment, p_snapshot) as m
$$;
comment on function audience.members_hash(text, bigint) is 'SHA-256 over the members of a snapshot: customer_id in order, a line each';

create table audience.segment_features (
    tenant_id text not null,
    segment_id text not null collate "C",
    feature text not null,
    level text not null,
    members_known bigint not null,
    customers_known bigint not null,
    value double precision,
    customers_value double precision,
    difference double precision,
    primary key (tenant_id, segment_id, feature, level)
);
call ops.isolate('audience.segment_features');
comment on table audience.segment_features is 'One row per segment and feature (and level of a feature in words): members beside all customers';
comment on column audience.segment_features.feature is 'Column of datasets.customer_features';
comment on column audience.segment_features.level is 'Value of a feature in words whose share is told; empty for a number, whose mean is told';
comment on column audience.segment_features.members_known is 'Members of whom the feature is known';
comment on column audience.segment_features.customers_known is 'Customers of the tenant of whom it is known';
comment on column audience.segment_features.value is 'Mean, or share of the level, over the members';
comment on column audience.segment_features.customers_value is 'The same over all customers';
comment on column audience.segment_features.difference is '(value - customers_value) / standard deviation over all customers; null where all are alike';

create table audience.segment_funnel (
    tenant_id text not null,
    segment_id text not null collate "C",
    funnel_id text not null,
    step bigint not null,
    event_type text not null,
    count_by text not null,
    entries bigint not null,
    open bigint not null,
    rate_first double precision,
    customers_entries bigint not null,
    customers_rate_first double precision,
    first_day date not null,
    last_day date not null,
    primary key (tenant_id, segment_id, funnel_id, step)
);
call ops.isolate('audience.segment_funnel');
comment on table audience.segment_funnel is 'One row per segment, funnel and step: how far the members'' entries of the last 30 days got, beside those of all customers';
comment on column audience.segment_funnel.count_by is 'What an entry is: of a session, or of a visitor and day';
comment on column audience.segment_funnel.entries is 'Entries of members that reached the step';
comment on column audience.segment_funnel.open is 'Those of them that got no further yet, and still can';
comment on column audience.segment_funnel.rate_first is 'Share of the members'' entries into the funnel; null without any';
comment on column audience.segment_funnel.customers_entries is 'Entries of everybody that reached the step, visitors who are not known included';
comment on column audience.segment_funnel.customers_rate_first is 'Share of everybody''s entries into the funnel';
comment on column audience.segment_funnel.first_day is 'First day of entry that counts';
comment on column audience.segment_funnel.last_day is 'Last day of entry that counts: the newest that there is';

create table audience.segment_lookalike (
    tenant_id text not null,
    segment_id text not null collate "C",
    place bigint not null check (place > 0),
    customer_id text not null,
    cdp_profile_id text not null,
    score double precision not null,
    model_id text not null,
    primary key (tenant_id, segment_id, place)
);
call ops.isolate('audience.segment_lookalike');
comment on table audience.segment_lookalike is 'One row per place: the customers nearest to the centre of the members'' vectors, members left out';
comment on column audience.segment_lookalike.score is 'Cosine to the centre: 1 is the same direction';
comment on column audience.segment_lookalike.model_id is 'Embedding model by which they are near';
