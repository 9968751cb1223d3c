"""Dataset E with pandas: the same logic as a data scientist would write it, for the benchmark only.

Belongs here: the core columns, text by text with `map`, as notebooks and the seed do; joins and groups with pandas.
Left out: aspects' scores, toxicity, spam, confidence, repair of broken encodings, and contract and checks of either
side. The lexicons are those of the product.
"""

from __future__ import annotations

import math
import re
import unicodedata

import pandas as pd
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from benchmarks.datasets.language import detect, folded
from cdp_assets.datasets.model import Scope
from cdp_assets.datasets.reviews import aspects, lexicon_vi
from cdp_assets.datasets.reviews.language import ACCENT
from cdp_assets.datasets.reviews.vietnamese import keys, lexicon

_EMAIL = re.compile(r"\S*@\S*")
_LINK = re.compile(r"(?i)(?:[a-z]+://|www\.)\S+")
_NUMBER = re.compile(r"[+(]*\d(?:[\s.()/_*-]*\d){6,}")
_ORDER = re.compile(r"(?i)\b[a-z]{1,5}[-_]?\d{4,}(?:[-_]\d+)*\b")
_WORD = re.compile(r"[^\W_]+|[\U0001F300-\U0001FAFF\u2600-\u27BF]")
_CLAUSE = re.compile(r"[!?;…\n,]+|\.+(?:\s|$)")
_ACCENT = re.compile(ACCENT)
_VADER = SentimentIntensityAnalyzer()
_MEANING = {row["spelling"]: row for row in lexicon().rows(named=True)}
_ASPECTS = {spelling: aspect for aspect, listed in aspects.WORDS.items() for spelling in keys(listed)}
_LONGEST = 5


def pandas_way(frames: dict[str, pd.DataFrame], scope: Scope) -> pd.DataFrame:
    """One row per review."""
    table = frames["reviews"].drop(columns="language")
    texts = table[table["comment"].notna()].copy()
    texts["review_text"] = texts["comment"].map(_redacted)
    texts["clean_text"] = texts["review_text"].map(
        lambda text: " ".join(re.findall(r"[^\W\d_]+", text.lower()))
    )
    texts["folded"] = texts["clean_text"].map(folded)
    texts["language"] = texts["review_text"].map(detect)
    texts["sentiment_score"] = [
        _score(text, language) for text, language in zip(texts["review_text"], texts["language"], strict=True)
    ]
    texts["aspects"] = texts["review_text"].map(_aspects)
    texts["text_key"] = texts["folded"].map(lambda text: hash(frozenset(text.split())))
    table = table.join(texts[texts.columns.difference(table.columns)])
    table = table.merge(frames["articles"][["article_id", "category_id"]], on="article_id", how="left")
    table["sentiment_label"] = pd.cut(
        table["sentiment_score"],
        [-0.1, 0.4, 0.6, 1.1],
        labels=["negative", "neutral", "positive"],
        right=False,
    )
    table["rating_gap"] = (table["rating"] - 1) / 4 - table["sentiment_score"]
    table["rating_sentiment_conflict"] = table["rating_gap"].abs() > 0.6
    local = table["created_at"].dt.tz_convert(scope.timezone).dt.tz_localize(None).dt.normalize()
    table["review_age_days"] = (pd.Timestamp(scope.as_of) - local).dt.days
    table["written_on"] = local
    table = table.sort_values(["created_at", "review_id"])
    for name, by in {
        "opinion": ["customer_id", "article_id", "rating", "written_on"],
        "copy": ["customer_id", "text_key"],
    }.items():
        first = table.groupby(by)["review_id"].transform("first")
        table[name] = first.where(first != table["review_id"])
    table["duplicate_of"] = table["opinion"].fillna(table["copy"])
    sales = frames["purchases"]
    sales = sales[sales["is_revenue"] & (sales["customer_id"] != "unknown")]
    bought = sales.groupby(["customer_id", "article_id"], as_index=False)["purchased_at"].min()
    table = table.merge(bought, on=["customer_id", "article_id"], how="left")
    table["verified_purchase"] = table["purchased_at"] <= table["created_at"]
    return table.drop(columns=["comment", "written_on", "opinion", "copy", "purchased_at"])


def _redacted(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    for pattern, token in (
        (_EMAIL, "[email]"),
        (_LINK, "[link]"),
        (_ORDER, "[order]"),
        (_NUMBER, "[number]"),
    ):
        text = pattern.sub(token, text)
    return re.sub(r"[ \t]+", " ", text).strip()


def _score(text: str, language: str) -> float:
    strengths = []
    for clause in _CLAUSE.split(text):
        if language == "en" or (language == "mixed" and not _ACCENT.search(clause.lower())):
            compound = min(max(_VADER.polarity_scores(clause)["compound"], -0.999), 0.999)
            found = compound * math.sqrt(15 / (1 - compound * compound)) if compound else None
        else:
            found = _vietnamese(_WORD.findall(clause.lower()))
        if found is not None:
            strengths.append(found)
    if not strengths:
        return 0.5
    total = sum(strengths) / math.sqrt(len(strengths))
    return (total / math.sqrt(total * total + 15) + 1) / 2


def _vietnamese(words: list[str]) -> float | None:
    words = " ".join(lexicon_vi.CHAT.get(word, word) for word in words).split()
    meanings, at = [], 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            found = _MEANING.get(" ".join(words[at : at + length]))
            if found or length == 1:
                meanings.append(found or {})
                at += length
                break
    total, is_known = 0.0, False
    for place, meaning in enumerate(meanings):
        strength = meaning.get("strength")
        if strength is None:
            continue
        is_known = True
        for near in meanings[max(0, place - 3) : place][::-1]:
            if near.get("strength") is not None:
                break
            if near.get("negates"):
                strength *= -0.74
                break
        for near in meanings[max(0, place - 2) : place]:
            strength *= near.get("before") or 1.0
        for near in meanings[place + 1 : place + 3]:
            strength *= near.get("after") or 1.0
        total += strength
    return total if is_known else None


def _aspects(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    found = {
        _ASPECTS.get(" ".join(words[at : at + length]))
        for at in range(len(words))
        for length in range(1, _LONGEST)
    }
    return sorted(aspect for aspect in found if aspect)
