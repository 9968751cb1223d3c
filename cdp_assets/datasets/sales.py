"""Which purchased lines are sales, the same in all datasets.

Belongs here: what counts as sold, today and on its day, as taken back, and as money that may be added up; the check
that there is some. Does not belong here: any sum.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.model import Audit, Scope
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure

UNTOLD = "unknown"
"""Status of an order of which nobody knows how far it got."""


def placed(purchases: pl.DataFrame) -> pl.DataFrame:
    """The purchases as they were on their day: every order of a known status counts, however far it got since.

    The sources tell the status of today. That an order would be cancelled, or paid for, nobody knew on the day.
    """
    is_told = (pl.col("order_status") != UNTOLD).fill_null(value=False)
    return purchases.with_columns(pl.col("is_revenue") | is_told)


def sale_lines(scope: Scope, purchases: pl.DataFrame) -> pl.DataFrame:
    """Lines of accepted orders, with all their columns and two more.

    `is_return`: a negative amount or quantity takes a sale back, and its money with it: sources write the amount of a
    return with either sign. `is_main`: of the tenant's main currency; money of others is not added up.
    """
    is_return = pl.any_horizontal(pl.col("line_total", "quantity") < 0).fill_null(value=False)
    return purchases.filter("is_revenue").with_columns(
        is_return.alias("is_return"),
        pl.when(is_return).then(-pl.col("line_total").abs()).otherwise("line_total").alias("line_total"),
        (pl.col("currency") == scope.currency).fill_null(value=False).alias("is_main"),
    )


def money_in_main_currency(audit: Audit) -> Measure:
    """Sale lines that bring money, when not one of them is in the main currency: every sum would be 0."""
    lines = sale_lines(audit.scope, audit.inputs["purchases"]).filter(pl.col("line_total") != 0)
    main = lines.filter("is_main").height
    found = lines.group_by("currency").len().sort("len", "currency", descending=[True, False])
    currency = audit.scope.currency
    return Measure(
        lines.height if lines.height and not main else 0,
        f"{main} of {lines.height} sale lines are in {currency}",
        {"lines": lines.height, "lines_in_main_currency": main},
        ("currency", "lines"),
        found.head(SAMPLE_ROWS).rows() if not main else [],
    )


MONEY = Check(
    "money_in_main_currency",
    "Sale lines that bring money; some of them must be in the tenant's main currency.",
    "set the option: `cdp tenants add {tenant} --replace --option default_currency=CODE`; where the shop does not say "
    "its currency, amounts are in this option, too",
    money_in_main_currency,
    blocking=True,
)
