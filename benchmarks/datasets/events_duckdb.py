"""F1, F2 and a funnel of visitors in DuckDB's SQL: the logic of dataset F as set operations and windows.

Belongs here: statements, each a table from the ones before; windows go over the few columns that they need, since
DuckDB carries all others through every sort. Money is decimal, as the product's. Left out: reading,
contracts, checks, F3.
"""

from __future__ import annotations

from time import perf_counter

import duckdb
import polars as pl

from cdp_assets.datasets.events import vocabulary as words
from cdp_assets.datasets.events.contract import RAW
from cdp_assets.datasets.events.funnels import DEFAULTS
from cdp_assets.datasets.events.summaries import COUNTS, ENGAGED_SECONDS, ENGAGED_VIEWS
from cdp_assets.datasets.model import Scope
from cdp_assets.vocabulary.bots import is_bot
from cdp_assets.vocabulary.event_types import ALIASES

FUNNEL = DEFAULTS[1]

_STAGES = {name: place for place, name in enumerate(words.STAGES)}
KINDS = pl.DataFrame(
    [(name, kind, _STAGES.get(kind)) for name, kind in ALIASES.items()],
    schema={"name": pl.String, "kind": pl.String, "stage": pl.Int64},
    orient="row",
)
"""Names of event types as the product knows them, and how deep into the way to an order they are."""

STITCHED = """
create table described as
with known as (
    select visitor_id, arg_max(customer_id, (event_at, customer_id)) as last, count(distinct customer_id) as customers
    from events where customer_id <> 'unknown' and visitor_id is not null group by 1
), names as (
    select source_event_type, k.kind, k.stage from (select distinct source_event_type from events)
    left join kinds as k on k.name = regexp_replace(lower(source_event_type), '[-_ ]', '', 'g')
), stitched as (
    select e.*, n.kind, n.stage, case when e.customer_id <> 'unknown' then e.customer_id when k.customers <= {shared}
        then k.last end as stitched_customer_id,
        case when e.customer_id <> 'unknown' then 'known' when k.customers > {shared} then 'shared'
            when k.last is not null then 'visitor' else 'none' end as stitch_method,
        timezone('{zone}', e.event_at) as local
    from events as e left join known as k using (visitor_id) left join names as n using (source_event_type)
)
select * exclude (kind, local), coalesce(kind, source_event_type) as event_type, kind is not null as is_known_type,
    coalesce(kind = 'purchase', false) as is_conversion, cast(local as date) as event_on, hour(local) as event_hour,
    dayofweek(local) as event_day, (epoch_us(received_at) - epoch_us(event_at)) / 1e6 as lateness_s,
    coalesce(stitched_customer_id, 'visitor:' || visitor_id, 'event:' || event_id) as visitor_key
from stitched;
create table marked as
select rowid as n, visitor_key, event_at, event_id,
    coalesce(epoch_us(event_at) - lag(epoch_us(event_at)) over acts <= {repeat}, false)
    and coalesce(order_number = lag(order_number) over acts, true) as is_duplicate
from described where not is_imported
window acts as (partition by visitor_key, event_type, article_id order by event_at, event_id);
"""

