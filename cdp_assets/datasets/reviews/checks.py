"""What is checked of reviews before they are published.

Belongs here: loss of text, links to people and articles, time, personal data, and whether the reading of any language
has gone blind. Does not belong here: what every dataset is checked for (`common_checks`).
"""

from __future__ import annotations

import math

import polars as pl

from cdp_assets.datasets.common_checks import CHANCE, FEW, chance_of
from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Audit
from cdp_assets.datasets.reviews import learned
from cdp_assets.datasets.reviews.contract import LABELS
from cdp_assets.datasets.reviews.normalise import redacted
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

MAX_LOST = 0.02
MAX_STRANGE_ARTICLES, MAX_STRANGE_CUSTOMERS = 0.001, 0.1
"""Shares without an article that is known, and without a customer: surveys may be anonymous, and people are erased."""

MAX_NEUTRAL = 0.6
"""VADER alone calls every Vietnamese text neutral; shoppers who bother to write are so in a third of cases at most."""

MIN_TEXTS = 30
"""Texts of a language below which a share says little."""

MAX_LABEL_PSI = 0.25

MIN_F1 = 0.4
"""Macro-F1 against the stars below which words and stars have little to do with each other; guessing has 0.33."""

MAX_SPAM = 0.1
"""Of all reviews: spam is one in seventy on an ordinary shop, a wave of it is somebody at work."""


def text_survives(audit: Audit) -> Measure:
    """Comments of which nothing is left, neither word nor face, after they were cleaned."""
    written = audit.inputs["reviews"].filter(
        pl.col("comment").str.contains(r"[\p{L}\p{N}\p{Extended_Pictographic}]")
    )
    lost = written.join(audit.table.filter(pl.col("review_text").is_null()), on="review_id", how="semi")
    share = lost.height / max(written.height, 1)
    return Measure(
        lost.height if share > MAX_LOST else 0,
        f"{lost.height} of {written.height} comments have no text left ({share:.2%}, {MAX_LOST:.0%} are tolerated)",
        {"lost": lost.height, "share": share, "max_share": MAX_LOST},
        ("review_id",),
        lost.select("review_id").sort("review_id").head(SAMPLE_ROWS).rows(),
        Severity.ERROR if lost.height > FEW else Severity.WARN,
    )


def links_are_known(audit: Audit) -> Measure:
    """Reviews of articles that nobody sells, and by people whom nobody knows."""
    table = audit.table
    articles = table.filter(pl.col("article_id").is_not_null()).join(
        audit.inputs["articles"], on="article_id", how="anti"
    )
    customers = table.filter(pl.col("customer_id") == UNKNOWN)
    rows = max(table.height, 1)
    shares = (articles.height / rows, customers.height / rows)
    failing = [
        found
        for found, share, most in zip(
            (articles, customers), shares, (MAX_STRANGE_ARTICLES, MAX_STRANGE_CUSTOMERS), strict=True
        )
        if share > most
    ]
    sample = (
        pl.concat(failing).select("review_id", "review_source", "article_id") if failing else table.head(0)
    )
    return Measure(
        sum(found.height for found in failing),
        f"{articles.height} reviews are of articles that are not known ({shares[0]:.2%}), {customers.height} by people "
        f"who are not ({shares[1]:.2%})",
        {"strange_articles": shares[0], "strange_customers": shares[1]},
        ("review_id", "source", "article_id"),
        sample.sort("review_id").head(SAMPLE_ROWS).rows(),
        Severity.WARN,
    )


def not_after_as_of(audit: Audit) -> Measure:
    """Reviews written at or after the end of `as_of`."""
    # all rows: one of tomorrow has an age below zero, which the contract refuses
    late = audit.all_rows("review_id", "created_at").filter(pl.col("created_at") >= audit.scope.until)
    return Measure(
        late.height,
        f"{late.height} reviews were written after {audit.scope.as_of}",
        {"late": late.height},
        ("review_id", "created_at"),
        late.select("review_id", pl.col("created_at").cast(pl.String))
        .sort("review_id")
        .head(SAMPLE_ROWS)
        .rows(),
    )


def looks_personal(texts: pl.DataFrame) -> pl.Series:
    """Whether the redaction would still change `review_text` or `clean_text`, row by row."""
    is_changed = [redacted(texts[name]).ne_missing(texts[name]) for name in ("review_text", "clean_text")]
    return is_changed[0] | is_changed[1]


def nothing_personal(audit: Audit) -> Measure:
    """E-mail addresses and long numbers in a text that would be published; texts that the build withheld for them."""
    found = audit.table.filter(looks_personal(audit.table))
    withheld = audit.table.filter(pl.col("review_text").is_null(), "pii_found")
    named = pl.concat([found, withheld]).select("review_id", pl.col("review_text").str.len_chars())
    return Measure(
        named.height,
        f"{found.height} texts hold an e-mail address or a long number; {withheld.height} are withheld, since the "
        "redaction left one in them",
        {"found": found.height, "withheld": withheld.height},
        ("review_id", "letters"),
        named.head(SAMPLE_ROWS).rows(),
        Severity.ERROR if found.height else Severity.WARN,
    )


def no_language_is_blind(audit: Audit) -> Measure:
    """Share of neutral texts in each language with 30 texts or more."""
    shares = (
        audit.table.filter(pl.col("sentiment_label").is_not_null())
        .group_by("language")
        .agg(pl.len().alias("texts"), (pl.col("sentiment_label") == "neutral").mean().alias("neutral"))
        .filter(pl.col("texts") >= MIN_TEXTS)
        .sort("language")
    )
    blind = shares.filter(pl.col("neutral") > MAX_NEUTRAL)
    return Measure(
        blind.height,
        ", ".join(f"{language}: {share:.0%} neutral" for language, _, share in shares.rows())
        or "too few texts",
        {f"neutral_{language}": share for language, _, share in shares.rows()},
        ("language", "texts", "neutral"),
        blind.rows(),
    )


