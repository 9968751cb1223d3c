"""What a review is about: ten aspects in Vietnamese and English, each with the opinion of its clause.

Belongs here: the words of each aspect, and finding them. Does not belong here: the opinion itself (`sentiment`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import polars as pl

from cdp_assets.datasets.reviews.clauses import wrapped
from cdp_assets.datasets.reviews.vietnamese import keys

WORDS = {
    "quality": """
        chất lượng, cl, hàng đẹp, hàng tốt, hàng xấu, hàng kém, hàng lỗi, hàng hỏng, bền=, độ bền, quality,
        durable, durability, well made, broke, broken, defective, works, working, stopped working, hỏng=,
        bị hỏng, hư=, bị hư, lỗi=
    """,
    "size": """
        size, sai, kích thước, kích cỡ, cỡ=, chật=, rộng=, too small, too big, too large, too tight, too loose,
        sizing, runs small, runs large, small, large, dimensions
    """,
    "fit": """
        form, phom, dáng=, kiểu dáng, vừa vặn, vừa người, vừa chân, mặc vừa, mặc lên, tôn dáng, fit, fits,
        fitted, fitting, true to size
    """,
    "material": """
        chất liệu, vải=, chất vải, vải vóc, chất da, len=, cotton, lụa=, nhựa=, material, fabric, leather,
        texture, cloth
    """,
    "color": """
        màu=, màu sắc, mau sac, mau, phai màu, lệch màu, color, colour, colors, colours, faded, shade
    """,
    "price": """
        giá=, gia, giá cả, giá tiền, đắt=, rẻ=, đáng tiền, đồng tiền, tiền=, price, prices, priced, pricey,
        cost, cheap, expensive, value, money, overpriced, affordable, worth
    """,
    "delivery": """
        giao hàng, giao=, giao nhanh, giao chậm, ship, ship hàng, shipper, vận chuyển, nhận hàng, delivery,
        deliver, delivered, shipping, shipped, arrived, arrive, arrives, courier, giao sai, giao nhầm,
        giao thiếu, giao trễ
    """,
    "packaging": """
        đóng gói, đóng hàng, gói hàng, bao bì, hộp=, hop, thùng=, bọc=, package, packaging, packed, packing,
        box, wrapped, wrapping
    """,
    "service": """
        phục vụ, tư vấn, nhân viên, nv, trả lời, phản hồi, tin nhắn, hỗ trợ, thái độ, chăm sóc khách hàng, cskh,
        dịch vụ, bảo hành, đổi trả, service, staff, seller, support, customer service, answer, answers,
        answered, replied, reply, response, responded, messages
    """,
    "comfort": """
        thoải mái, êm=, êm ái, êm chân, dễ chịu, khó chịu, thoáng, thoáng mát, mềm mại, mềm=, mặc thích,
        dùng thích, dùng rất thích, ngứa, bí=, nóng=, comfort, comfortable, comfy, uncomfortable, soft, itchy,
        cosy, cozy, love using it, love wearing it, easy to use
    """,
}
"""Aspect -> its words, separated by commas; spellings without accents are derived but for words marked `=`."""

ASPECTS = tuple(WORDS)

_INNOCENT = """
    hợp lý, hợp lí, phù hợp, thích hợp, gia đình, giá đỡ, giá treo, mau chóng, tham gia, chuyên gia, gia công,
    giao diện, giao dịch, chân thành, sai hàng
"""


@cache
def _terms() -> pl.DataFrame:
    """Spelling as it is looked for, aspect (null for a trap), and the term that is shown."""
    traps = dict.fromkeys(keys(_INNOCENT))
    known: dict[str, tuple[str | None, str]] = {spelling: (None, spelling) for spelling in traps}
    for aspect, listed in WORDS.items():
        for spelling, stem in keys(listed).items():
            known.setdefault(spelling, (aspect, stem))
    longest_first = sorted(known, key=lambda spelling: (-len(spelling), spelling))
    return pl.DataFrame(
        [(wrapped(spelling), *known[spelling]) for spelling in longest_first],
        schema={"spelling": pl.String, "aspect": pl.String, "term": pl.String},
        orient="row",
    )


def found(
    clauses: pl.DataFrame,
    placed: pl.DataFrame,
    score_of: Callable[[pl.Expr], pl.Expr],
    label_of: Callable[[pl.Expr], pl.Expr],
) -> pl.DataFrame:
    """One row per text and aspect it speaks of: text_id, aspect, score, label, term (the first word found).

    The score is that of the clauses that name the aspect, together; null where none of them has an opinion.
    """
    terms = _terms()
    named = (
        clauses.select(
            "clause_id",
            pl.col("words").str.extract_many(terms["spelling"].to_list(), leftmost=True).alias("spelling"),
        )
        .explode("spelling")
        .join(terms, on="spelling", maintain_order="left")
        .drop_nulls("aspect")
        .unique(["clause_id", "aspect"], keep="first", maintain_order=True)
    )
    strength = pl.col("strength")
    return (
        placed.select("text_id", "clause_id", "strength")
        .join(named, on="clause_id", maintain_order="left")
        .group_by("text_id", "aspect", maintain_order=True)
        .agg(
            pl.when(strength.count() > 0)
            .then(strength.sum() / strength.count().clip(1).sqrt())
            .alias("strength"),
            pl.col("term").first(),
        )
        .sort("text_id", "aspect")
        .select("text_id", "aspect", score_of(pl.col("strength")).alias("score"), "term")
        .with_columns(label_of(pl.col("score")).alias("label"))
    )
