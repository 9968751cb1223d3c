-- embedding: search and lookalikes, for every role that may read. A result comes from one partition, so from one model.

create function embedding.search(
    p_entity text, p_query public.vector, p_k integer default 10, p_model text default null,
    p_without text[] default '{}'
)
returns table (entity_key text, score double precision, model_id text)
language plpgsql stable as $$
declare
    tenant constant text := ops.current_tenant();
    without constant text[] := array_remove(coalesce(p_without, '{}'), null);
    query constant public.vector := public.l2_normalize(p_query);
    model text;
    dims integer;
    leaf text;
    wanted integer;
    others text := '';
    candidates text := 'select v.entity_key, v.embedding <=> $1 as distance from embedding.%1$I as v where true %4$s '
        'order by distance, v.entity_key limit $4';
begin
    if (p_entity = any(embedding.entities())) is not true then
        raise exception 'unknown entity %, known are %', p_entity, embedding.entities();
    end if;
    if (p_k between 1 and 10000) is not true then
        raise exception 'k is %, it must be between 1 and 10,000', p_k;
    end if;
    select m.model_id, m.dimension into model, dims
    from embedding.model as m
    where m.tenant_id = tenant and m.model_id = coalesce(
        p_model, (select a.model_id from embedding.active_model as a where a.tenant_id = tenant)
    );
    if model is null then
        raise exception 'tenant % has no %', coalesce(tenant, 'none'), coalesce('model ' || p_model, 'active model')
        using hint = 'materialize its embeddings, or name one of the models in embedding.model';
    end if;
    if (public.vector_dims(query) = dims) is not true then
        raise exception 'the query has % dimensions, model % has %', public.vector_dims(query), model, dims;
    end if;
    if public.vector_norm(query) = 0 then
        raise exception 'the query is a zero vector, which is near to nothing';
    end if;
    leaf := embedding.leaf(p_entity, tenant, model);
    if cardinality(without) > 0 then
        others := 'and v.entity_key <> all($3)';
    end if;
    -- Above 1,000 candidates an exact scan finds more and takes about as long: the keys to be left out of a lookalike
    -- are the nearest ones, so that an index would have to go through them all. Five more than wanted: the index ranks
    -- at half precision, what it finds is ranked again.
    wanted := p_k + cardinality(without) + 5;
    if wanted <= 1005 and to_regclass(format('embedding.%I', leaf || '_texts')) is not null then
        perform set_config('hnsw.ef_search', least(greatest(60, 2 * wanted), 1000)::text, true);
        -- iterative: rows that were deleted a moment ago are still in the graph, and count as found otherwise
        perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
        candidates := 'select v.entity_key, v.distance from (select t.text_hash from embedding.%2$I as t '
            'order by t.embedding <=> $1::public.halfvec(%3$s) limit $5) as t '
            'cross join lateral (select v.entity_key, v.embedding <=> $1 as distance from embedding.%1$I as v '
            'where v.text_hash = t.text_hash %4$s limit $4) as v';
    end if;
    return query execute format(
        'select n.entity_key, 1 - n.distance, $2 from (' || candidates || ') as n '
        'order by n.distance, n.entity_key limit $4', leaf, leaf || '_texts', dims, others
    ) using query, model, without, p_k, wanted;
end
$$;

comment on function embedding.search(text, public.vector, integer, text, text[]) is 'The k entities whose texts are nearest to a query vector by cosine (score: 1 is the same direction), of the active model or the one named, some keys left out; exact below the index threshold';

create function embedding.vector_of(p_entity text, p_key text, p_model text default null)
returns public.vector
language plpgsql stable as $$
declare
    tenant constant text := ops.current_tenant();
    model constant text := coalesce(
        p_model, (select a.model_id from embedding.active_model as a where a.tenant_id = tenant)
    );
    leaf constant text := embedding.leaf(p_entity, tenant, model);
    found public.vector;
begin
    if (p_entity = any(embedding.entities())) is not true then
        raise exception 'unknown entity %, known are %', p_entity, embedding.entities();
    end if;
    if leaf is null or to_regclass(format('embedding.%I', leaf)) is null then
        raise exception 'tenant % has no %', coalesce(tenant, 'none'), coalesce('model ' || p_model, 'active model')
        using hint = 'materialize its embeddings, or name one of the models in embedding.model';
    end if;
    execute format('select v.embedding from embedding.%I as v where v.tenant_id = $1 and v.entity_key = $2', leaf)
    into found using tenant, p_key;
    return found;
end
$$;

comment on function embedding.vector_of(text, text, text) is 'Vector of one entity under the active model or the one named; null when it has none';

create function embedding.similar(p_entity text, p_key text, p_k integer default 10)
returns table (entity_key text, score double precision, model_id text)
language plpgsql stable as $$
declare
    seed constant public.vector := embedding.vector_of(p_entity, p_key);
begin
    if seed is null then
        raise exception 'this % has no vector', p_entity
        using hint = 'it has no text, was deleted, or its job is still open (embedding.job)';
    end if;
    return query select n.entity_key, n.score, n.model_id
    from embedding.search(p_entity, seed, p_k, null, array[p_key]) as n;
end
$$;

comment on function embedding.similar(text, text, integer) is 'The k entities nearest to one of their kind, itself left out';

create function embedding.lookalike(p_profiles text[], p_k integer default 100)
returns table (entity_key text, score double precision, model_id text)
language plpgsql stable as $$
declare
    model constant text := (
        select a.model_id from embedding.active_model as a where a.tenant_id = ops.current_tenant()
    );
    centre public.vector;
begin
    if model is null then
        raise exception 'tenant % has no active model', coalesce(ops.current_tenant(), 'none')
        using hint = 'materialize its embeddings';
    end if;
    execute format(
        'select public.avg(v.embedding) from embedding.%I as v where v.tenant_id = $1 and v.entity_key = any($2)',
        embedding.leaf('profile', ops.current_tenant(), model)
    ) into centre using ops.current_tenant(), p_profiles;
    if centre is null then
        raise exception 'none of the % seed profiles has a vector', cardinality(p_profiles)
        using hint = 'merged and vanished profiles have none; name the profile that they were merged into';
    end if;
    return query select n.entity_key, n.score, n.model_id
    from embedding.search('profile', centre, p_k, model, p_profiles) as n;
end
$$;

comment on function embedding.lookalike(text[], integer) is 'The k profiles nearest to the centre of the seeds, the seeds left out';

create function embedding.lookalike_segment(p_segment text, p_k integer default 100)
returns table (entity_key text, score double precision, model_id text)
language plpgsql stable as $$
declare
    seeds constant text[] := array(
        select m.cdp_profile_id from cdp.profile_segment as m
        where m.tenant_id = ops.current_tenant() and m.segment_id = p_segment and m.left_at is null
    );
begin
    if cardinality(seeds) = 0 then
        raise exception 'segment % has no members, or there is no such segment', p_segment;
    end if;
    return query select l.entity_key, l.score, l.model_id from embedding.lookalike(seeds, p_k) as l;
end
$$;

comment on function embedding.lookalike_segment(text, integer) is 'The k profiles nearest to the centre of a segment''s members, members left out';
