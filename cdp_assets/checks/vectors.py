"""Measures of stored vectors by themselves: dimension, finite numbers, length, equal vectors, whose they are.

Belongs here: what one pass over a vector table tells. Does not belong here: texts (`vector_texts`), searches and
earlier fills (`vector_retrieval`).
"""

from __future__ import annotations

from typing import Any, LiteralString

from cdp_assets.checks.vector_subject import VectorSubject
from cdp_assets.embedding.vectors import UNIT
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity, sampled

MAX_DUPLICATES = 0.01
BROKEN_DUPLICATES = 0.05
MIN_DUPLICATES = 3
"""Different texts with equal vectors, as a share of all texts: few are texts that a model cannot tell apart (it cuts
long ones), many are the mark of a broken provider. Up to this many texts pass whatever their share: one pair is 10 %
of 20."""


def dimension(subject: VectorSubject) -> Measure:
    """Vectors whose dimension is not the model's."""
    wanted = subject.model.dimension
    failing, rows, sample = _unfit(subject, "v.dimension <> %(wanted)s", "v.dimension", wanted=wanted)
    return Measure(
        failing,
        f"{failing} of {rows} vectors have not the model's {wanted} dimensions",
        {"vectors": rows, "dimension": wanted},
        ("key", "dimension"),
        sample,
    )


def finite(subject: VectorSubject) -> Measure:
    """Vectors with a component that is no number or without end: no comparison with them means anything."""
    # PostgreSQL holds NaN for greater than infinity.
    failing, rows, sample = _unfit(subject, "v.norm >= 'Infinity'", "v.norm")
    return Measure(
        failing,
        f"{failing} of {rows} vectors hold NaN or infinity",
        {"vectors": rows},
        ("key", "length"),
        sample,
    )


def unit_norm(subject: VectorSubject) -> Measure:
    """Vectors of another length than 1; centres of segments and inner products take them for granted."""
    failing, rows, sample = _unfit(
        subject, "abs(v.norm - 1) > %(unit)s and v.norm < 'Infinity'", "round(v.norm::numeric, 6)", unit=UNIT
    )
    low, high = subject.row(
        "select coalesce(min(norm), 1), coalesce(max(norm), 1) from (select public.vector_norm(embedding) as norm "
        "from {table} where tenant_id = %(tenant)s and model_id = %(model)s) as v where norm < 'Infinity'"
    )
    return Measure(
        failing,
        f"{failing} of {rows} vectors differ in length from 1 by more than {UNIT}",
        {"vectors": rows, "norm_min": low, "norm_max": high, "tolerance": UNIT},
        ("key", "length"),
        sample,
    )


def _unfit(
    subject: VectorSubject, condition: LiteralString, shown: LiteralString, **parameters: Any
) -> tuple[int, int, list[tuple[Any, ...]]]:
    """Exact count, vectors in all, and the first keys with what is shown of them."""
    found = subject.rows(
        "select count(*) over (), v.entity_key, "  # noqa: S608 - literals of this module
        + shown
        + " from (select entity_key, public.vector_dims(embedding) as dimension, "
        "public.vector_norm(embedding) as norm from {table} where tenant_id = %(tenant)s and model_id = %(model)s) "
        "as v where " + condition + " order by 2 limit %(limit)s",
        limit=SAMPLE_ROWS,
        **parameters,
    )
    (rows,) = subject.row(
        "select count(*) from {table} where tenant_id = %(tenant)s and model_id = %(model)s"
    )
    failing, sample = sampled(found)
    return failing, rows, sample


_ALIKE: LiteralString = """
    with vectors as (
        -- digests: sorting whole vectors would spill to disk
        select text_hash, md5(public.vector_send(embedding)) as digest, min(entity_key) as entity_key
        from {table} where tenant_id = %(tenant)s and model_id = %(model)s group by 1, 2
    ),
    alike as materialized (
        select v.digest, v.entity_key from vectors as v
        where v.digest in (select digest from vectors group by 1 having count(*) > 1)
    ),
    told as (
        select
            a.digest, a.entity_key,
            lower(regexp_replace(normalize(t.content, nfd), '[\\u0300-\\u036f]', '', 'g')) as content
        from embedding.texts(%(entity)s, array(select entity_key from alike)) as t
        inner join alike as a using (entity_key)
    ),
    confused as (
        select min(entity_key) as key, count(distinct content) as texts from told
        group by digest having count(distinct content) > 1
    )
    select sum(texts) over (), key, texts from confused order by texts desc, key limit %(limit)s
"""


def duplicate_vectors(subject: VectorSubject) -> Measure:
    """Different texts that have the same vector, as a share of all texts.

    Texts that differ in case and accents only are one text here: the bundled model reads `Giao hàng nhanh` and `giao
    hang nhanh` alike, as 6 % of the demo's reviews are.
    """
    found = subject.rows(_ALIKE, limit=SAMPLE_ROWS)
    (texts,) = subject.row(
        "select count(distinct text_hash) from {table} where tenant_id = %(tenant)s and model_id = %(model)s"
    )
    alike, sample = sampled(found)
    share = alike / texts if texts else 0.0
    is_over = alike > MIN_DUPLICATES and share > MAX_DUPLICATES
    return Measure(
        alike if is_over else 0,
        f"{alike} of {texts} different texts share their vector with another text ({share:.1%}, "
        f"{MAX_DUPLICATES:.0%} are tolerated)",
        {"texts": texts, "texts_alike": alike, "share": share, "max_share": MAX_DUPLICATES},
        ("one of them", "different texts with this vector"),
        sample if is_over else (),
        Severity.ERROR if share > BROKEN_DUPLICATES else Severity.WARN,
    )


def vector_leakage(subject: VectorSubject) -> Measure:
    """Vectors in the tenant's scope that are not its own, and partitions that anybody could read by name."""
    found = subject.rows(
        "select count(*) over (), case when v.tenant_id = %(tenant)s then v.entity_key else '-' end, "
        "case when v.tenant_id <> %(tenant)s then 'belongs to tenant ' || v.tenant_id "
        "else 'this tenant never had it' end "
        "from {table} as v left join {source} as e on e.tenant_id = %(tenant)s and e.{key} = v.entity_key "
        "where v.tenant_id <> %(tenant)s or e.{key} is null order by 2, 3 limit %(limit)s",
        limit=SAMPLE_ROWS,
    )
    # Row level security of the table does not bind who reads a partition by its name: each needs its own.
    open_to_all = subject.rows(
        "select count(*) over (), '-', 'row level security is not forced on embedding.' || c.relname "
        "from pg_partition_tree(%(relation)s) as p inner join pg_class as c on c.oid = p.relid "
        "where c.relname in (%(parent)s, embedding.leaf(%(entity)s, %(tenant)s, ''), "
        "embedding.leaf(%(entity)s, %(tenant)s, %(model)s)) "
        "and not (c.relrowsecurity and c.relforcerowsecurity) order by 3",
        relation=f"embedding.{subject.entity.table}",
        parent=subject.entity.table,
    )
    strays, sample = sampled(found)
    opened, partitions = sampled(open_to_all)
    (visible,) = subject.row("select count(*) from {table}")
    return Measure(
        strays + opened,
        f"{strays} of {visible} visible vectors are not this tenant's own"
        + (f"; {opened} of its partitions are open to other tenants" if opened else ""),
        {"visible_rows": visible, "open_partitions": opened},
        ("key", "problem"),
        [*partitions, *sample][:SAMPLE_ROWS],
    )
