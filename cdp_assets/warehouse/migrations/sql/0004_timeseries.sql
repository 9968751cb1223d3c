-- Dataset D: sales per series and day, per series and week, and what is expected.
create table datasets.timeseries_daily (
    tenant_id text not null,
    level text not null,
    series_id text not null,
    article_id text,
    category_id text,
    date date not null,
    daily_sales bigint not null,
    daily_sales_other_currency bigint not null,
    daily_units bigint not null,
    daily_revenue numeric not null,
    avg_price double precision,
    daily_returns bigint not null,
    daily_refunds numeric not null,
    unique_customers bigint not null,
    is_observed boolean not null,
    weekday smallint not null,
    month smallint not null,
    year smallint not null,
    is_weekend boolean not null,
    is_payday boolean not null,
    holiday_flag boolean not null,
    days_to_holiday smallint,
    days_from_holiday smallint,
    is_tet_window boolean not null,
    shopping_day text,
    promo_flag boolean not null,
    promo_depth double precision,
    rolling_7 double precision not null,
    rolling_30 double precision not null,
    trend_score double precision not null,
    lag_1 bigint,
    lag_7 bigint,
    lag_14 bigint,
    lag_28 bigint,
    lag_364 bigint,
    rolling_7_lag1 double precision,
    rolling_28_lag1 double precision,
    rolling_91_lag1 double precision,
    rolling_364_lag1 double precision,
    rolling_std_28_lag1 double precision,
    zero_share_28_lag1 double precision,
    ewm_7_lag1 double precision,
    ewm_28_lag1 double precision,
    same_weekday_mean_4 double precision,
    primary key (tenant_id, level, series_id, date)
);
call ops.isolate('datasets.timeseries_daily');

comment on table datasets.timeseries_daily is 'One row per level, series and day, from the first sale to the last whole day, without gaps';
comment on column datasets.timeseries_daily.level is 'total, root_category, category, article (the 1,000 most sold of the last 364 days) or rest (other articles of a category); articles and rest add up to categories, categories to roots, roots to the total';
comment on column datasets.timeseries_daily.series_id is 'all, or the key of the root category, category or article';
comment on column datasets.timeseries_daily.article_id is 'Of level article only';
comment on column datasets.timeseries_daily.category_id is 'Category of an article as it is today: shop:<number>, leo:<name> where only LEO names one, or unknown; null at levels total and root_category';
comment on column datasets.timeseries_daily.date is 'Day in the tenant''s time zone';
comment on column datasets.timeseries_daily.daily_sales is 'Lines of accepted orders in any currency, without returns';
comment on column datasets.timeseries_daily.daily_sales_other_currency is 'Those of daily_sales in another than the main currency: their money is in no column';
comment on column datasets.timeseries_daily.daily_units is 'Pieces of daily_sales';
comment on column datasets.timeseries_daily.daily_revenue is 'Money of daily_sales in the tenant''s main currency, before returns';
comment on column datasets.timeseries_daily.avg_price is 'Revenue per piece in the main currency, carried forward from the last day with a sale; null before the first, and at other levels than article';
comment on column datasets.timeseries_daily.daily_returns is 'Lines with a negative amount or quantity';
comment on column datasets.timeseries_daily.daily_refunds is 'Money given back in the main currency, positive';
comment on column datasets.timeseries_daily.unique_customers is 'Known customers who bought; they do not add up over series or days';
comment on column datasets.timeseries_daily.is_observed is 'False: nothing happened, the zeros were filled in';
comment on column datasets.timeseries_daily.weekday is 'Monday 0 to Sunday 6';
comment on column datasets.timeseries_daily.is_payday is '5th, 15th, 25th and last day of the month';
comment on column datasets.timeseries_daily.holiday_flag is 'Public holiday of the tenant''s default_region, official days off in their stead included';
comment on column datasets.timeseries_daily.days_to_holiday is 'To the next, 0 on one; null where no holidays are known';
comment on column datasets.timeseries_daily.is_tet_window is '21 days before to 7 after the lunar new year, in Vietnam';
comment on column datasets.timeseries_daily.shopping_day is 'double_day (1.1. to 12.12.), black_friday, women_day (8.3.), vietnamese_women_day (20.10.), teachers_day (20.11.); null on others';
comment on column datasets.timeseries_daily.promo_flag is 'A promotion of the shop ran at some time of the day; promotions cover everything it sells';
comment on column datasets.timeseries_daily.promo_depth is 'Share off of the deepest promotion, 0 without one, null where no discount is said';
comment on column datasets.timeseries_daily.rolling_7 is 'Mean of daily_sales over the day and the 6 before: holds the day itself, not for predicting it';
comment on column datasets.timeseries_daily.rolling_30 is 'As rolling_7, over 30 days';
comment on column datasets.timeseries_daily.trend_score is '0.6 * sum of 7 days + 0.3 * sum of 30 days + 0.1 * max(growth, 0), the day itself included';
comment on column datasets.timeseries_daily.lag_1 is 'daily_sales of the day before; lags, and all that ends in _lag1, know nothing of the day itself';
comment on column datasets.timeseries_daily.rolling_7_lag1 is 'Mean of daily_sales over the 7 days before, of those there are; null on the first day';
comment on column datasets.timeseries_daily.rolling_std_28_lag1 is 'Sample standard deviation over the 28 days before; null with fewer than two';
comment on column datasets.timeseries_daily.zero_share_28_lag1 is 'Share of the 28 days before without a sale';
comment on column datasets.timeseries_daily.ewm_7_lag1 is 'Exponential mean of all days before, weights halve every 7 days';
comment on column datasets.timeseries_daily.same_weekday_mean_4 is 'Mean of the same weekday of the 4 weeks before';

