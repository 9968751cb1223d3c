-- Dataset A.
create table datasets.user_item_interactions (
    tenant_id text not null,
    customer_id text not null,
    article_id text not null,
    purchase_count bigint not null,
    total_spent numeric not null,
    first_purchase_date date not null,
    last_purchase_date date not null,
    recency_days bigint not null,
    time_weighted_score double precision not null,
    hyperbolic_score double precision not null,
    primary key (tenant_id, customer_id, article_id)
);
call ops.isolate('datasets.user_item_interactions');
