"""Which language a text is in: Vietnamese with or without accents, English, both, another, or none that can be told.

Belongs here: evidence of words. Vietnamese syllables have one of few shapes, also without accents (`hang dep lam shop
oi`), and most English words do not; where a word could be either, lists of common words decide.
"""

from __future__ import annotations

from functools import cache

import polars as pl

from cdp_assets.datasets.reviews import lexicon_en, lexicon_vi
from cdp_assets.datasets.reviews.clauses import split, words
from cdp_assets.datasets.reviews.normalise import folded

VI, VI_NOACCENT, EN, MIXED, OTHER, NONE = "vi", "vi_noaccent", "en", "mixed", "other", "none"
LANGUAGES = (VI, VI_NOACCENT, EN, MIXED, OTHER, NONE)

SYLLABLE = (
    r"^(?:ngh|ng|gh|gi|kh|nh|ph|qu|th|tr|ch|[bcdghklmnprstvx])?"
    r"(?:uyu|uye|uya|ieu|yeu|oai|oay|oeo|uay|uoi|uou|uoa|ai|ao|au|ay|eo|eu|ia|ie|iu|oa|oe|oi|oo|ua|ue|ui|uo|uu|uy|ye|ya"
    r"|[aeiouy])(?:ch|nh|ng|[cmnpt])?$"
)
ACCENT = r"[ăâđêôơưáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ]"
FOREIGN = r"[^\x00-\x7Făâđêôơưáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ]"

BARE = """
    khong hang dep giao nhanh chat luong san pham rat tot shop mua nhe nha minh dung thich ung hoi cham qua lam
    duoc cung nhung voi cho cua nay thi ma nen van moi lai da se dang bi tu nhiet tinh dong goi can than gia hop
    ly mau hinh size ao quan giay vai mong day xau te that vong tra loi tin nhan vay oi a vien phuc vu hai long
    on tam binh thuong roi con co la va nguoi nhieu it lan sau truoc em chi ban ok uy chinh nhu anh mac vua xinh
    hong thieu doi hoan tien ship nguon sac pin thom kem mui lau hu vo be rach mop an ngon re dat toi
"""
"""Bare syllables that shoppers write most."""

LOANS = """
    ok oke shop size ship sale form hotline sp ib rep app web online hot men code free good nice cute fake auth
"""
"""Words of shoppers of either language: they say nothing."""

EITHER = """
    a an am can to me i so no the it in on at we he she then than long hot men come cat hat pin bin son ban do
    be may
"""
"""English words in the shape of a Vietnamese syllable."""


@cache
def english() -> frozenset[str]:
    """English words of the lexicon and those that shoppers write most."""
    from cdp_assets.datasets.reviews.english import lexicon

    known = {word for word in lexicon() if word.isascii() and word.isalpha() and len(word) > 2}
    return frozenset(known | set(lexicon_en.COMMON.split()))


def evidence(tokens: pl.Series) -> pl.DataFrame:
    """What each distinct word says: token, vi, en (0 to 2), accented, foreign, letters."""
    token, plain = pl.col("token"), pl.col("plain")
    frame = pl.DataFrame({"token": tokens.unique()}).with_columns(folded(token).alias("plain"))
    is_syllable = plain.str.contains(SYLLABLE)
    is_accented = token.str.contains(ACCENT) & is_syllable
    is_foreign = token.str.contains(FOREIGN)
    is_strange = token.str.contains(ACCENT) & ~is_syllable
    is_loan = token.is_in(LOANS.split())
    is_english = token.is_in(list(english()))
    is_either = token.is_in(EITHER.split())
    is_chat = token.is_in(list(lexicon_vi.CHAT)) & ~is_english
    is_word = token.str.contains(r"\p{L}")
    return frame.with_columns(
        pl.when(~is_word | is_loan | is_foreign).then(0.0)
        .when(is_accented).then(2.0)
        .when(is_either).then(0.3)
        .when(is_syllable & plain.is_in(BARE.split())).then(1.2)
        .when(is_chat | (is_syllable & ~is_english)).then(0.7)
        .when(is_syllable).then(0.2)
        .otherwise(0.0).alias("vi"),
        pl.when(~is_word | is_loan | is_foreign | is_accented | is_chat).then(0.0)
        .when(is_either).then(0.5)
        .when(is_english & is_syllable & plain.is_in(BARE.split())).then(0.3)
        .when(is_english).then(1.2)
        .when(~is_syllable).then(0.4)
        .otherwise(0.0).alias("en"),
        (is_word & is_accented).alias("accented"),
        (is_word & is_english & ~is_loan).alias("english"),
        (is_word & (is_foreign | is_strange)).alias("foreign"),
        is_word.alias("letters"),
    ).drop("plain")  # fmt: skip


