-- embedding: what is embedded. One view per entity gives the text of every live row and the hash that names it; no
-- name, e-mail, phone, address, government id or opaque id enters a text. A changed template takes the next version.

create function embedding.squeezed(p_text text) returns text
language sql immutable parallel safe
-- 8,000 characters are four times what the longest model reads; NFC, so that both ways of writing ạ are one text.
return nullif(rtrim(left(
    btrim(regexp_replace(normalize(p_text, nfc), '[\s[:cntrl:]]+', ' ', 'g')), 8000
)), '');

comment on function embedding.squeezed(text) is 'A text in NFC with single blanks, at most 8,000 characters; null when nothing is left';

create function embedding.redacted(p_text text) returns text
language sql immutable parallel safe
return (
    select
        -- Most texts hold nothing to remove, and one look at them costs a tenth of six.
        case when plain.content ~* '[0-9]([^[:alnum:]]*[0-9]){5}|@|[[(]at[])]|[a-z0-9_]{16}|www\.|\.[a-z]{2,}/|<[a-z/]' then
            regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
                plain.content,
                '</?[a-z][^<>]*>', ' ', 'gi'),
                -- addresses in the web first, with or without a scheme: they may hold any of the others
                '(https?://|www\.)\S+|[a-z0-9-]+\.[a-z]{2,}/\S*', ' ', 'gi'),
                '[^\s,;<>"]+\s?[[(]at[])]\s?[^\s,;<>"]+|[^\s,;<>"]+\s?@\s?[^\s,;<>"]*\.[^\s,;<>"]+|[^\s,;<>"]*@[^\s,;<>"]*',
                ' ', 'gi'),
                -- tokens, UUIDs and keys: 16 and more signs that mix digits with letters, or 21 and more of one kind
                'eyJ[[:alnum:]_-]+(\.[[:alnum:]_-]+)+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
                '|(?=[a-z_]*[0-9])(?=[0-9_]*[a-z])[a-z0-9_]{16,}|[a-z0-9_]{21,}', ' ', 'gi'),
                -- passports: up to three letters, then six digits or more
                '\m[a-z]{1,3}-?[0-9]{6,}', ' ', 'gi'),
                -- phones, government ids, cards, dates of birth: seven digits or more, however they are spaced
                '[+(]*[0-9]([]\s.()[/_*·•–—-]*[0-9]){6,}', ' ', 'g')
        else plain.content end
    -- Signs without width would hide a number from the patterns. Full-width digits and @ become plain ones.
    from (select normalize(translate(p_text, U&'\00AD\200B\200E\200F\2060\FEFF', ''), nfkc)) as plain (content)
);

comment on function embedding.redacted(text) is 'A free text without markup, web addresses, e-mails, phones, card and government numbers and opaque ids';

create function embedding.cleaned(p_text text) returns text
language sql immutable parallel safe
return embedding.squeezed(embedding.redacted(p_text));

comment on function embedding.cleaned(text) is 'What a text of the source becomes before it enters a template: redacted and squeezed; null when nothing is left';

create function embedding.listed(p_label text, p_items text[]) returns text
language sql immutable parallel safe
return (
    select p_label || ': ' || string_agg(cleaned.item, ', ' order by cleaned.item collate "C")
    from (select distinct embedding.cleaned(listed.item) from unnest(p_items) as listed (item)) as cleaned (item)
);

comment on function embedding.listed(text, text[]) is 'A set as text: cleaned, sorted, each item once, so that its order in the source changes nothing; null when empty';

create function embedding.text_hash(p_version integer, p_text text) returns bytea
language sql immutable parallel safe
return sha256(convert_to(p_version || E'\n' || p_text, 'UTF8'));

comment on function embedding.text_hash (integer, text) is 'What names a text: SHA-256 over template version and text. Equal texts of two entities have one hash, and are embedded once';

create function embedding.product_text(
    p_title text, p_brand text, p_category text, p_keywords text[], p_description text
) returns text
language sql immutable parallel safe
return embedding.squeezed(concat_ws(
    '. ', embedding.cleaned(p_title), 'brand: ' || embedding.cleaned(p_brand),
    'category: ' || embedding.cleaned(p_category), embedding.listed('keywords', p_keywords),
    embedding.cleaned(p_description)
));

comment on function embedding.product_text(text, text, text, text[], text) is 'What is said of a product; null when nothing is';

create view embedding.profile_text with (security_invoker = true) as
select
    p.tenant_id,
    p.cdp_profile_id as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from cdp.customer_profile as p
-- `offset 0` here and below: the text is made once, not again for its hash and for the question whether there is one
cross join lateral (
    select
        embedding.squeezed(concat_ws(
            '. ', embedding.listed('jobs', p.job_titles), embedding.listed('labels', p.data_labels),
            embedding.listed('interests', p.content_keywords), embedding.listed('products', p.product_keywords),
            embedding.listed('channels', p.media_channels), 'stage: ' || embedding.cleaned(p.funnel_stage),
            -- the source keeps sexual orientation in this attribute: that stays out
            'gender: ' || case when p.gender in ('female', 'male') then p.gender end, 'age: ' || p.age_group,
            -- a number in a city is that of a house
            'city: ' || case when p.city !~ '[0-9]' then embedding.cleaned(p.city) end,
            'country: ' || case when p.country !~ '[0-9]' then embedding.cleaned(p.country) end,
            'language: ' || embedding.cleaned(p.language)
        )) as content
    offset 0
) as said
where p.deleted_at is null and p.status = 'active' and p.root_profile_id = p.cdp_profile_id and said.content is not null;
comment on view embedding.profile_text is 'One row per active profile that is not merged into another: interests and attributes. Segments are left out: they move every hour, and a lookalike of a segment would find the segment';

create view embedding.product_text with (security_invoker = true) as
select
    p.tenant_id,
    p.product_key as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from cdp.product_item as p
cross join lateral (
    select embedding.product_text(p.title, p.brand, p.category, p.keywords, p.description) as content
    offset 0
) as said
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
cross join lateral (
    select
        embedding.squeezed(
            concat_ws(': ', embedding.cleaned(x.txn_type), product.content)
        ) as content
    from (select embedding.product_text(p.title, p.brand, p.category, p.keywords, p.description)) as product (content)
    where product.content is not null
    offset 0
) as said
where x.deleted_at is null and said.content is not null;
comment on view embedding.transaction_text is 'One row per transaction whose product is known: what was done with which product. Ids, amounts and times are left out, so that purchases of one product share one vector';

create view embedding.review_text with (security_invoker = true) as
select
    f.tenant_id,
    f.feedback_id as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from cdp.feedback as f
cross join lateral (select embedding.cleaned(f.comment) as content offset 0) as said
where f.deleted_at is null and f.status <> 'deleted' and said.content is not null;
comment on view embedding.review_text is 'One row per review with a comment: the comment, contact data and numbers removed';

create view embedding.marketing_event_text with (security_invoker = true) as
select
    e.tenant_id,
    e.marketing_event_id as entity_key,
    said.content,
    embedding.text_hash(1, said.content) as text_hash
from activation.marketing_event as e
cross join lateral (
    select
        embedding.squeezed(concat_ws(
            '. ', embedding.cleaned(e.name), 'type: ' || embedding.cleaned(e.event_type), 'channel: ' || e.channel,
            embedding.cleaned(e.description)
        )) as content
    offset 0
) as said
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

comment on function embedding.texts (text, text[]) is 'Current texts of an entity: of these keys, or of all when null. A key without a row has no text, and must have no vector';
