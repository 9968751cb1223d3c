"""Value ranges: rules that every row of a table keeps, whatever the contract let pass.

Belongs here: the rules per table, and how rows that break them are counted. Rows that break a rule of severity
ERROR are wrong; those that only break a WARN rule are unlikely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from cdp_assets.checks.currencies import CURRENCIES
from cdp_assets.checks.subject import Subject
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity
from cdp_assets.vocabulary.order_statuses import STATUSES

MAX_AMOUNT = 10**12
"""Of one line or price in any currency: in VND, 38 million USD."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that rows keep.

    Attributes:
        name: stays the same for ever, its count is plotted.
        broken: SQL condition of a row that breaks it; null counts as kept.
        value: SQL text shown in the sample; no personal data.
    """

    name: LiteralString
    broken: LiteralString
    value: LiteralString
    severity: Severity = Severity.ERROR


def _not_in_future(column: LiteralString) -> Rule:
    # A day: clocks of browsers and shops run ahead by hours, and time zones are mistaken by hours.
    return Rule(f"{column}_in_future", f"{column} > now() + interval '1 day'", f"{column}::text")


def _known_currency(column: LiteralString = "currency") -> Rule:
    return Rule(f"{column}_unknown", f"{column} <> all(%(currencies)s)", column)


def _amount(column: LiteralString) -> tuple[Rule, ...]:
    return (
        Rule(f"{column}_too_large", f"abs({column}) > %(max_amount)s", f"{column}::text"),
        Rule(f"{column}_negative", f"{column} < 0", f"{column}::text", Severity.WARN),
    )


RULES: dict[str, tuple[Rule, ...]] = {
    "segment": (
        Rule("reported_size_negative", "reported_size < 0", "reported_size::text"),
        _not_in_future("created_at"),
        _not_in_future("updated_at"),
    ),
    "customer_profile": (
        Rule("age_out_of_range", "age not between 1 and 130", "age::text"),
        Rule(
            "birth_date_out_of_range",
            "birth_date not between current_date - interval '130 years' and current_date + 1",
            "extract(year from birth_date)::text",
        ),
        _not_in_future("created_at"),
        _not_in_future("updated_at"),
    ),
    "product_item": (
        *_amount("original_price"),
        *_amount("sale_price"),
        _known_currency(),
        _not_in_future("created_at"),
    ),
    "tracking_event": (
        _not_in_future("event_at"),
        Rule("time_spent_negative", "time_spent_s < 0", "time_spent_s::text"),
        *_amount("transaction_value"),
        _known_currency(),
    ),
    "transactional_context": (
        # LEO's edges cannot express a refund; a negative amount or quantity is an import's way to, or a mistake.
        *_amount("amount"),
        Rule("quantity_negative", "quantity < 0", "quantity::text", Severity.WARN),
        _known_currency(),
        _not_in_future("txn_timestamp"),
        Rule("status_unknown", "txn_status <> all(%(statuses)s)", "txn_status"),
    ),
    "feedback": (
        Rule("score_out_of_range", "score not between 0 and 10", "score::text"),
        _not_in_future("created_at"),
    ),
    "customer_metrics": (
        Rule("count_negative", "least(freq_90d, orders, orders_without_rate) < 0",
             "concat_ws(', ', freq_90d, orders, orders_without_rate)"),
        Rule("more_recent_orders_than_orders", "freq_90d > orders or orders_without_rate > orders",
             "concat_ws(', ', freq_90d, orders, orders_without_rate)"),
        Rule("money_negative", "least(avg_order_value, monetary_90d) < 0",
             "concat_ws(', ', avg_order_value, monetary_90d)"),
        # -60 without a purchase, -30 for the basket; at best 40 + 30 + 30.
        Rule("experience_score_out_of_range", "experience_score not between -90 and 100", "experience_score::text"),
        Rule("purchase_without_order", "(last_purchase is not null) and orders = 0", "last_purchase::text"),
        Rule("segment_unknown", "segment <> all(%(segments)s)", "segment"),
        _known_currency(),
        _not_in_future("last_purchase"),
    ),
}  # fmt: skip
"""Rules by table."""

_PARAMETERS = {
    "currencies": sorted(CURRENCIES),
    "max_amount": MAX_AMOUNT,
    "statuses": [status.name for status in STATUSES],
    "segments": ["happy", "prospective", "inactive", "first_time", "target"],
}


def value_range(subject: Subject) -> Measure:
    """Rows that break a rule of their table."""
    rules = RULES[subject.table.name]
    table = sql.Identifier("cdp", subject.table.name)
    live = sql.SQL(" and deleted_at is null" if subject.table.contract else "")
    any_broken = sql.SQL(" or ").join(sql.SQL("({})").format(sql.SQL(rule.broken)) for rule in rules)
    parameters = {**_PARAMETERS, "tenant": subject.tenant_id, "limit": SAMPLE_ROWS}
    counted = sql.SQL(", ").join(
        sql.SQL("count(*) filter (where {})").format(sql.SQL(rule.broken)) for rule in rules
    )
    ((rows, failing, *counts),) = subject.connection.execute(
        sql.SQL(
            "select count(*), count(*) filter (where {any_broken}), {counted} from {table} "
            "where tenant_id = %(tenant)s{live}"
        ).format(any_broken=any_broken, counted=counted, table=table, live=live),
        parameters,
    ).fetchall()
    by_rule = dict(zip(rules, counts, strict=True))
    numbers = {"rows": rows, **{rule.name: count for rule, count in by_rule.items()}}
    if not failing:
        return Measure(0, f"all {rows} rows keep {len(rules)} rules", numbers)
    is_wrong = any(count for rule, count in by_rule.items() if rule.severity is Severity.ERROR)
    values = sql.SQL(", ").join(
        sql.SQL("case when {broken} then {name} || ': ' || ({value}) end").format(
            broken=sql.SQL(rule.broken), name=sql.Literal(rule.name), value=sql.SQL(rule.value)
        )
        # ERROR first, so that the sample is of what is wrong rather than of what is unlikely
        for rule in sorted(rules, key=lambda rule: rule.severity is Severity.WARN)
    )
    sample = subject.connection.execute(
        sql.SQL(
            "select concat_ws(' / ', {keys}), concat_ws('; ', {values}) from {table} "
            "where tenant_id = %(tenant)s{live} and ({any_broken}) order by {is_wrong} desc, 1 limit %(limit)s"
        ).format(
            keys=sql.SQL(", ").join(map(sql.Identifier, subject.table.keys)),
            values=values,
            table=table,
            live=live,
            any_broken=any_broken,
            is_wrong=sql.SQL(" or ").join(
                sql.SQL("coalesce({}, false)").format(sql.SQL(rule.broken))
                for rule in rules
                if rule.severity is Severity.ERROR
            ),
        ),
        parameters,
    ).fetchall()
    found = ", ".join(f"{rule.name} {count}" for rule, count in by_rule.items() if count)
    return Measure(
        failing,
        f"{failing} of {rows} rows break a rule: {found}",
        numbers,
        ("key", "broken rules"),
        sample,
        Severity.ERROR if is_wrong else Severity.WARN,
    )
