"""Dataset F in the warehouse: what changed since the run before, the rows as they are, writing what differs.

Belongs here: SQL. What a change means is in `delta`. Every read and write is inside the caller's transaction, which
sees the rows of one instant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

import polars as pl
from psycopg import sql

from cdp_assets.datasets.events.contract import CONTRACTS, RAW
from cdp_assets.datasets.events.delta import Change
from cdp_assets.datasets.events.pages import value_without_personal, without_personal
from cdp_assets.datasets.frames import MONEY, UNKNOWN
from cdp_assets.quality import SAMPLE_ROWS
from cdp_assets.warehouse.connection import Connection, without_loops
from cdp_assets.warehouse.frames import Schema, Written, merge_rows, read_frame, replace_rows

OVERLAP = timedelta(hours=1)
"""How far before the last read a run looks again: a row gets its time when its transaction begins and is seen when it
ends; the longest transaction is cut off after 15 minutes (`statement_timeout_s`)."""

_TOLD: LiteralString = (
    "select event_key as event_id, source, event_type as source_event_type, event_at, received_at, "
    "customer_reference, visitor_id, session_id as client_session_id, product_reference, order_number, "
    "order_reference, order_value, currency, "
    # a query may name a person, and so may a path (`pages`)
    "split_part(split_part(url, '?', 1), '#', 1) as page, campaign_id, "
    "coalesce(utm_source, substring(url from '[?&]utm_source=([^&#]+)')) as utm_source, device_type, browser, "
    "is_imported, is_conversion as source_is_conversion, "
    # tells two queries of one page apart, and says nothing of either
    "('x' || left(md5(substring(url from '[?]([^#]+)')), 4))::bit(16)::int::bigint as query_hash"
)
_EVENTS: LiteralString = (
    _TOLD
    + ", customer_key as customer_id, product_key as article_id, category_id from intermediate.int_events"
)
_NEWS: LiteralString = (
    _TOLD + ", order_id from intermediate.int_event_references where changed_at >= %(since)s"
)
_DUE: LiteralString = (
    _TOLD + ", order_id from intermediate.int_event_references where event_key = any(%(ids)s)"
)
_NEW: Schema = {
    name: type_ for name, type_ in RAW.items() if name not in {"customer_id", "article_id", "category_id"}
} | {"order_id": pl.Int64}

_GONE: LiteralString = (
    "select 'leo:' || event_id as event_id from cdp.tracking_event "
    "where changed_at >= %(since)s and deleted_at is not null union all "
    "select 'shop:' || id from raw.events where _deleted_at >= %(since)s"
)

_LINKS_MAY_DIFFER: LiteralString = (
    "select exists (select from cdp.customer_profile where changed_at >= %(since)s) "
    "or exists (select from cdp.product_item where changed_at >= %(since)s) "
    "or exists (select from raw.customers where _etl_loaded_at >= %(since)s) "
    "or exists (select from raw.products where _etl_loaded_at >= %(since)s)"
)

_LINKS: LiteralString = (
    "select kind, reference, now.key, now.category_id from intermediate.int_event_links as now "
    "full join datasets.event_link as before using (tenant_id, kind, reference) "
    "where (now.key, now.category_id) is distinct from (before.key, before.category_id)"
)
_LINK: Schema = {"kind": pl.String, "reference": pl.String, "key": pl.String, "category_id": pl.Int64}

_LINKED: LiteralString = (
    "select kind, reference, key, category_id from datasets.event_link "
    # the key is (tenant_id, kind, reference): without the kind the index is of no use
    "where kind in ('customer', 'product') and reference = any(%(references)s)"
)

_CHANGED_ORDERS: LiteralString = "select id from raw.orders where _etl_loaded_at >= %(since)s"
_ORDERS: LiteralString = (
    "select order_id, order_number, order_total as order_value, currency from staging.stg_orders "
    "where order_id = any(%(ids)s)"
)
_ORDER: Schema = {
    "order_id": pl.Int64,
    "order_number": pl.String,
    "order_value": MONEY,
    "currency": pl.String,
}

_UNMATCHED: LiteralString = (
    "with told as (select distinct order_number from datasets.events_enriched "
    "where is_conversion and order_number is not null), "
    "made as (select order_number, min(purchased_at) as at from intermediate.int_purchases "
    "where order_number is not null group by order_number), "
    "began as (select min(event_at) as at from datasets.events_enriched) "
    "select case when told.order_number is null then 'orders' else 'events' end, "
    "coalesce(told.order_number, made.order_number) from told full join made using (order_number) "
    "cross join began where (told.order_number is null and made.at >= began.at) or made.order_number is null "
    "order by 1, 2"
)

_DIFFERING: LiteralString = (
    "with lines as (select transaction_id as order_number, min(currency) as currency, sum(line_total) as total "
    "from staging.stg_leo__transactions where transaction_id is not null "
    "group by transaction_id having min(currency) = max(currency)) "
    "select e.event_id, order_number, e.order_value, lines.total from datasets.events_enriched as e "
    "inner join lines using (order_number, currency) "
    "where e.source = 'leo' and abs(e.order_value - lines.total) >= 0.01 order by e.event_id"
)


@dataclass(frozen=True, slots=True)
class State:
    """How far a tenant's tables have come; see `datasets.event_state`."""

    read_until: datetime
    as_of: date
    settings: str


