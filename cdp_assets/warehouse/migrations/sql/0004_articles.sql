-- Dataset B.
create table datasets.articles_content (
    tenant_id text not null,
    article_id text not null,
    sku text,
    prod_name text,
    product_group_name text,
    brand text,
    detail_desc text,
    desc_lang text not null,
    desc_len bigint not null,
    price numeric,
    currency text,
    price_log double precision,
    normalized_price double precision,
    price_pct_in_category double precision,
    price_robust_z double precision,
    stock bigint,
    normalized_stock double precision,
    stock_bucket text,
    category_id bigint,
    category_name text,
    parent_category_id bigint,
    root_category_id bigint,
    category_depth bigint,
    category_path text,
    lifecycle_days bigint,
    created_at timestamptz,
    last_updated timestamptz,
    content_hash text not null,
    attr_hash text not null,
    price_hash text not null,
    bert_embedding_ref text,
    primary key (tenant_id, article_id)
);
call ops.isolate('datasets.articles_content');

comment on table datasets.articles_content is 'One row per article of LEO or the shop that was known until the end of as_of';
comment on column datasets.articles_content.sku is 'Stock code in capitals, without blanks around it';
comment on column datasets.articles_content.desc_lang is 'Language of the description, or of the name without one: vi, vi_noaccent, en, mixed, other, none';
comment on column datasets.articles_content.desc_len is 'Letters of the description';
comment on column datasets.articles_content.price is 'Price of one piece at the time of the run, in currency; its history is in marts.dim_products';
comment on column datasets.articles_content.price_log is 'ln(1 + price)';
comment on column datasets.articles_content.normalized_price is '(price - min) / (max - min + 0.0001) among prices of the currency';
comment on column datasets.articles_content.price_pct_in_category is 'Share of the other articles of category and currency that are cheaper, ties half, 0 to 1; null for one alone';
comment on column datasets.articles_content.price_robust_z is '(price - median) / interquartile range, among articles of category and currency; null where that range is 0';
comment on column datasets.articles_content.stock is 'Pieces at the time of the run; null where only LEO knows the article';
comment on column datasets.articles_content.normalized_stock is '(stock - min) / (max - min + 0.0001) among all articles';
comment on column datasets.articles_content.stock_bucket is 'out (none), low (below 5), in';
comment on column datasets.articles_content.category_depth is '0 for a root, of any depth; null without a category, and in a cycle';
comment on column datasets.articles_content.category_path is 'Names from the root down, joined by > ; the group name where the tree has no place';
comment on column datasets.articles_content.lifecycle_days is 'Days from created_at to as_of';
comment on column datasets.articles_content.last_updated is 'Null where the last change came after as_of';
comment on column datasets.articles_content.content_hash is 'SHA-256 of name, description, group and brand: another hash, another vector';
comment on column datasets.articles_content.attr_hash is 'SHA-256 of stock code and category';
comment on column datasets.articles_content.price_hash is 'SHA-256 of price and currency';
comment on column datasets.articles_content.bert_embedding_ref is 'entity_key in embedding.product_embedding, one vector per model; null where LEO does not know the article';

create table datasets.articles_tfidf (
    tenant_id text not null,
    article_id text not null,
    tfidf_vector_ref bigint not null,
    n_terms bigint not null,
    norm double precision not null,
    content_hash text not null,
    primary key (tenant_id, article_id)
);
call ops.isolate('datasets.articles_tfidf');

comment on table datasets.articles_tfidf is 'One row per article with its place in tfidf.npz of the published version';
comment on column datasets.articles_tfidf.tfidf_vector_ref is 'Row of the matrix, from 0';
comment on column datasets.articles_tfidf.n_terms is 'Words and pieces of words with a weight; 0 when none is in a second article';
comment on column datasets.articles_tfidf.norm is 'Length of the vector: 1, or 0 without a term';
comment on column datasets.articles_tfidf.content_hash is 'Of the text that was read: articles_content.content_hash';

create table datasets.articles_image_vectors (
    tenant_id text not null,
    article_id text not null,
    model_id text not null,
    model_revision text not null,
    modality text not null,
    dim bigint not null,
    vector public.vector not null,
    vector_norm double precision not null,
    image_sha256 text not null,
    primary key (tenant_id, article_id, model_id)
);
call ops.isolate('datasets.articles_image_vectors');

comment on table datasets.articles_image_vectors is 'One row per article with an image, and model. Without an index: one would be shared by tenants, and the articles of one tenant are compared in a tenth of a second per 100,000';
comment on column datasets.articles_image_vectors.model_id is 'Name, dimension and fingerprint of the model: another id, another space. Texts embedded by the same model can be compared with these vectors, those of embedding.* cannot';
comment on column datasets.articles_image_vectors.model_revision is 'Commit of a model of the hub, or hash of the files of a local one';
comment on column datasets.articles_image_vectors.modality is 'image';
comment on column datasets.articles_image_vectors.dim is 'Components of the vector';
comment on column datasets.articles_image_vectors.vector is 'Of length 1, six decimals: vector <=> other is 1 minus the cosine';
comment on column datasets.articles_image_vectors.vector_norm is 'Length of the vector';
comment on column datasets.articles_image_vectors.image_sha256 is 'Of the bytes of the image; the same bytes are never embedded twice by one model';