def detect(texts: pl.DataFrame) -> pl.DataFrame:
    """Language of each text (text_id, said): text_id, language, language_confidence; none for one without a word."""
    placed = split(texts).with_row_index("clause_id")
    tokens = placed.select(
        "clause_id", words(pl.col("clause")).str.strip_chars().str.split("  ").alias("token")
    ).explode("token")
    return of_texts(placed.join(of_clauses(placed, tokens), on="clause_id", maintain_order="left"))


def of_clauses(clauses: pl.DataFrame, tokens: pl.DataFrame) -> pl.DataFrame:
    """Evidence of each clause (clause_id): the sums over its words (clause_id, token)."""
    found = tokens.join(evidence(tokens["token"]), on="token", how="left")
    sums = found.group_by("clause_id").agg(
        pl.col("vi", "en").sum(),
        pl.col("accented", "english", "foreign", "letters").sum().cast(pl.Float64),
    )
    return (
        clauses.select("clause_id")
        .join(sums, on="clause_id", how="left")
        .with_columns(pl.exclude("clause_id").fill_null(0.0))
    )


def of_texts(placed: pl.DataFrame) -> pl.DataFrame:
    """Language of each text from its clauses (text_id, and the evidence of each): text_id, language, confidence.

    Mixed: at least a fifth of the words are in clauses of the other language, two words or more. The confidence is the
    share of the evidence that speaks for the answer, less the fewer words there are.
    """
    vi, en, letters = pl.col("vi"), pl.col("en"), pl.col("letters")
    in_en, in_vi = pl.col("in_en"), pl.col("in_vi")
    least = pl.min_horizontal(in_en, in_vi)
    share = pl.max_horizontal(vi, en) / (vi + en)
    is_mixed = (least >= 2) & (least / (in_en + in_vi) >= 0.2)
    return (
        placed.with_columns(
            pl.when(en > vi).then(letters).otherwise(0.0).alias("in_en"),
            pl.when(vi >= en).then(letters).otherwise(0.0).alias("in_vi"),
        )
        .group_by("text_id")
        .agg(pl.col("vi", "en", "accented", "english", "foreign", "letters", "in_en", "in_vi").sum())
        .select(
            "text_id",
            pl.when(letters == 0).then(pl.lit(NONE))
            .when(pl.col("foreign") * 2 > letters).then(pl.lit(OTHER))
            .when(vi + en == 0).then(pl.lit(NONE))
            .when(is_mixed).then(pl.lit(MIXED))
            # no English word at all among four, or among fewer with letters that neither language has
            .when((en > vi) & (pl.col("english") == 0) & ((letters >= 4) | (pl.col("foreign") > 0)))
            .then(pl.lit(OTHER))
            .when(en > vi).then(pl.lit(EN))
            # one accented word in eight is a name or a brand; a writer with accents leaves few words bare
            .when(pl.col("accented") * 8 >= letters).then(pl.lit(VI))
            .otherwise(pl.lit(VI_NOACCENT))
            .alias("language"),
            pl.when((letters > 0) & (vi + en > 0)).then((share * letters / (letters + 1)).round(6)).otherwise(0.0)
            .alias("language_confidence"),
        )
    )  # fmt: skip
