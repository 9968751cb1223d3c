-- States of orders: one vocabulary for LEO and the shop.

comment on column cdp.tracking_event.order_status is 'transaction_status in our words: pending, processing, shipped, completed, cancelled or refunded; unknown for other words, null when it says nothing';
comment on column cdp.transactional_context.txn_status is 'State of the order by its newest tracking event that names one; unknown for words that are not known, completed when no event names any';
comment on table cdp.tracking_event is 'One row per LEO tracking event. cdp_profile_id is the owner today, source_profile_id what the document says; order_status is transaction_status (free text) in our words';

-- Customer metrics as before (0001_metrics), but for which orders count.

create or replace function cdp.refresh_customer_metrics(p_tenant text, p_as_of timestamptz default now()) returns bigint
language plpgsql set enable_nestloop = off as $$
-- Returns the number of rows written or removed. Grain: one row per active profile.
--
-- Formulas (those of LEO's own refresh_customer_metrics, thirteen golden cases in tests/test_customer_metrics.py):
--   clv_est          = round(avg_order_value * freq_90d * 365 / 90 * expected_lifetime_years - cac, 2)
--   experience_score = recency + basket + frequency
--     recency   = -60 without a purchase, +40 up to 30 days ago, +10 up to 90 days, -10 longer ago
--     basket    = monetary_90d / max(avg_order_value, 1), held within -30 and 30
--     frequency = 2 * freq_90d, at most 30
--   segment, first match: happy (clv_est >= clv_happy_threshold and experience_score >= 30), prospective (no purchase
--     and freq_90d = 0), inactive (freq_90d = 0), first_time (100 <= clv_est <= threshold - 1), target.
--
-- Where this departs from the original, and why:
--   * An order counts once, with the sum of its lines; the original counts each line as a purchase. Lines without an
--     order id are orders of their own.
--   * A refund line lowers the order it names. monetary_90d is what was paid net of refunds, never below zero; the
--     original ignores negative rows, so money that was given back still counted.
--   * Orders count that the seller accepted: processing, shipped or completed. Pending, cancelled and refunded ones do
--     not, and neither do those whose status is unknown: it proves nothing.
--   * Money is in one currency: the tenant's base_currency, other currencies converted by fx_rates; without a base
--     currency, the one in which the profile has most orders. Orders that cannot be converted count for recency and
--     frequency, not for money, and are reported in orders_without_rate. The original adds VND to USD.
--   * Merged profiles' orders belong to the winner; profiles that are merged, removed or vanished have no row.
--   * Rows are set-based, and written only when a value differs; updated_at therefore says when something changed.
--   * Nothing later than p_as_of is looked at.
declare
    written bigint;
    removed bigint;
begin
    perform ops.require_tenant(p_tenant);
    create temporary table if not exists wanted_customer_metrics (like cdp.customer_metrics) on commit delete rows;
    truncate pg_temp.wanted_customer_metrics;

    insert into pg_temp.wanted_customer_metrics
    with config as (
        select
            coalesce(max(c.expected_lifetime_years), 3.0) as years, coalesce(max(c.cac), 5.0) as cac,
            coalesce(max(c.clv_happy_threshold), 500.0) as threshold, max(c.base_currency) as base_currency,
            coalesce((array_agg(c.fx_rates))[1], '{}') as fx_rates
        from cdp.tenant_metrics_config as c where c.tenant_id = p_tenant
    ),
    customer_order as (
        select
            t.cdp_profile_id, coalesce(t.transaction_id, t.txn_id) as order_id, t.currency,
            min(t.txn_timestamp) as ordered_at, sum(t.amount) as amount
        from cdp.transactional_context as t
        where t.tenant_id = p_tenant and t.deleted_at is null and t.txn_status in ('processing', 'shipped', 'completed')
            and (t.txn_timestamp is null or t.txn_timestamp <= p_as_of)
        group by t.cdp_profile_id, coalesce(t.transaction_id, t.txn_id), t.currency
    ),
    preferred as (
        select distinct on (o.cdp_profile_id) o.cdp_profile_id, o.currency
        from customer_order as o
        group by o.cdp_profile_id, o.currency
        order by o.cdp_profile_id, count(*) desc, max(o.ordered_at) desc nulls last, o.currency
    ),
    valued as (
        select
            o.cdp_profile_id, o.ordered_at, coalesce(c.base_currency, f.currency) as currency,
            case
                when o.currency = coalesce(c.base_currency, f.currency) then o.amount
                when c.base_currency is not null then o.amount * (c.fx_rates ->> o.currency)::numeric
            end as amount
        from customer_order as o
        inner join preferred as f on f.cdp_profile_id = o.cdp_profile_id
        cross join config as c
    ),
    measured as (
        select
            p.cdp_profile_id, coalesce(max(v.currency), max(c.base_currency)) as currency,
            max(v.ordered_at) as last_purchase,
            (count(*) filter (where v.ordered_at >= p_as_of - interval '90 days'))::integer as freq_90d,
            count(v.cdp_profile_id)::integer as orders,
            (count(v.cdp_profile_id) filter (where v.amount is null))::integer as orders_without_rate,
            coalesce(avg(v.amount) filter (where v.amount > 0), 0) as avg_order_value,
            greatest(coalesce(sum(v.amount) filter (where v.ordered_at >= p_as_of - interval '90 days'), 0), 0)
                as monetary_90d,
            max(c.years) as years, max(c.cac) as cac, max(c.threshold) as threshold
        from cdp.customer_profile as p
        cross join config as c
        left join valued as v on v.cdp_profile_id = p.cdp_profile_id
        where p.tenant_id = p_tenant and p.deleted_at is null and p.status = 'active'
        group by p.cdp_profile_id
    ),
    scored as (
        select
            m.*,
            round(m.avg_order_value * m.freq_90d * 365 / 90 * m.years - m.cac, 2) as clv_est,
            case
                when m.last_purchase is null then -60
                when m.last_purchase >= p_as_of - interval '30 days' then 40
                when m.last_purchase >= p_as_of - interval '90 days' then 10
                else -10
            end
            + least(greatest(m.monetary_90d / greatest(m.avg_order_value, 1), -30), 30)
            + least(30, 2 * m.freq_90d) as experience_score
        from measured as m
    )
    select
        p_tenant, s.cdp_profile_id, s.currency, s.last_purchase, s.freq_90d, s.orders, s.orders_without_rate,
        s.avg_order_value, s.monetary_90d, s.clv_est, s.experience_score,
        case
            when s.clv_est >= s.threshold and s.experience_score >= 30 then 'happy'
            when s.last_purchase is null and s.freq_90d = 0 then 'prospective'
            when s.freq_90d = 0 then 'inactive'
            when s.clv_est >= 100 and s.clv_est <= s.threshold - 1 then 'first_time'
            else 'target'
        end,
        jsonb_build_object(
            'clv_calc', s.clv_est, 'freq_90d', s.freq_90d, 'monetary_90d', round(s.monetary_90d, 4),
            'last_purchase', s.last_purchase
        ),
        now()
    from scored as s;

    insert into cdp.customer_metrics as m
    select * from pg_temp.wanted_customer_metrics
    on conflict (tenant_id, cdp_profile_id) do update
    set currency = excluded.currency, last_purchase = excluded.last_purchase, freq_90d = excluded.freq_90d,
        orders = excluded.orders, orders_without_rate = excluded.orders_without_rate,
        avg_order_value = excluded.avg_order_value, monetary_90d = excluded.monetary_90d,
        clv_est = excluded.clv_est, experience_score = excluded.experience_score, segment = excluded.segment,
        segment_reason = excluded.segment_reason, updated_at = excluded.updated_at
    where (m.currency, m.last_purchase, m.freq_90d, m.orders, m.orders_without_rate, m.avg_order_value,
           m.monetary_90d, m.clv_est, m.experience_score, m.segment)
        is distinct from
        (excluded.currency, excluded.last_purchase, excluded.freq_90d, excluded.orders, excluded.orders_without_rate,
         excluded.avg_order_value, excluded.monetary_90d, excluded.clv_est, excluded.experience_score,
         excluded.segment);
    get diagnostics written = row_count;

    delete from cdp.customer_metrics as m
    where m.tenant_id = p_tenant and not exists (
        select from pg_temp.wanted_customer_metrics as w where w.cdp_profile_id = m.cdp_profile_id
    );
    get diagnostics removed = row_count;
    return written + removed;
end
$$;
