-- activation: what marketers plan. Campaigns, audiences and deliveries come with the stage of that name.

create table activation.marketing_event (
    tenant_id text not null,
    marketing_event_id text not null collate "C",
    campaign_id text,
    name text not null,
    description text,
    event_type text not null,
    channel text not null check (channel in ('email', 'sms', 'web_push', 'app_push', 'ads', 'social', 'store')),
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    status text not null default 'planned' check (status in ('planned', 'running', 'done', 'cancelled')),
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (tenant_id, marketing_event_id),
    check (ends_at >= starts_at)
);
call ops.isolate('activation.marketing_event');

comment on table activation.marketing_event is 'One row per planned marketing event of a tenant: what is said, on which channel, from when until when';
