-- embedding: models, vectors, jobs. Vectors stand apart from their entities, so that a change of an attribute never
-- touches a vector or its index; each model of each tenant has a partition of its own, so that no index is shared.

create table embedding.model (
    tenant_id text not null,
    model_id text not null check (model_id ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    provider text not null,
    name text not null,
    revision text not null,
    dimension integer not null check (dimension between 1 and 4000),
    passage_prefix text not null default '',
    query_prefix text not null default '',
    created_at timestamptz not null default now(),
    primary key (tenant_id, model_id)
);
comment on table embedding.model is 'One row per tenant and embedding model. Every model that stands here is kept in step with the texts, whether it serves or not';

create table embedding.active_model (
    tenant_id text not null primary key,
    model_id text not null,
    previous_model_id text,
    activated_at timestamptz not null default now()
);
comment on table embedding.active_model is 'One row per tenant: the model that serves searches, and the one before it. Changed in one statement';

create table embedding.job (
    tenant_id text not null,
    model_id text not null,
    entity text not null check (entity = any(array['profile', 'transaction', 'product', 'review', 'marketing_event'])),
    entity_key text not null collate "C",
    text_hash bytea not null,
    generation bigint not null default 1,
    available_at timestamptz not null default clock_timestamp(),
    worker text,
    attempts smallint not null default 0,
    crashes smallint not null default 0,
    error text,
    dead_at timestamptz,
    enqueued_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, model_id, entity, entity_key)
);
create index job_available on embedding.job (tenant_id, model_id, entity, available_at) where dead_at is null;
comment on table embedding.job is 'One row per text that has no vector yet, and model. worker holds it until available_at (its lease); generation moves with every change of the text and every claim, and only its holder may complete it; dead_at: given up, waits for a person';

create table embedding.retired_vector (
    tenant_id text not null,
    model_id text not null,
    text_hash bytea not null,
    embedding public.vector not null,
    retired_at timestamptz not null default now(),
    primary key (tenant_id, model_id, text_hash)
);
comment on table embedding.retired_vector is 'One row per text that has left with its product, transaction or marketing event, kept 30 days in case it returns. Nothing of profiles and reviews is kept here';

create table embedding.probe (
    tenant_id text not null,
    model_id text not null,
    entity text not null,
    probed_at timestamptz not null default clock_timestamp(),
    vectors bigint not null,
    mean_similarity double precision,
    neighbours jsonb not null default '{}',
    primary key (tenant_id, model_id, entity, probed_at)
);
comment on table embedding.probe is 'One row per tenant, model, entity and fill that changed something: mean similarity of sampled texts and who is near whom among them, for comparison with the next fill. The newest 30 are kept';

do $$
declare
    target text;
begin
    foreach target in array embedding.entities() loop
        -- The model last: in a partition it is equal in all rows, and need never be compared.
        execute format(
            'create table embedding.%I (tenant_id text not null, model_id text not null, entity_key text not null '
            'collate "C", text_hash bytea not null, embedding public.vector not null, embedded_at timestamptz not '
            'null default now(), primary key (tenant_id, entity_key, model_id)) partition by list (tenant_id)',
            target || '_embedding');
        -- With the tenant, which row level security asks for: else the planner may prefer the primary key, and read
        -- the whole partition for one text.
        execute format('create index on embedding.%I (text_hash, tenant_id)', target || '_embedding');
        execute format(
            'comment on table embedding.%I is %L', target || '_embedding',
            format('One row per %s and model: the vector of its text, of unit length. Partitioned by tenant, then by '
                'model', replace(target, '_', ' ')));
        -- vectors do not compress; trying costs more than the rest of the write
        execute format('alter table embedding.%I alter embedding set storage external', target || '_embedding');
        call ops.isolate(format('embedding.%I', target || '_embedding')::regclass);
    end loop;
    foreach target in array array['model', 'active_model', 'job', 'retired_vector', 'probe'] loop
        call ops.isolate(format('embedding.%I', target)::regclass);
    end loop;
end
$$;