def spam(audit: Audit) -> Measure:
    """Reviews that are spam, with what makes them so."""
    found = audit.table.filter("is_spam")
    rows = audit.table.height
    share = found.height / max(rows, 1)
    return Measure(
        found.height if rows >= MIN_TEXTS and share > MAX_SPAM else 0,
        f"{found.height} of {rows} reviews are spam ({share:.2%}; {MAX_SPAM:.0%} are tolerated, from {MIN_TEXTS} "
        "reviews)",
        {"spam": found.height, "share": share, "max_share": MAX_SPAM},
        ("review_id", "customer_id", "reasons"),
        found.select("review_id", "customer_id", pl.col("spam_reasons").list.join(", "))
        .sort("review_id")
        .head(SAMPLE_ROWS)
        .rows(),
        Severity.WARN,
    )


def agrees_with_stars(audit: Audit) -> Measure:
    """Macro-F1 of the labels against the stars of the same reviews, by language: the lexicon's and the learned model's.

    A review is read by a model that never saw its stars. Languages with too few rated texts are not measured.
    """
    numbers = audit.built.numbers
    families = sorted(name.removeprefix("f1_learned_") for name in numbers if name.startswith("f1_learned_"))
    columns = ("rated", "sentiment", "f1_lexicon", "f1_learned")
    rows = [(family, *(numbers[f"{column}_{family}"] for column in columns)) for family in families]
    weak = [row for row in rows if max(map(float, row[3:])) < MIN_F1]
    said = [
        f"{family}: {reader} reads it; lexicon {lexicon:.2f}, learned {taught:.2f} over {rated} rated texts"
        for family, rated, reader, lexicon, taught in rows
    ]
    return Measure(
        len(weak),
        "; ".join(said) or f"no language has the {learned.MIN_RATINGS} rated texts that a comparison takes",
        {
            **{name: float(score) for name, score in numbers.items() if name.startswith("f1_")},
            "min_f1": MIN_F1,
        },
        ("language", "rated texts", "read by", "F1 of the lexicon", "F1 of the model"),
        weak,
        Severity.WARN,
    )


def labels_stay(audit: Audit) -> Measure:
    """Population stability index of the sentiment labels against the version before."""
    before = audit.previous
    if before is None or min(before.height, audit.table.height) < MIN_TEXTS:
        return Measure(0, "nothing to compare with: no version before, or too few rows")
    p, q = _shares(before), _shares(audit.table)
    moved = sum((now - then) * math.log(now / then) for then, now in zip(p, q, strict=True))
    limit = MAX_LABEL_PSI + chance_of(len(p), before.height, audit.table.height, CHANCE)
    return Measure(
        int(moved > limit),
        f"labels have a PSI of {moved:.3f} against the version before ({limit:.3f} is tolerated)",
        {"psi": moved, "max_psi": limit},
        severity=Severity.WARN,
    )


def _shares(reviews: pl.DataFrame) -> list[float]:
    """Share of each label, and of none; an empty one counts as half a row."""
    found = dict(reviews["sentiment_label"].value_counts().iter_rows())
    return [max(found.get(label, 0), 0.5) / reviews.height for label in (*LABELS, None)]


CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "text_survives",
        "Comments without any text after cleaning, against 2 % of all comments; five or fewer warn.",
        "look at the reviews in the sample: a redaction that takes too much, or a source that sends codes for text",
        text_survives,
    ),
    Check(
        "links_are_known",
        "Reviews of articles that are not known (0.1 %) and by people who are not (10 %).",
        "sync products and profiles of {tenant} before reviews; an article that is gone keeps its reviews",
        links_are_known,
    ),
    Check(
        "not_after_as_of",
        "Reviews written after the last day of the dataset; there must be none.",
        "look at the clock of the source, and at the time zone of the tenant",
        not_after_as_of,
        blocking=True,
    ),
    Check(
        "nothing_personal",
        "Texts in which the redaction finds an address, a long number or an id: there must be none. One in which the "
        "redaction leaves one is withheld, which warns; its stars are published.",
        "read the reviews of the sample at their source and add their pattern to the redaction",
        nothing_personal,
        blocking=True,
    ),
    Check(
        "no_language_is_blind",
        "Share of neutral texts per language, against 60 %.",
        "read texts of the language in datasets.{table}: its words are missing in the lexicon, or the language is not "
        "the one that was told",
        no_language_is_blind,
    ),
    Check(
        "agrees_with_stars",
        "Macro-F1 of negative, neutral and positive against the stars, per language with 300 rated texts: of the "
        "lexicon, and of the model that the tenant's own reviews taught; the better one answers. At least 0.4.",
        "read reviews of the language whose stars and labels differ (rating_sentiment_conflict in datasets.{table}): "
        "stars that mean something else, or a scale that was turned round",
        agrees_with_stars,
    ),
    Check(
        "spam",
        "Reviews with a link or a contact, of one repeated word, or five a day of one person, against 10 % of all.",
        "look at who wrote those in the sample; spam counts in no figure of an article",
        spam,
    ),
    Check(
        "labels_stay",
        "Population stability index of the labels against the version before: 0.25 above chance warns.",
        "compare the shares on the asset's page: a campaign or a bad batch of goods, or a change of the lexicon",
        labels_stay,
    ),
)
