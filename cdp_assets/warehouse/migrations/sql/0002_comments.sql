-- What columns of this release's tables mean, shown in the Dagster UI. Columns whose name says all have no comment.
do $$
declare
    target record;
begin
    for target in
        select c.oid::regclass as relation, a.attname, d.description
        from (values
            ('tenant_id', 'Tenant; first part of every key'),
            ('model_id', 'Model of the tenant, see embedding.model'),
            ('entity', 'profile, transaction, product, review or marketing_event'),
            ('entity_key', 'Key of the entity in its source table'),
            ('text_hash', 'SHA-256 over template version and text: equal texts have equal hashes'),
            ('embedding', 'Vector of the text, of unit length; as many dimensions as its model says'),
            ('embedded_at', 'When the vector was written'),
            ('content', 'The text, without contact data, numbers of persons and opaque ids')
        ) as d (attname, description)
        inner join pg_attribute as a on a.attname = d.attname and a.attnum > 0 and not a.attisdropped
        inner join pg_class as c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'v') and not c.relispartition
        inner join pg_namespace as n on n.oid = c.relnamespace and n.nspname in ('activation', 'embedding')
    loop
        execute format('comment on column %s.%I is %L', target.relation, target.attname, target.description);
    end loop;
end
$$;

comment on column activation.marketing_event.campaign_id is 'Campaign that it belongs to, if any; never part of its text';
comment on column activation.marketing_event.event_type is 'Kind of event in the planner''s words: sale, launch, meeting';
comment on column activation.marketing_event.status is 'planned, running, done or cancelled; a cancelled event has no vector';
comment on column activation.marketing_event.changed_at is 'When the warehouse last wrote the row; unchanged rows are not written';
comment on column activation.marketing_event.deleted_at is 'When the plan dropped the event; null: it is there';

comment on column embedding.model.model_id is 'Short name, made from provider, name, revision and dimension';
comment on column embedding.model.provider is 'Who embeds: bundled, sentence-transformers, openai, vertex or placeholder';
comment on column embedding.model.name is 'Name of the model as its provider knows it';
comment on column embedding.model.revision is 'Version of the weights, or what the provider says of it';
comment on column embedding.model.dimension is 'Numbers in each vector';
comment on column embedding.model.passage_prefix is 'Put before each text that is embedded';
comment on column embedding.model.query_prefix is 'Put before each query that is embedded';
comment on column embedding.active_model.model_id is 'Serves searches';
comment on column embedding.active_model.previous_model_id is 'Served before; a rollback goes here';
comment on column embedding.job.text_hash is 'Text that the vector is wanted for';
comment on column embedding.job.generation is 'Moves with every change of the text and every claim; who claimed an older one may not complete';
comment on column embedding.job.available_at is 'Open: not to be claimed before. Claimed: end of the lease';
comment on column embedding.job.worker is 'Who holds it; null: nobody';
comment on column embedding.job.attempts is 'Attempts that failed since the text last changed; being told to wait is none';
comment on column embedding.job.crashes is 'Leases that ran out: their workers died';
comment on column embedding.job.error is 'Why the last attempt failed, without the text';
comment on column embedding.job.dead_at is 'When it was given up and left to a person; null: it is open';
comment on column embedding.retired_vector.retired_at is 'When the last entity with this text left';
comment on column embedding.probe.probed_at is 'When the fill ended';
comment on column embedding.probe.vectors is 'Vectors of the entity then';
comment on column embedding.probe.mean_similarity is 'Mean cosine of sampled pairs; null below two vectors';
comment on column embedding.probe.neighbours is 'Sampled key -> its nearest ten keys, best first';
