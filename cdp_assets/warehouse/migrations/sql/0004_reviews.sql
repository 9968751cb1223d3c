-- Dataset E.
create table datasets.reviews_nlp (
    tenant_id text not null,
    review_id text not null,
    review_source text not null,
    customer_id text not null,
    article_id text,
    category_id bigint,
    rating double precision,
    review_text text,
    clean_text text,
    review_length bigint not null,
    created_at timestamptz not null,
    review_age_days bigint not null,
    language text not null,
    language_confidence double precision not null,
    sentiment_score double precision,
    sentiment_label text,
    sentiment_method text not null,
    sentiment_confidence double precision,
    rating_gap double precision,
    rating_sentiment_conflict boolean,
    aspects jsonb not null,
    toxicity_score double precision not null,
    pii_found boolean not null,
    is_spam boolean not null,
    spam_reasons jsonb not null,
    text_key text,
    duplicate_of text,
    verified_purchase boolean not null,
    bert_embedding_ref text,
    primary key (tenant_id, review_id)
);
create index reviews_nlp_article on datasets.reviews_nlp (tenant_id, article_id);
call ops.isolate('datasets.reviews_nlp');

comment on table datasets.reviews_nlp is 'One row per review or rating of LEO or the shop, written until the end of as_of';
comment on column datasets.reviews_nlp.article_id is 'Null for a survey about no article, unknown for one that is gone';
comment on column datasets.reviews_nlp.rating is 'Stars, 1 to 5; null without';
comment on column datasets.reviews_nlp.review_text is 'What was written, redacted: [email], [phone], [order], [number], [id], [link] stand for what was taken out. Null without a comment';
comment on column datasets.reviews_nlp.clean_text is 'Words of review_text in lower case with their accents, without punctuation, numbers and faces';
comment on column datasets.reviews_nlp.review_length is 'Words of clean_text';
comment on column datasets.reviews_nlp.language is 'vi, vi_noaccent (Vietnamese without accents), en, mixed, other, none (no comment, faces alone, or too little to tell)';
comment on column datasets.reviews_nlp.language_confidence is '0 to 1: share of the evidence for the answer, less the fewer words there are';
comment on column datasets.reviews_nlp.sentiment_score is '0 (bad) to 1 (good), 0.5 for none: (s / sqrt(s * s + 15) + 1) / 2, s the strengths of the clauses. Null without a text that can be read';
comment on column datasets.reviews_nlp.sentiment_label is 'negative below 0.4, neutral below 0.6, else positive';
comment on column datasets.reviews_nlp.sentiment_method is 'Who read it: vader (English), lexicon (Vietnamese, faces), lexicon+vader, none';
comment on column datasets.reviews_nlp.sentiment_confidence is 'Share of clauses with an opinion times language_confidence';
comment on column datasets.reviews_nlp.rating_gap is '(rating - 1) / 4 - sentiment_score: above 0 the stars are kinder than the words';
comment on column datasets.reviews_nlp.rating_sentiment_conflict is 'Whether rating_gap is more than 0.6 either way';
comment on column datasets.reviews_nlp.aspects is 'List of {aspect, score, label, term}, one per aspect that is named: the opinion of its clauses, null without, and the word that named it';
comment on column datasets.reviews_nlp.toxicity_score is 'Share of words that are insults or curses, by a word list';
comment on column datasets.reviews_nlp.pii_found is 'Whether an address, phone, order or other number was taken out';
comment on column datasets.reviews_nlp.spam_reasons is 'contact, repeated, burst (five of one person a day), too_short; empty when none';
comment on column datasets.reviews_nlp.text_key is 'Equal for texts with the same set of words, whatever their order, case and accents';
comment on column datasets.reviews_nlp.duplicate_of is 'The first review_id in which the same person said the same; null for that one';
comment on column datasets.reviews_nlp.verified_purchase is 'The writer had bought the article, in a sale, before writing';
comment on column datasets.reviews_nlp.bert_embedding_ref is 'entity_key in embedding.review_embedding, one vector per model; null for reviews of the shop, which have none';

create table datasets.review_products (
    tenant_id text not null,
    article_id text not null,
    category_id bigint,
    n_reviews bigint not null,
    n_texts bigint not null,
    rating_count bigint not null,
    rating_mean double precision,
    rating_std double precision,
    rating_bayes double precision,
    pct_negative double precision,
    sentiment_mean double precision,
    sentiment_std double precision,
    sentiment_recent double precision,
    conflict_count bigint not null,
    verified_count bigint not null,
    first_review_at timestamptz not null,
    last_review_at timestamptz not null,
    languages jsonb not null,
    aspects jsonb not null,
    top_complaints jsonb not null,
    primary key (tenant_id, article_id)
);
call ops.isolate('datasets.review_products');

comment on table datasets.review_products is 'One row per article with a review; duplicates and spam do not count';
comment on column datasets.review_products.rating_std is 'Standard deviation of the ratings: how much people disagree. Null below two';
comment on column datasets.review_products.rating_bayes is '(10 * mean rating of the category + sum of ratings) / (10 + number of ratings)';
comment on column datasets.review_products.pct_negative is 'Share of ratings of 2 stars or less, 0 to 1';
comment on column datasets.review_products.sentiment_recent is 'Mean sentiment_score, a review of 90 days counting half';
comment on column datasets.review_products.aspects is 'List of {aspect, n, score, negative, negative_low, negative_high}: mentions, mean score, negative mentions, and their share as an interval (Wilson, 95 %)';
comment on column datasets.review_products.top_complaints is 'Up to three aspects with three negative mentions or more, the surest first';
