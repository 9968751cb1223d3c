"""Who the customers are: one number each, demographics, and which rows were known at a day.

Belongs here: numbering (grouping by a number costs half of grouping by a text of 26 characters, and the events of a
customer lie together), the cut in time, age and sign-up. Does not belong here: what they did.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cdp_assets.datasets.customers.windows import age
from cdp_assets.datasets.event_types import canonical
from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Frames, Scope

TIME_OF = {
    "purchases": "purchased_at",
    "customers": "customer_since",
    "articles": "product_since",
    "events": "event_at",
    "reviews": "created_at",
}
"""Input -> when a row of it became known; a row without a time always was."""


COLUMNS = {
    "purchases": (
        "article_id", "channel", "order_status", "is_revenue", "purchased_at", "purchased_on", "quantity",
        "unit_price", "line_total", "currency",
    ),
    "customers": ("customer_since", "birth_date", "country", "language", "is_in_shop", "is_in_leo"),
    "events": ("event_at", "event_on", "article_id"),
    "reviews": ("created_at", "rating"),
}  # fmt: skip
"""Columns that are looked at, of the inputs that tell of customers: what is not carried along costs nothing."""


@dataclass(frozen=True, slots=True)
class World:
    """The inputs, with `customer` (a number) in place of `customer_id`, and without rows of unknown customers.

    Attributes:
        ids: `customer` and `customer_id`.
        inputs: purchases have `order`, events `session` (numbers) and `kind` (canonical type, null if unknown) in
            place of the texts; events are sorted by customer.
    """

    ids: pl.DataFrame
    inputs: Frames


def numbered(frames: Frames) -> World:
    """Customers in the order of their ids, so that the same rows in any order get the same numbers."""
    everybody = pl.concat([frames[name].select("customer_id") for name in ("customers", "purchases")])
    ids = (
        everybody.filter(pl.col("customer_id") != UNKNOWN)
        .unique()
        .sort("customer_id")
        .with_row_index("customer")
    )
    made = {
        "purchases": [_number("order_key").alias("order")],
        "events": [canonical(pl.col("event_type")).alias("kind"), _number("session_id").alias("session")],
    }
    # the place in the enumeration is the number, and null for whom nothing but events or reviews tell of
    number = pl.col("customer_id").cast(pl.Enum(ids["customer_id"]), strict=False).to_physical()
    told = {
        name: frames[name]
        .with_columns(number.cast(pl.UInt32).alias("customer"))
        .filter(pl.col("customer").is_not_null())
        .select("customer", *columns, *made.get(name, ()))
        for name, columns in COLUMNS.items()
    }
    told["events"] = told["events"].sort("customer")
    inputs = {**frames, **told}
    return World(ids, inputs)


def _number(column: str) -> pl.Expr:
    """A number per text, to group by; which one depends on the order of the rows."""
    return pl.col(column).cast(pl.Categorical(pl.Categories.random())).to_physical()


def known(world: World, scope: Scope) -> dict[str, pl.DataFrame]:
    """The rows of each input that were known at the end of `as_of`; events with their `age` in days."""
    inputs = dict(world.inputs)
    for name, column in TIME_OF.items():
        time = pl.col(column)
        inputs[name] = inputs[name].filter(time.is_null() | (time < scope.until))
    inputs["events"] = inputs["events"].with_columns(age(pl.col("event_on"), scope.as_of).alias("age"))
    return inputs


def people(scope: Scope, customers: pl.DataFrame, purchases: pl.DataFrame) -> pl.DataFrame:
    """Everybody: the customers, and who bought without being one yet, so that no money is lost."""
    signup = pl.col("customer_since").dt.convert_time_zone(scope.timezone).dt.date()
    born = pl.col("birth_date")
    month, day = (part.cast(pl.Int32) for part in (born.dt.month(), born.dt.day()))
    had_birthday = month * 100 + day <= scope.as_of.month * 100 + scope.as_of.day
    years = scope.as_of.year - born.dt.year() - 1 + had_birthday.cast(pl.Int32)
    buyers = purchases.select("customer").unique()
    return (
        pl.concat([customers, buyers.join(customers, "customer", "anti")], how="diagonal")
        .select(
            "customer",
            pl.when(years.is_between(0, 120)).then(years).alias("age"),
            "country",
            "language",
            pl.col("is_in_shop").fill_null(value=False),
            pl.col("is_in_leo").fill_null(value=False),
            signup.alias("signup_date"),
        )
        .with_columns(age(pl.col("signup_date"), scope.as_of).alias("signup_age_days"))
    )
