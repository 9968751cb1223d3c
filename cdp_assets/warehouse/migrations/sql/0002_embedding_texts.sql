-- embedding: what is embedded. One view per entity gives the text of every live row and the hash that names it; no
-- name, e-mail, phone, address, government id or opaque id enters a text. A changed template takes the next version.

create function embedding.squeezed(p_text text) returns text
language sql immutable parallel safe
-- 8,000 characters are four times what the longest model reads; NFC, so that both ways of writing ạ are one text.
return nullif(rtrim(left(
    btrim(regexp_replace(normalize(p_text, nfc), '[\s[:cntrl:]]+', ' ', 'g')), 8000
)), '');

comment on function embedding.squeezed(text) is 'A text in NFC with single blanks, at most 8,000 characters; null when nothing is left';

create function embedding.is_plain(p_text text) returns boolean
language sql immutable parallel safe
-- Latin letters with Vietnamese ones, single blanks, and nothing that `redacted` would look for.
return length(p_text) between 1 and 8000 and p_text !~ (
    '[^ -~À-ÿĂăĐđĨĩŨũƠơƯưẠ-ỹ]|^ |  | $'
    || '|[0-9]([^[:alnum:]]*[0-9]){5}|@|[[(][Aa][Tt][])]|[A-Za-z0-9_]{16}|[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-'
    || '|[Ww]{3}\.|://|\.[A-Za-z]{2,}/|<[A-Za-z/]'
);

comment on function embedding.is_plain(text) is 'Whether a text is as `cleaned` would make it: one look instead of five rewrites, and nine texts in ten are';

create function embedding.redacted(p_text text) returns text
language sql immutable parallel safe
return regexp_replace(
    regexp_replace(
        regexp_replace(
            -- Signs without width, and controls, would hide a number. Full-width digits and @ become plain ones.
            regexp_replace(
                normalize(translate(p_text, U&'\00AD\200B\200E\200F\2060\FEFF', ''), nfkc), '[\s[:cntrl:]]+', ' ', 'g'
            ),
            -- markup
            '</?[a-z][^<>]*>', ' ', 'gi'
        ),
        -- addresses in the web, with or without a scheme
        '([a-z]+://|www\.)\S+|[a-z0-9-]+\.[a-z]{2,}/\S*'
        -- e-mails, also as: lan [at] example.com
        || '|[^\s,;<>"]+\s*[[(]at[])]\s*[^\s,;<>"]+'
        || '|[^\s,;<>"]+\s+@\s+[^\s,;<>"]*\.[^\s,;<>"]+|[^\s,;<>"]*@[^\s,;<>"]*'
        -- tokens and UUIDs; keys: 16 and more signs that mix digits with letters, or 21 and more of one kind
        || '|eyJ[a-z0-9_]{13,}[a-z0-9_-]*(\.[a-z0-9_-]+)+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
        || '|(?=[a-z_]*[0-9])(?=[0-9_]*[a-z])[a-z0-9_]{16,}|[a-z0-9_]{21,}'
        -- passports: up to three letters, then six digits or more
        || '|\m[a-z]{1,3}-?[0-9]{6,}',
        ' ', 'gi'
    ),
    -- phones, government ids, cards, dates of birth: seven digits or more, however they are spaced, also as keycaps
    -- (digit, U+FE0F, U+20E3). Last, since what went before may have stood between the digits.
    '[+(]*[0-9]([]\s.()[/_*·•–—\u200C\u200D\uFE0F\u20E3-]*[0-9]){6,}[\uFE0F\u20E3]*', ' ', 'g'
);

comment on function embedding.redacted(text) is 'A free text without markup, web addresses, e-mails, phones, card and government numbers and opaque ids';

create function embedding.cleaned(p_text text) returns text
language sql immutable parallel safe
return case
    when embedding.is_plain(p_text) then p_text else embedding.squeezed(embedding.redacted(p_text))
end;

comment on function embedding.cleaned(text) is 'What a text of the source becomes before it enters a template: redacted and squeezed; null when nothing is left';

create function embedding.sorted(p_items text[]) returns text
language sql immutable parallel safe
return (
    select
        string_agg(
            distinct embedding.cleaned(listed.item) collate "C", ', '
            order by embedding.cleaned(listed.item) collate "C"
        )
    from unnest(p_items) as listed (item)
);

comment on function embedding.sorted(text[]) is 'Items cleaned, in order, each once';

create function embedding.listed(p_label text, p_items text[]) returns text
language sql immutable parallel safe
-- A call of `sorted` costs 10 microseconds, and most sets of a profile have one item or none.
return p_label || ': ' || case
    when cardinality(p_items) = 1 then embedding.cleaned(p_items[1])
    when cardinality(p_items) > 1 then embedding.sorted(p_items)
end;

comment on function embedding.listed(text, text[]) is 'A set as text, whose order in the source changes nothing; null when empty';

create function embedding.joined(p_parts text[]) returns text
language sql immutable parallel safe
return nullif(rtrim(left(array_to_string(p_parts, '. '), 8000)), '');

comment on function embedding.joined(text[]) is 'Cleaned parts as one text, nulls left out; null when nothing is left';