class WarehouseStore:
    """The tables of one tenant, within one transaction of the tenant."""

    def __init__(self, connection: Connection, tenant_id: str) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    def state(self) -> State | None:
        """How far the tables have come; None before the first run."""
        row = self._connection.execute(
            "select read_until, as_of, settings from datasets.event_state"
        ).fetchone()
        return State(*row) if row else None

    def instant(self) -> datetime:
        """When this transaction began, by the server's clock."""
        row = self._connection.execute("select now()").fetchone()
        assert row is not None
        found: datetime = row[0]
        return found

    def remember(self, state: State) -> None:
        """Record how far the tables have come."""
        self._connection.execute(
            "insert into datasets.event_state (tenant_id, read_until, as_of, settings) values (%s, %s, %s, %s) "
            "on conflict (tenant_id) do update set read_until = excluded.read_until, as_of = excluded.as_of, "
            "settings = excluded.settings, updated_at = now()",
            (self._tenant_id, state.read_until, state.as_of, state.settings),
        )

    def all_events(self) -> pl.DataFrame:
        """Every event as it is now."""
        with without_loops(self._connection):
            return _impersonal(self._read(_EVENTS, RAW))

    def change(self, since: datetime, until: datetime) -> Change:
        """What the warehouse wrote from `since` on; links that it moved are renewed first.

        Events later than `until` are set aside, those set aside before whose time has come are news.
        """
        given = {"since": since}
        links = pl.DataFrame(schema=_LINK)
        row = self._connection.execute(_LINKS_MAY_DIFFER, given).fetchone()
        if row and row[0]:
            links = self.renew_links()
        with without_loops(self._connection):
            news = self._read(_NEWS, _NEW, given)
            gone = self._read(_GONE, {"event_id": pl.String}, given)["event_id"]
            due = self._due(until, pl.concat([news["event_id"], gone]))
        news = _impersonal(pl.concat([news, due]))
        ahead = news.filter(pl.col("event_at") > until)
        self.set_aside(ahead)
        return Change(
            self._linked(news.filter(pl.col("event_at") <= until)),
            pl.concat([gone, ahead["event_id"]]),
            _customers(links),
            _products(links),
            self._orders(self._read(_CHANGED_ORDERS, {"id": pl.Int64}, given)["id"]),
        )

    def _due(self, until: datetime, seen: pl.Series) -> pl.DataFrame:
        """Events set aside whose time has come, of which nothing is `seen` anew; all of these are set aside no more."""
        ids = self._connection.execute(
            "delete from datasets.event_ahead where event_at <= %s or event_id = any(%s) returning event_id",
            (until, seen.to_list()),
        ).fetchall()
        due = pl.Series([event_id for (event_id,) in ids], dtype=pl.String)
        # a look at all events, where there are any
        due = due.filter(~due.is_in(seen.implode()))
        return self._read(_DUE, _NEW, {"ids": due.to_list()}) if due.len() else pl.DataFrame(schema=_NEW)

    def set_aside(self, events: pl.DataFrame) -> None:
        """Remember these events until their time has come."""
        with self._connection.cursor() as cur:
            cur.executemany(
                "insert into datasets.event_ahead (tenant_id, event_id, event_at) values (%s, %s, %s)",
                [(self._tenant_id, *row) for row in events.select("event_id", "event_at").rows()],
            )

    def ahead(self) -> tuple[int, list[tuple[str, datetime]]]:
        """How many events are set aside, and those furthest ahead."""
        rows = self._connection.execute(
            "select count(*) over (), event_id, event_at from datasets.event_ahead order by event_at desc, event_id "
            "limit %s",
            (SAMPLE_ROWS,),
        ).fetchall()
        return (rows[0][0] if rows else 0), [(event_id, at) for _, event_id, at in rows]

    def none_aside(self) -> None:
        """Forget what was set aside, before all events are read."""
        self._connection.execute("delete from datasets.event_ahead")

    def _linked(self, news: pl.DataFrame) -> pl.DataFrame:
        """New events with what their references lead to, each looked up: `int_events` would link all that there is."""
        references = pl.concat([news["customer_reference"], news["product_reference"]]).drop_nulls().unique()
        links = self._read(_LINKED, _LINK, {"references": references.to_list()})
        orders = self._orders(news["order_id"].drop_nulls().unique())
        of_order = ("order_number", "order_value", "currency")
        names_product = pl.col("product_reference").is_not_null()
        return (
            news.join(_customers(links), left_on="customer_reference", right_on="reference", how="left")
            .join(_products(links), left_on="product_reference", right_on="reference", how="left")
            .join(orders, left_on="order_reference", right_on="reference", how="left", suffix="_there")
            .with_columns(
                pl.col("customer_id").fill_null(UNKNOWN),
                pl.when(names_product).then(pl.col("article_id").fill_null(UNKNOWN)),
                *(pl.coalesce(f"{name}_there", name).alias(name) for name in of_order),
            )
            .select(*RAW)
        )

    def _orders(self, ids: pl.Series) -> pl.DataFrame:
        """What is known of these orders; nothing of those that are no more."""
        known = self._read(_ORDERS, _ORDER, {"ids": ids.to_list()})
        return (
            ids.to_frame("order_id")
            .join(known, on="order_id", how="left")
            .select(pl.format("shop:{}", "order_id").alias("reference"), pl.exclude("order_id"))
        )

    def renew_links(self) -> pl.DataFrame:
        """Remember where references lead today; those that led elsewhere, `key` null where they lead nowhere now."""
        with without_loops(self._connection):
            links = self._read(_LINKS, _LINK)
        is_gone = pl.col("key").is_null()
        merge_rows(
            self._connection, self._tenant_id, sql.Identifier("datasets", "event_link"), ["kind", "reference"],
            links.filter(~is_gone), links.filter(is_gone),
        )  # fmt: skip
        return links

    def fetch(self, table: str, column: str, values: pl.Series) -> pl.DataFrame:
        """Rows of a table with one of the values in a column; all columns of its contract."""
        return self.rows(table, {column: values.to_list()})

    def rows(self, table: str, where: Mapping[str, Sequence[Any]] | None = None) -> pl.DataFrame:
        """Rows of a table; `where`: column -> values of which it has one."""
        conditions = [
            sql.SQL("{} = any({})").format(sql.Identifier(column), sql.Placeholder(column))
            for column in where or {}
        ]
        schema = CONTRACTS[table].create_empty().schema
        if where is not None and not all(where.values()):
            return pl.DataFrame(schema=schema)
        query = sql.SQL("select * from {} where {}").format(
            sql.Identifier("datasets", table), sql.SQL(" and ").join([sql.SQL("true"), *conditions])
        )
        lists = [name for name, type_ in schema.items() if type_ == pl.List]
        sent = {name: pl.String if name in lists else type_ for name, type_ in schema.items()}
        found = read_frame(
            self._connection, query, sent, {name: list(of) for name, of in (where or {}).items()}
        )
        return found.with_columns(pl.col(name).str.json_decode(schema[name]) for name in lists)

    def of_days(self, table: str, day: str, columns: Sequence[str], first: date, last: date) -> pl.DataFrame:
        """Some columns of the rows of a table whose `day` (a column) lies between two days, both included."""
        types = CONTRACTS[table].create_empty().schema
        query = sql.SQL("select {} from {} where {} between %(first)s and %(last)s").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.Identifier("datasets", table),
            sql.Identifier(day),
        )
        schema = {name: types[name] for name in columns}
        return read_frame(self._connection, query, schema, {"first": first, "last": last})

    def session_ids(self) -> pl.DataFrame:
        """Ids of all sessions."""
        return self._read("select session_id from datasets.session_funnel", {"session_id": pl.String})

    def replace(self, table: str, frame: pl.DataFrame) -> Written:
        """Make a table this frame; rows that are as they were are not written."""
        relation = sql.Identifier("datasets", table)
        return replace_rows(
            self._connection, self._tenant_id, relation, CONTRACTS[table].primary_key(), frame
        )

    def merge(self, table: str, frame: pl.DataFrame, gone: pl.DataFrame) -> Written:
        """Write rows and delete others, leaving the rest alone."""
        relation = sql.Identifier("datasets", table)
        return merge_rows(
            self._connection, self._tenant_id, relation, CONTRACTS[table].primary_key(), frame, gone
        )

    def close_windows(self, now: datetime) -> set[tuple[str, date]]:
        """Open members whose time is up are dropped; funnel and day of each."""
        closed = self._connection.execute(
            "update datasets.funnel_member set state = 'dropped', open_until = null "
            "where state = 'open' and open_until < %s returning funnel_id, day",
            (now,),
        ).fetchall()
        return {(funnel_id, day) for funnel_id, day in closed}

    def supersede(self, ids: pl.DataFrame, sessions: pl.Series) -> None:
        """Record which session took the place of which. Who looks up an old id finds today's in one step.

        `sessions`: ids of those that this run made.
        """
        with self._connection.cursor() as cur:
            cur.executemany(
                "update datasets.session_superseded set new_id = %s where new_id = %s",
                ids.select("new_id", "old_id").rows(),
            )
        # an event that went and came back gives its session the id that it had
        alive = sessions.to_frame("old_id")
        relation = sql.Identifier("datasets", "session_superseded")
        merge_rows(self._connection, self._tenant_id, relation, ["old_id"], ids, alive)

    def unmatched_orders(self) -> dict[str, list[str]]:
        """Order numbers that only one side knows: `orders` since the first event, `events` that name no order there."""
        with without_loops(self._connection):
            rows = self._connection.execute(_UNMATCHED).fetchall()
        return {side: [number for found, number in rows if found == side] for side in ("orders", "events")}

    def differing_totals(self) -> list[tuple[str, str, Decimal, Decimal]]:
        """Event, order, the event's total and the sum of LEO's lines of the order, where they differ by a cent or more.

        LEO's events alone: a shop's event has the total of the shop's order, which the marts compare.
        """
        with without_loops(self._connection):
            return self._connection.execute(_DIFFERING).fetchall()

    def _read(
        self, query: LiteralString, schema: Schema, given: Mapping[str, Any] | None = None
    ) -> pl.DataFrame:
        return read_frame(self._connection, sql.SQL(query), schema, given)


def _impersonal(events: pl.DataFrame) -> pl.DataFrame:
    """Events whose addresses lead to no person."""
    return events.with_columns(without_personal(events["page"]), value_without_personal(events["utm_source"]))


def _customers(links: pl.DataFrame) -> pl.DataFrame:
    """Where references lead: reference, customer_id."""
    return links.filter(pl.col("kind") == "customer").select("reference", _key("customer_id"))


def _products(links: pl.DataFrame) -> pl.DataFrame:
    """Where references lead: reference, article_id, category_id."""
    return links.filter(pl.col("kind") == "product").select("reference", _key("article_id"), "category_id")


def _key(name: str) -> pl.Expr:
    return pl.col("key").fill_null(UNKNOWN).alias(name)
