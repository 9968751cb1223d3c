-- Dataset E: a tenant's own rated reviews may teach how its texts are read.
comment on column datasets.reviews_nlp.sentiment_score is '0 (bad) to 1 (good), 0.5 for none. Of the lexicons: (s / sqrt(s * s + 15) + 1) / 2, s the strengths of the clauses. Of a learned model: P(positive) + P(neutral) / 2, by a model that never saw this review''s stars. Null without a text that can be read';
comment on column datasets.reviews_nlp.sentiment_method is 'What read it: learned (the model of the tenant''s own rated reviews), vader (English), lexicon (Vietnamese, faces), lexicon+vader, none';
comment on column datasets.reviews_nlp.sentiment_confidence is 'Of the lexicons: share of clauses with an opinion times language_confidence. Of a learned model: probability of the likeliest label';