create function embedding.text_hash(p_version integer, p_text text) returns bytea
language sql immutable parallel safe
return sha256(convert_to(p_version || E'\n' || p_text, 'UTF8'));

comment on function embedding.text_hash(integer, text) is 'What names a text: SHA-256 over template version and text. Equal texts of two entities have one hash, and are embedded once';

create function embedding.product_text(
    p_title text, p_brand text, p_category text, p_keywords text[], p_description text
) returns text
language sql immutable parallel safe
return embedding.joined(array[
    embedding.cleaned(p_title), 'brand: ' || embedding.cleaned(p_brand),
    'category: ' || embedding.cleaned(p_category), embedding.listed('keywords', p_keywords),
    embedding.cleaned(p_description)
]);

comment on function embedding.product_text(text, text, text, text[], text) is 'What is said of a product; null when nothing is';

create view embedding.profile_text with (security_invoker = true) as
select
    p.tenant_id,
    p.cdp_profile_id as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from cdp.customer_profile as p
-- A function in `from` runs once per row: in `select` it would run again for the hash, and for whether there is a text.
cross join
    lateral embedding.joined(array[
        embedding.listed('jobs', p.job_titles), embedding.listed('labels', p.data_labels),
        embedding.listed('interests', p.content_keywords), embedding.listed('products', p.product_keywords),
        embedding.listed('channels', p.media_channels), 'stage: ' || embedding.cleaned(p.funnel_stage),
        -- the source keeps sexual orientation in this attribute: that stays out
        'gender: ' || case when p.gender in ('female', 'male') then p.gender end,
        'age: ' || embedding.cleaned(p.age_group),
        -- a number in a city is that of a house
        'city: ' || case when p.city !~ '[0-9]' then embedding.cleaned(p.city) end,
        'country: ' || case when p.country !~ '[0-9]' then embedding.cleaned(p.country) end,
        'language: ' || embedding.cleaned(p.language)
    ]) as said (content)
where p.deleted_at is null
    and p.status = 'active'
    and p.root_profile_id = p.cdp_profile_id
    and said.content is not null;
comment on view embedding.profile_text is 'One row per active profile that is not merged into another: interests and attributes. Segments are left out: they move every hour, and a lookalike of a segment would find the segment';

create view embedding.product_text with (security_invoker = true) as
select
    p.tenant_id,
    p.product_key as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from cdp.product_item as p
cross join lateral embedding.product_text(p.title, p.brand, p.category, p.keywords, p.description) as said (content)
where p.deleted_at is null and p.status <> 'deleted' and said.content is not null;
comment on view embedding.product_text is 'One row per product that is not deleted: title, brand, category, keywords, description';

create view embedding.transaction_text with (security_invoker = true) as
select
    x.tenant_id,
    x.txn_id as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from cdp.transactional_context as x
inner join cdp.product_item as p on x.tenant_id = p.tenant_id and x.product_key = p.product_key
cross join
    lateral embedding.joined(array[
        coalesce(embedding.cleaned(x.txn_type), 'transaction') || ': '
        || embedding.product_text(p.title, p.brand, p.category, p.keywords, p.description)
    ]) as said (content)
where x.deleted_at is null and said.content is not null;
comment on view embedding.transaction_text is 'One row per transaction whose product is known: what was done with which product. Ids, amounts and times are left out, so that purchases of one product share one vector';

create view embedding.review_text with (security_invoker = true) as
select
    f.tenant_id,
    f.feedback_id as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from cdp.feedback as f
cross join lateral embedding.cleaned(f.comment) as said (content)
where f.deleted_at is null and f.status <> 'deleted' and said.content is not null;
comment on view embedding.review_text is 'One row per review with a comment: the comment, contact data and numbers removed';

create view embedding.marketing_event_text with (security_invoker = true) as
select
    e.tenant_id,
    e.marketing_event_id as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from activation.marketing_event as e
cross join
    lateral embedding.joined(array[
        embedding.cleaned(e.name), 'type: ' || embedding.cleaned(e.event_type), 'channel: ' || e.channel,
        embedding.cleaned(e.description)
    ]) as said (content)
where e.deleted_at is null and e.status <> 'cancelled' and said.content is not null;
comment on view embedding.marketing_event_text is 'One row per marketing event that is not cancelled: name, type, channel, description';

create function embedding.entities() returns text[]
language sql immutable parallel safe
return array['profile', 'transaction', 'product', 'review', 'marketing_event'];

create function embedding.texts(p_entity text, p_keys text[])
returns table (entity_key text, content text, text_hash bytea)
language plpgsql stable set enable_nestloop = on as $$
begin
    if p_entity <> all (embedding.entities()) then
        raise exception 'unknown entity %, known are %', p_entity, embedding.entities();
    end if;
    return query execute format(
        'select v.entity_key, v.content, v.text_hash from embedding.%I as v where v.tenant_id = $1 %s',
        p_entity || '_text', case when p_keys is not null then 'and v.entity_key = any($2)' end
    ) using ops.current_tenant(), p_keys;
end
$$;

comment on function embedding.texts(text, text[]) is 'Current texts of an entity: of these keys, or of all when null. A key without a row has no text, and must have no vector';
