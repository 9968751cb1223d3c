"""Checks of dataset C.

Belongs here: everybody once, money to the last digit, scores in the right direction, no personal data, and whether the
model of customer value deserves to be believed. Contract, numbers of rows and drift are in `common_checks`.
"""

from __future__ import annotations

import math
from decimal import Decimal

import polars as pl

from cdp_assets.datasets.customers.btyd import EDGE, LOG_BOUNDS, BgNbd
from cdp_assets.datasets.customers.rfm import SCORES
from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Audit
from cdp_assets.datasets.sales import MONEY, sale_lines
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

BIN_LOW, BIN_HIGH = 0.10, 0.35
"""Share of buyers in one score; quintiles of distinct values have 0.20."""

MIN_BUYERS = 100
"""Buyers below which shares of a fifth, or a back-test, move by chance."""

PERSONAL = (
    "name", "mail", "phone", "mobile", "address", "street", "postal", "zip", "birth", "password", "passport", "comment",
)  # fmt: skip
"""Parts of names that a column with personal data would have."""

E_MAIL = r"[^\s@]+@[^\s@]+\.[^\s@]+"

MAX_CORRELATION = 0.3
"""Of frequency and value among repeat buyers: Gamma-Gamma takes them for independent."""

MIN_RATIO, MAX_RATIO, MIN_ACTUAL = 0.5, 2.0, 50
"""Purchases predicted for the last 60 days against those that came; fewer than 50 vary by a quarter by chance."""


def everybody_once(audit: Audit) -> Measure:
    """Customers of the inputs without a row, and rows without a customer; two rows of one break the key."""
    people = pl.concat(
        [audit.inputs[name].select("customer_id") for name in ("customers", "purchases")]
    ).filter(pl.col("customer_id") != UNKNOWN)
    rows = audit.all_rows("customer_id")
    missing = people.unique().join(rows, "customer_id", "anti").with_columns(fault=pl.lit("has no row"))
    extra = rows.join(people, "customer_id", "anti").with_columns(fault=pl.lit("is nobody"))
    twice = (
        rows.filter(pl.col("customer_id").is_duplicated()).unique().with_columns(fault=pl.lit("has two rows"))
    )
    wrong = pl.concat([missing, extra, twice]).sort("customer_id", "fault")
    return Measure(
        wrong.height,
        f"{rows.height} rows for {people['customer_id'].n_unique()} customers",
        {"customers": people["customer_id"].n_unique(), "rows": rows.height},
        ("customer_id", "fault"),
        wrong.head(SAMPLE_ROWS).rows(),
    )


def totals_reconcile(audit: Audit) -> Measure:
    """Money and orders of the table against those of the purchases, exactly."""
    scope = audit.scope
    sales = sale_lines(scope, audit.inputs["purchases"]).filter(pl.col("customer_id") != UNKNOWN)
    bought = sales.filter(~pl.col("is_return"))
    rows = audit.all_rows("total_amount_spent", "total_orders", "total_items_bought")
    expected = {
        "total_amount_spent": sales.filter("is_main")["line_total"].sum(),
        "total_orders": bought.select("customer_id", "order_key").n_unique() if bought.height else 0,
        "total_items_bought": bought["quantity"].sum(),
    }
    wrong = [
        (name, f"{rows[name].sum():f}", f"{value:f}")
        for name, value in ((name, Decimal(value)) for name, value in expected.items())
        if Decimal(rows[name].sum()) != value
    ]
    return Measure(
        len(wrong),
        f"{len(wrong)} of {len(expected)} totals differ from the sum of the purchases",
        {
            "difference": float(
                abs(Decimal(rows["total_amount_spent"].sum()) - Decimal(expected["total_amount_spent"]))
            )
        },
        ("column", "sum of the rows", "sum of the purchases"),
        wrong,
    )


def no_personal_data(audit: Audit) -> Measure:
    """Columns that are named like personal data, or hold an e-mail address."""
    named = [(name, "is named so") for name in audit.table.columns if any(part in name for part in PERSONAL)]
    texts = audit.table.select(pl.col(pl.String).str.contains(E_MAIL).any())
    held = [(name, "holds an e-mail address") for name in texts.columns if texts[name].any()]
    found = sorted([*named, *held])
    return Measure(
        len(found),
        f"{len(found)} of {audit.table.width} columns look like personal data",
        {"columns": len(found)},
        ("column", "why"),
        found[:SAMPLE_ROWS],
    )


def scores_spread(audit: Audit) -> Measure:
    """Share of buyers in each score, against 10 to 35 %, widened by the largest group of equal raw values.

    Equal values cannot be parted: where half of all buyers have one order, half of them have one score.
    """
    buyers = audit.table.filter(pl.col("r_score").is_not_null())
    if buyers.height < MIN_BUYERS:
        return Measure(0, f"{buyers.height} buyers; shares are looked at from {MIN_BUYERS}", {"outside": 0})
    wrong = []
    for score, raw in SCORES.items():
        tied = float(buyers[raw].value_counts()["count"].to_numpy().max()) / buyers.height
        shares = dict(buyers[score].value_counts(normalize=True).iter_rows())
        for quintile in range(1, 6):
            share = shares.get(quintile, 0.0)
            if not BIN_LOW - tied <= share <= BIN_HIGH + tied:
                wrong.append((score, quintile, f"{share:.1%}", f"{tied:.1%}"))
    return Measure(
        len(wrong),
        f"{len(wrong)} of 15 scores hold too few or too many of {buyers.height} buyers",
        {"outside": len(wrong)},
        ("score", "value", "buyers", "largest group of equals"),
        wrong,
        Severity.WARN,
    )


