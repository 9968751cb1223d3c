-- Dataset A.
create table datasets.user_item_interactions (
    tenant_id text not null,
    customer_id text not null,
    article_id text not null,
    purchase_count bigint not null,
    return_count bigint not null,
    other_currency_count bigint not null,
    total_spent numeric not null,
    avg_price_paid numeric,
    first_purchase_date date,
    last_purchase_date date,
    recency_days bigint,
    time_weighted_score double precision not null,
    hyperbolic_score double precision not null,
    decayed_purchase_score double precision not null,
    last_sales_channel text,
    n_view bigint not null,
    n_click bigint not null,
    n_wishlist bigint not null,
    n_cart bigint not null,
    n_remove bigint not null,
    rating double precision,
    last_interaction_date date not null,
    implicit_weight double precision not null,
    confidence double precision not null,
    is_outlier boolean not null,
    primary key (tenant_id, customer_id, article_id)
);
call ops.isolate('datasets.user_item_interactions');

comment on table datasets.user_item_interactions is 'One row per customer and article with any signal: bought, returned, rated, carted, wished for, clicked, viewed';
comment on column datasets.user_item_interactions.purchase_count is 'Sale lines in whatever currency, returned or not; 0 where the article was never bought';
comment on column datasets.user_item_interactions.return_count is 'Negative sale lines: what was taken back, or booked off';
comment on column datasets.user_item_interactions.other_currency_count is 'Those of purchase_count whose money is not in total_spent, since it is not the main currency of the tenant';
comment on column datasets.user_item_interactions.total_spent is 'Sum of sale lines in the main currency, returns taken off; below 0 where only the return is known';
comment on column datasets.user_item_interactions.avg_price_paid is 'Money per line bought in the main currency, before returns; null where there is none';
comment on column datasets.user_item_interactions.first_purchase_date is 'Day of the tenant; null where never bought, as last_purchase_date and recency_days';
comment on column datasets.user_item_interactions.recency_days is 'Days from last_purchase_date to as_of';
comment on column datasets.user_item_interactions.time_weighted_score is 'purchase_count * exp(-recency_days / 30)';
comment on column datasets.user_item_interactions.hyperbolic_score is 'purchase_count / (1 + 0.1 * recency_days)';
comment on column datasets.user_item_interactions.decayed_purchase_score is 'Sum of exp(-age in days / 30) over the lines bought';
comment on column datasets.user_item_interactions.last_sales_channel is 'Channel of the latest line bought, of equal times the highest key; null where never bought';
comment on column datasets.user_item_interactions.n_view is 'Events of the article page; purchases are counted by their lines, not by events';
comment on column datasets.user_item_interactions.n_remove is 'Times that it was taken out of the cart';
comment on column datasets.user_item_interactions.rating is 'Latest rating from 1 to 5; null where not rated';
comment on column datasets.user_item_interactions.last_interaction_date is 'Day of the latest signal of any kind';
comment on column datasets.user_item_interactions.implicit_weight is 'Sum of strength * 0.95 ^ age in days: view 1, click 2, wishlist 3, cart 4, purchase 6, remove -2, return -6, rating less 3';
comment on column datasets.user_item_interactions.confidence is '1 + 40 * ln(1 + implicit_weight), implicit_weight from 0: Hu, Koren, Volinsky';
comment on column datasets.user_item_interactions.is_outlier is 'The busiest day of the customer is above the 99.9th percentile of all customers: a reseller or a robot; flagged, not left out';