create table datasets.timeseries_weekly (
    tenant_id text not null,
    level text not null,
    series_id text not null,
    article_id text,
    category_id text,
    week_start date not null,
    iso_year smallint not null,
    iso_week smallint not null,
    weekly_sales bigint not null,
    weekly_sales_other_currency bigint not null,
    weekly_units bigint not null,
    weekly_revenue numeric not null,
    avg_price double precision,
    weekly_returns bigint not null,
    weekly_refunds numeric not null,
    unique_customers bigint not null,
    is_observed boolean not null,
    promo_days smallint not null,
    holiday_days smallint not null,
    rolling_4 double precision not null,
    lag_1 bigint,
    lag_4 bigint,
    lag_52 bigint,
    rolling_4_lag1 double precision,
    rolling_13_lag1 double precision,
    rolling_52_lag1 double precision,
    primary key (tenant_id, level, series_id, week_start)
);
call ops.isolate('datasets.timeseries_weekly');

comment on table datasets.timeseries_weekly is 'One row per level, series and whole ISO week, from the week of the first sale on, without gaps; columns as in timeseries_daily';
comment on column datasets.timeseries_weekly.week_start is 'Monday; the seed labels the same weeks by their Sunday';
comment on column datasets.timeseries_weekly.unique_customers is 'Known customers who bought in the week';
comment on column datasets.timeseries_weekly.promo_days is 'Days of the week with a promotion';
comment on column datasets.timeseries_weekly.rolling_4 is 'Mean of weekly_sales over the week and the 3 before';
comment on column datasets.timeseries_weekly.lag_1 is 'weekly_sales of the week before';
comment on column datasets.timeseries_weekly.rolling_4_lag1 is 'Mean of weekly_sales over the 4 weeks before, of those there are';

create table datasets.timeseries_forecast (
    tenant_id text not null,
    level text not null,
    series_id text not null,
    article_id text,
    category_id text,
    date date not null,
    horizon smallint not null,
    forecast double precision not null,
    forecast_q10 double precision,
    forecast_q50 double precision,
    forecast_q90 double precision,
    method text not null,
    demand_class text not null,
    wape double precision,
    primary key (tenant_id, level, series_id, date)
);
call ops.isolate('datasets.timeseries_forecast');

comment on table datasets.timeseries_forecast is 'One row per level, series and day of the 28 after the last whole day; series as in timeseries_daily, each forecast alone';
comment on column datasets.timeseries_forecast.horizon is 'Days ahead, from 1';
comment on column datasets.timeseries_forecast.forecast is 'Expected daily_sales';
comment on column datasets.timeseries_forecast.forecast_q10 is 'The forecast plus the 10 % quantile of its errors in the back-test, not below 0; null for a series too young to be tested';
comment on column datasets.timeseries_forecast.method is 'seasonal_naive, moving_average, seasonal_average or croston_sba';
comment on column datasets.timeseries_forecast.demand_class is 'smooth, erratic, intermittent or lumpy (Syntetos, Boylan and Croston); none without a sale in 364 days';
comment on column datasets.timeseries_forecast.wape is 'Of the back-test: sum of absolute errors / sum of sales over the last 112 days; null where nothing was sold or tested';