def scores_are_monotone(audit: Audit) -> Measure:
    """Equal raw values with different scores, and scores that move against their raw value."""
    buyers = audit.table.filter(pl.col("r_score").is_not_null())
    wrong: list[tuple[str, str]] = []
    for score, raw in SCORES.items():
        by_value = (
            buyers.group_by(raw)
            .agg(pl.col(score).min().alias("low"), pl.col(score).max().alias("high"))
            .sort(raw, descending=score == "r_score")
        )
        broken = by_value.filter(
            (pl.col("low") != pl.col("high")) | (pl.col("low") < pl.col("high").shift(1))
        )
        wrong += [(score, str(value)) for value in broken[raw]]
    return Measure(
        len(wrong),
        f"{len(wrong)} raw values have a score that a smaller or an equal one contradicts",
        {"contradicted": len(wrong)},
        ("score", "raw value"),
        wrong[:SAMPLE_ROWS],
    )


def model_is_sane(audit: Audit) -> Measure:
    """Parameters of BG/NBD between the bounds of the search, of Gamma-Gamma above the least; values independent.

    On a bound a parameter was not found: the chance to be alive is then the same for everybody, or that of nobody. The
    upper bounds of Gamma-Gamma are no fault: values that are all alike make q and gamma grow without end, and only
    their ratio means anything.
    """
    numbers = audit.built.numbers
    if numbers["btyd_model"] == "none":
        return Measure(0, f"no model: {numbers['btyd_why']}", {"faults": 0})
    r, alpha, a, b = (float(numbers[f"btyd_{name}"]) for name in ("r", "alpha", "a", "b"))
    wrong = [(name, f"{value:.4g}") for name, value in BgNbd(r, alpha, a, b).on_bounds.items()]
    low = math.exp(LOG_BOUNDS[0] + EDGE)
    values = {"p": float(numbers["btyd_p"]), "q - 1": float(numbers["btyd_q"]) - 1}
    wrong += [(name, f"{value:.4g}") for name, value in values.items() if not value > low]
    correlation = float(numbers["btyd_correlation"])
    if abs(correlation) >= MAX_CORRELATION:
        wrong.append(("correlation of frequency and value", f"{correlation:.2f}"))
    return Measure(
        len(wrong),
        f"{numbers['btyd_model']}: {len(wrong)} faults; correlation of frequency and value {correlation:.2f}",
        {"correlation": correlation, "max_correlation": MAX_CORRELATION},
        ("parameter", "value"),
        wrong,
        Severity.WARN,
    )


def backtest_holds(audit: Audit) -> Measure:
    """What the model of 60 days ago said of the days since: total within half and double, closer than the mean rate."""
    numbers = audit.built.numbers
    actual = float(numbers.get("backtest_actual", 0))
    if actual < MIN_ACTUAL or int(numbers["backtest_customers"]) < MIN_BUYERS:
        return Measure(
            0, f"{actual:.0f} purchases came in 60 days; a back-test says something from {MIN_ACTUAL}"
        )
    ratio = float(numbers["backtest_predicted"]) / actual
    mae, usual = (float(numbers[f"backtest_{name}"]) for name in ("mae", "mae_mean_rate"))
    wrong = []
    if not MIN_RATIO <= ratio <= MAX_RATIO:
        wrong.append(("predicted / actual", f"{ratio:.2f}"))
    if mae > usual:
        wrong.append(("mean absolute error / that of the mean rate", f"{mae / usual:.2f}"))
    return Measure(
        len(wrong),
        f"{ratio:.2f} times the purchases that came; mean absolute error {mae:.3f}, of the mean rate {usual:.3f}",
        {"predicted_to_actual": ratio, "mae": mae, "mae_mean_rate": usual},
        ("measure", "value"),
        wrong,
        Severity.WARN,
    )


CHECKS: tuple[Check[Audit], ...] = (
    MONEY,
    Check(
        "everybody_once",
        "Rows against the customers, and whoever bought: everybody has one row.",
        "look at the ids: a join that multiplies or loses rows, or an identity link that changed during the build",
        everybody_once,
        blocking=True,
    ),
    Check(
        "totals_reconcile",
        "Money spent, orders and items of all rows against the sum of the sales of known customers, exactly.",
        "compare with marts.fct_sales; a join that multiplies lines is the usual reason",
        totals_reconcile,
        blocking=True,
    ),
    Check(
        "no_personal_data",
        "Names of columns against a deny list, and texts against the form of an e-mail address.",
        "drop the column, or keep a number or class that tells of nobody",
        no_personal_data,
        blocking=True,
    ),
    Check(
        "scores_are_monotone",
        "R never rises with recency_days, F and M never fall with their raw value, equal values have equal scores.",
        "the scoring is at fault: see `rfm.score`",
        scores_are_monotone,
        blocking=True,
    ),
    Check(
        "scores_spread",
        "Share of buyers in each R, F and M score against 10 to 35 %, where ties allow it.",
        "look at the raw values in the picture: a default value in place of a missing one, or a burst of purchases",
        scores_spread,
    ),
    Check(
        "model_is_sane",
        "Parameters between the bounds of the search; frequency and value correlated by less than 0.3.",
        "take p_alive and clv_180 with care: few repeat buyers, or values that depend on frequency",
        model_is_sane,
    ),
    Check(
        "backtest_holds",
        "Purchases predicted 60 days ago against those that came: 0.5 to 2 times, and closer than the mean rate.",
        "see btyd.json of the version, by number of purchases; a season or a campaign that the model does not know",
        backtest_holds,
    ),
)
"""Of the rows: blocking. Of the model: warnings, since the rest of the table is right without it."""