SESSIONS = """
create table chained as
with gaps as (
    select * exclude (is_duplicate), epoch_us(event_at) - lag(epoch_us(event_at)) over visits as gap,
        epoch_us(event_at) - lag(epoch_us(event_at), {fast}) over visits as gap_of_many
    from marked where not is_duplicate window visits as (partition by visitor_key order by event_at, event_id)
)
select *, count(*) filter (where gap is null or gap > {gap}) over (
    partition by visitor_key order by event_at, event_id) as chain from gaps;
create table cuts as
with recursive long as (
    select visitor_key, chain, c.event_at from chained as c semi join (
        select visitor_key, chain from chained group by all having max(event_at) - min(event_at) > interval 24 hour
    ) as l using (visitor_key, chain)
), cut (visitor_key, chain, cut_at) as (
    select visitor_key, chain, min(event_at) from long group by all
    union all
    select visitor_key, chain, min(event_at) from cut join long using (visitor_key, chain)
    where event_at > cut_at + interval 24 hour group by all
)
select * from cut;
create table robots as
from given_robots;
create table busy as
select d.visitor_key, d.event_on from chained as c join described as d on c.n = d.rowid group by all
having count(*) filter (where event_type = 'view') > {views} and not bool_or(event_type = 'add_to_cart');
create table told as
select c.* exclude (chain), row_number() over visit as event_index, first_value(c.event_id) over visit as first_id,
    first_value(c.event_at) over visit as session_start
from chained as c asof left join cuts as t
    on c.visitor_key = t.visitor_key and c.chain = t.chain and c.event_at >= t.cut_at
window visit as (partition by c.visitor_key, c.chain, t.cut_at order by c.event_at, c.event_id);
create table sessions as
with visits as (
    select t.visitor_key, first_id, arg_min(coalesce(stitched_customer_id, 'unknown'), event_index) as customer_id,
        arg_min(event_on, event_index) as started_on, min(t.event_at) as first_event, max(t.event_at) as last_event,
        count(*) as events, {counts}, count(distinct article_id) as articles, max(stage) as stage,
        min(t.event_at) filter (where event_type = 'purchase') as first_buy,
        max(t.event_at) filter (where event_type = 'purchase') as last_buy,
        max(t.event_at) filter (where event_type = 'add_to_cart') as last_cart,
        arg_min(page, event_index) as landing_page, arg_max(page, event_index) as exit_page,
        arg_min(utm_source, event_index) as utm_source, arg_min(campaign_id, event_index) as campaign_id,
        arg_min(device_type, event_index) as device_type, bool_or(browser in (from robots)) as is_robot,
        bool_or(gap_of_many < 60000000) as is_fast, bool_or((t.visitor_key, event_on) in (from busy)) as is_busy,
        count(*) >= {regular} and max(gap) filter (where event_index > 1) - min(gap) filter (where event_index > 1)
            < {spread} as is_regular
    from told as t join described as d on t.n = d.rowid group by t.visitor_key, first_id
), orders as (
    select t.visitor_key, first_id, order_number,
        first(order_value order by event_index)
            filter (where currency = '{currency}' and order_value is not null) as value
    from told as t join described as d on t.n = d.rowid where event_type = 'purchase' and order_number is not null
    group by all
), worth as (
    select visitor_key, first_id, count(*) as orders, sum(value) as revenue from orders group by all
)
select md5('{tenant}' || chr(0) || visitor_key || chr(0) || first_id) as session_id,
    row_number() over (partition by visitor_key order by first_event, first_id) as session_index,
    * exclude (stage, first_buy, last_buy, last_cart, is_robot, is_fast, is_busy, is_regular, orders, revenue),
    (epoch_us(last_event) - epoch_us(first_event)) / 1e6 as duration_s,
    (epoch_us(first_buy) - epoch_us(first_event)) / 1e6 as time_to_convert, [{stages}][stage + 1] as funnel_stage,
    buys > 0 as converted, events = 1 as bounce,
    views >= {engaged_views} or duration_s >= {engaged_seconds} or buys > 0 as engaged,
    carts > removes and (last_buy is null or last_buy < last_cart) as cart_abandoned,
    coalesce(orders, 0) as orders, coalesce(revenue, 0) as revenue,
    case when is_robot then 'user_agent' when is_fast then 'too_fast' when is_busy then 'views_without_cart'
        when is_regular then 'regular_gaps' end as bot_reason,
    bot_reason is not null as is_bot, events > {most} as is_quarantined
from visits left join worth using (visitor_key, first_id);
create table enriched as
with placed as (
    select n, visitor_key, first_id, session_start, event_index, gap / 1e6 as gap_s, false as is_duplicate from told
    union all by name
    select d.n, d.visitor_key, t.first_id, t.session_start, true as is_duplicate
    from (from marked where is_duplicate) as d asof join told as t
        on d.visitor_key = t.visitor_key and d.event_at >= t.event_at
)
select d.* exclude (stage), s.session_id, p.session_start, p.event_index, p.gap_s,
    coalesce(p.is_duplicate, false) as is_duplicate, s.bot_reason, coalesce(s.is_bot, false) as is_bot,
    coalesce(s.is_quarantined, false) as is_quarantined,
    (epoch_us(event_at) - epoch_us(p.session_start)) / 1e6 as time_since_session_start
from described as d left join placed as p on d.rowid = p.n left join sessions as s
    on p.visitor_key = s.visitor_key and p.first_id = s.first_id;
"""

