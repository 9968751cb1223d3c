"""Checks of dataset A: nothing lost between rows and sums, no look into the future, and who could not be linked.

Belongs here: comparisons of the table and its files with the inputs. Rules of one row are in the contract.
"""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO

import polars as pl

from cdp_assets.datasets.interactions import signals
from cdp_assets.datasets.interactions.pairs import COUNTS
from cdp_assets.datasets.interactions.split import PARTS
from cdp_assets.datasets.model import Audit
from cdp_assets.datasets.sales import MONEY
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

MAX_UNLINKED = 0.05
"""Share of sale lines without a known customer or article: some guests and some articles that were deleted."""

COUNTED = ["purchase_count", "return_count", *COUNTS]


def counts_reconciled(audit: Audit) -> Measure:
    """Every line and event is counted once: sums of the count columns against the inputs."""
    lines = signals.linked_sale_lines(audit.scope, audit.inputs["purchases"])
    told = pl.concat([signals.of_sales(lines), signals.of_events(audit.scope, audit.inputs["events"])])[
        "signal"
    ].value_counts()
    read = dict(told.iter_rows())
    rows = audit.all_rows()
    compared = [
        (column, int(rows[column].sum()), read.get(signal, 0))
        for column, signal in zip(COUNTED, ["purchase", "return", *COUNTS.values()], strict=True)
    ]
    differing = [line for line in compared if line[1] != line[2]]
    return Measure(
        len(differing),
        f"{len(differing)} of {len(compared)} counts differ from the rows read; "
        f"{compared[0][1]} lines bought are in the table, {compared[0][2]} were read",
        {"lines": float(compared[0][1]), "lines_read": float(compared[0][2])},
        ("column", "in the table", "read"),
        differing,
    )


def spend_reconciled(audit: Audit) -> Measure:
    """Money of the table against the lines, to the last decimal."""
    lines = signals.linked_sale_lines(audit.scope, audit.inputs["purchases"]).filter("is_main")
    told, read = _total(audit.all_rows()["total_spent"]), _total(lines["line_total"])
    return Measure(
        int(told != read),
        f"{told} {audit.scope.currency} in the table, {read} in the lines",
        {"spent": float(told), "spent_in_lines": float(read)},
        ("in the table", "in the lines"),
        [(told, read)],
    )


def split_without_leak(audit: Audit) -> Measure:
    """Nothing of train comes after anything of val or test, and train's sums hold train's signals only."""
    parts = pl.read_parquet(BytesIO(audit.built.files["splits.parquet"]))
    train = pl.read_parquet(BytesIO(audit.built.files["train.parquet"]))
    found = [
        *_overlaps(parts, "split", "at").iter_rows(),
        *_overlaps(parts, "leave_last_out", "at", "user").iter_rows(),
    ]
    in_train = parts.filter(pl.col("split") == "train")["signal"]
    for column, signal in (("purchase_count", "purchase"), *COUNTS.items()):
        told, own = train[column].sum(), (in_train == signal).sum()
        if told != own:
            found.append((f"train.parquet {column}", str(told), str(own)))
    return Measure(
        len(found),
        f"{len(found)} places where train knows what came later, among {parts.height} signals",
        {"signals": parts.height, **{part: parts.filter(pl.col("split") == part).height for part in PARTS}},
        ("split", "train up to", "later from"),
        found[:SAMPLE_ROWS],
    )


def sales_linked(audit: Audit) -> Measure:
    """Sale lines whose customer or article is not known."""
    sales = audit.inputs["purchases"].filter("is_revenue")
    unlinked = sales.height - signals.linked_sale_lines(audit.scope, sales).height
    share = unlinked / sales.height if sales.height else 0.0
    return Measure(
        unlinked if share > MAX_UNLINKED else 0,
        f"{unlinked} of {sales.height} sale lines have no known customer or article ({share:.2%}, "
        f"{MAX_UNLINKED:.0%} are usual)",
        {"unlinked": unlinked, "share": share, "max_share": MAX_UNLINKED},
        severity=Severity.WARN,
    )


def spend_not_negative(audit: Audit) -> Measure:
    """Pairs with more money taken back than spent."""
    below = audit.table.filter(pl.col("total_spent") < 0)
    return Measure(
        below.height,
        f"{below.height} pairs have more taken back than bought",
        {"pairs": below.height},
        ("customer_id", "article_id", "total_spent"),
        below.select("customer_id", "article_id", "total_spent").head(SAMPLE_ROWS).rows(),
        Severity.WARN,
    )


def _overlaps(parts: pl.DataFrame, split: str, time: str, *within: str) -> pl.DataFrame:
    """Groups in which a part begins before the one before it has ended: split, end of train, begin of what follows."""
    train, val, test = [pl.col(time).filter(pl.col(split) == part) for part in PARTS]
    ends = parts.group_by(*within) if within else parts.group_by(pl.lit(0).alias("all"))
    spans = ends.agg(
        train.max().alias("train_to"),
        pl.min_horizontal(val.min(), test.min()).alias("later_from"),
        val.max().alias("val_to"),
        test.min().alias("test_from"),
    )
    wrong = (pl.col("train_to") >= pl.col("later_from")) | (pl.col("val_to") >= pl.col("test_from"))
    return spans.filter(wrong.fill_null(value=False)).select(
        pl.lit(split).alias("split"),
        pl.col("train_to").cast(pl.String),
        pl.col("later_from").cast(pl.String),
    )


def _total(money: pl.Series) -> Decimal:
    return Decimal(money.sum() or 0)


CHECKS: tuple[Check[Audit], ...] = (
    MONEY,
    Check(
        "counts_reconciled",
        "Sums of purchases, returns and events per kind against the rows that were read; none may differ.",
        "a defect of the build: compare `signals.py` with the kinds in the sample, and report it",
        counts_reconciled,
        blocking=True,
    ),
    Check(
        "spend_reconciled",
        "Sum of total_spent against the sum of sale lines in the main currency, exactly.",
        "a defect of the build, or a line without a total in the source: compare with marts.fct_sales",
        spend_reconciled,
        blocking=True,
    ),
    Check(
        "split_without_leak",
        "In splits.parquet all of train is before all of val, all of val before all of test (for leave_last_out within "
        "each customer); train.parquet counts signals of train only.",
        "do not train on this version: what a model would learn is what it is asked; report it",
        split_without_leak,
        blocking=True,
    ),
    Check(
        "sales_linked",
        f"Share of sale lines without a known customer or article; above {MAX_UNLINKED:.0%} warns.",
        "look at intermediate.int_customer_links and int_product_links: guests, deleted articles, or keys that do not "
        "match between LEO and the shop",
        sales_linked,
    ),
    Check(
        "spend_not_negative",
        "Customers and articles with more money taken back than spent; one warns.",
        "a return whose purchase is older than the data is right; an amount that the source booked with the wrong sign "
        "is to be mended there",
        spend_not_negative,
    ),
)
