-- Least privilege for what this release adds. Readers may search and read texts; the queue, retired vectors and probes
-- are the pipeline's alone. Partitions get the grants of their parent when they are made.
grant usage on schema activation, embedding to cdp_pipeline, cdp_transform, cdp_reader;
grant select, insert, update, delete on activation.marketing_event,
embedding.profile_embedding, embedding.transaction_embedding, embedding.product_embedding,
embedding.review_embedding, embedding.marketing_event_embedding,
embedding.model, embedding.active_model, embedding.job, embedding.retired_vector, embedding.probe
to cdp_pipeline;
grant select on
embedding.profile_text, embedding.transaction_text, embedding.product_text, embedding.review_text,
embedding.marketing_event_text
to cdp_pipeline, cdp_transform, cdp_reader;
grant select on activation.marketing_event,
embedding.profile_embedding, embedding.transaction_embedding, embedding.product_embedding,
embedding.review_embedding, embedding.marketing_event_embedding, embedding.model, embedding.active_model
to cdp_transform, cdp_reader;

revoke execute on all functions in schema embedding from public;
revoke execute on all procedures in schema embedding from public;
grant execute on all functions in schema embedding to cdp_pipeline;
grant execute on procedure embedding.add_partitions(text, text), embedding.drop_partitions(text, text),
embedding.index_partition(text, text, text) to cdp_pipeline;
grant execute on function
embedding.squeezed(text), embedding.is_plain(text), embedding.redacted(text), embedding.cleaned(text),
embedding.sorted(text[]), embedding.listed(text, text[]), embedding.joined(text[]),
embedding.text_hash(integer, text), embedding.product_text(text, text, text, text[], text), embedding.entities(),
embedding.leaf(text, text, text), embedding.search(text, public.vector, integer, text, text[]),
embedding.vector_of(text, text, text),
embedding.similar(text, text, integer), embedding.lookalike(text[], integer),
embedding.lookalike_segment(text, integer)
to cdp_transform, cdp_reader;