MEMBERS = """
create table members as
with counted as (
    select visitor_key, event_id, event_at, event_on, event_type, stitched_customer_id,
        row_number() over (order by visitor_key, event_at, event_id) as place
    from enriched where not is_imported and not is_duplicate and not is_bot and not is_quarantined
), looks as (from counted where event_type = '{first}'),
carts as (select visitor_key, event_at, place from counted where event_type = '{second}'),
buys as (select visitor_key, event_at, place from counted where event_type = '{third}'),
later as (
    select l.*, l.event_at + interval 7 day as deadline,
        case when c.event_at <= deadline then c.event_at end as cart_at,
        case when c.event_at <= deadline then c.place end as cart_place
    from looks as l asof left join carts as c on l.visitor_key = c.visitor_key and l.place < c.place
), attempts as (
    select t.*, case when b.event_at <= deadline then b.event_at end as buy_at,
        1 + (cart_at is not null)::int + (buy_at is not null)::int as reached
    from later as t asof left join buys as b on t.visitor_key = b.visitor_key and t.cart_place < b.place
), best as (
    select visitor_key, event_on, max(reached) as reached,
        max(deadline) filter (where reached < 3 and deadline >= '{now}') as open_until,
        arg_max(struct_pack(event_id, event_at, stitched_customer_id, cart_at, buy_at), (reached, -place)) as entry
    from attempts group by all
)
select visitor_key, event_on, reached, entry.event_id, entry.event_at, coalesce(entry.stitched_customer_id, 'unknown')
    as customer_id, case when reached = 3 then 'completed' when open_until is not null then 'open' else 'dropped' end
    as state, case when reached < 3 then open_until end as open_until,
    list_filter([(epoch_us(entry.cart_at) - epoch_us(entry.event_at)) / 1e6,
        (epoch_us(entry.buy_at) - epoch_us(entry.cart_at)) / 1e6], lambda s: s is not null) as step_seconds
from best;
"""


def duckdb_way(events: pl.DataFrame, scope: Scope) -> tuple[dict[str, float], int, int]:
    """Seconds of sessions and of the funnel; sessions; completed members."""
    values = {
        "shared": words.SHARED, "zone": scope.timezone, "repeat": words.REPEAT.total_seconds() * 1e6,
        "gap": words.GAP.total_seconds() * 1e6, "fast": words.BOT_EVENTS_PER_MINUTE,
        "views": words.BOT_VIEWS_PER_DAY, "regular": words.BOT_REGULAR_EVENTS, "currency": scope.currency,
        "spread": words.BOT_REGULAR_SPREAD.total_seconds() * 1e6, "tenant": scope.tenant_id, "most": words.MOST_EVENTS,
        "engaged_views": ENGAGED_VIEWS, "engaged_seconds": ENGAGED_SECONDS, "now": scope.until.isoformat(),
        "stages": ", ".join(f"'{name}'" for name in words.STAGES),
        "counts": ", ".join(f"count(*) filter (where event_type = '{of}') as {name}" for name, of in COUNTS.items()),
        **dict(zip(("first", "second", "third"), FUNNEL.steps, strict=True)),
    }  # fmt: skip
    with duckdb.connect() as db:
        db.execute("set enable_progress_bar = false")
        db.execute("set timezone = 'UTC'")
        db.register("given", events.select(*RAW).to_arrow())
        db.register("given_kinds", KINDS.to_arrow())
        db.execute("create table events as from given")
        db.execute("create table kinds as from given_kinds")
        robots = [name for name in events["browser"].unique().drop_nulls() if is_bot(name)]
        db.register(
            "given_robots", pl.DataFrame({"browser": robots}, schema={"browser": pl.String}).to_arrow()
        )
        began = perf_counter()
        db.execute((STITCHED + SESSIONS).format(**values))
        middle = perf_counter()
        db.execute(MEMBERS.format(**values))
        seconds = {"sessions": middle - began, "funnel": perf_counter() - middle}
        counted = (
            "select (select count(*) from sessions), (select count(*) from members where state = 'completed')"
        )
        sessions, done = db.execute(counted).fetchone() or (0, 0)
    return seconds, sessions, done
