"""Write, audit, publish: a version is written and checked before anybody can see it.

Belongs here: the order of the steps, for every dataset alike. The version's files come first (nobody looks at them
without `LATEST`), then the contract and the checks, then table, quarantine and registry in one transaction, `LATEST` at
the end. A process that dies between the last two leaves `LATEST` at the version before, and the next run mends it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from hashlib import sha256

import polars as pl
from psycopg import sql
from psycopg.errors import UndefinedTable

from cdp_assets.artifacts.store import ArtifactStore, Manifest, content_of
from cdp_assets.datasets import frames, limits
from cdp_assets.datasets.common_checks import COMMON_CHECKS, HISTORY
from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.model import Audit, Built, Dataset, Frames, Scope
from cdp_assets.quality import Check, Measure, Severity
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Connection, Warehouse, without_loops
from cdp_assets.warehouse.frames import Written, as_text, replace_rows
from cdp_assets.warehouse.registry import code_version, git_state, never_built

REFUSED = "refused.parquet"
"""File of a version that leaves anything out (`model.ASIDE`): inputs, and own rows with the rules they break."""

MAX_QUARANTINED = 1_000
"""Rows of one build that go to quarantine; more of them are a fault of the build, which the check reports."""


@dataclass(frozen=True)
class Outcome:
    """What came of one build.

    Attributes:
        measures: of every check, in the order of the catalogue.
        written: rows of the table that changed; None when the version was not published: a blocking check failed, or
            the published version is of a later day.
        latest: the version that is published now; blank before the first.
        is_back: whether the day lies before that of the published version, which stays whatever the checks say.
    """

    dataset: Dataset
    manifest: Manifest
    audit: Audit
    measures: tuple[tuple[Check[Audit], Measure], ...]
    written: Written | None
    latest: str
    is_back: bool = False

    @property
    def is_published(self) -> bool:
        """Whether table and `LATEST` are this version."""
        return self.written is not None

    @property
    def blocked_by(self) -> list[str]:
        """Names of the checks that kept the version from being published."""
        return [check.name for check, found in self.measures if _blocks(check, found)]


def checks_of(dataset: Dataset) -> tuple[Check[Audit], ...]:
    """All checks of a dataset: those of every dataset, and its own."""
    return (*COMMON_CHECKS, *dataset.checks)


class InputMissing(Exception):
    """A dataset or model that is to be read was never built. The message names it and the remedy."""


def read_inputs(warehouse: Warehouse, scope: Scope, names: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Inputs as one snapshot shows them.

    Raises:
        InputMissing: one is a dataset that was never built; read as empty, it would be counted as zeros.
    """
    made_by = sorted({name for name in (frames.FRAMES[name].made_by for name in names) if name})
    with warehouse.snapshot(scope.tenant_id) as conn:
        missing = never_built(conn, scope.tenant_id, made_by)
        if missing:
            raise InputMissing(
                f"{' and '.join(missing)} must be there first; materialize the assets upstream, or all datasets with "
                "the job `datasets_refresh`"
            )
        with without_loops(conn):
            return {name: frames.read(conn, scope, name) for name in names}


def main_currency(warehouse: Warehouse, tenant_id: str) -> str:
    """The currency in which a tenant's money is added up, as the marts have it.

    Raises:
        InputMissing: the view that says so is not there.
    """
    try:
        with warehouse.tenant(tenant_id) as conn:
            row = conn.execute("select currency from intermediate.int_main_currency").fetchone()
    except UndefinedTable as error:
        raise InputMissing(
            f"intermediate.int_main_currency is not there yet; `cdp dbt --tenant {tenant_id} build` makes it"
        ) from error
    assert row is not None
    return str(row[0])


def published_rows(warehouse: Warehouse, tenant_id: str, dataset: Dataset) -> tuple[int, ...]:
    """Rows of the versions that the last runs published, oldest first."""
    with warehouse.tenant(tenant_id) as conn:
        found = conn.execute(
            "select (metrics ->> 'rows')::bigint from ops.etl_runs where tenant_id = %s and dataset = %s "
            "and artifact_uri is not null order by started_at desc limit %s",
            (tenant_id, f"datasets.{dataset.name}", 2 * HISTORY),
        ).fetchall()
    return tuple(rows for (rows,) in reversed(found))


def build(
    warehouse: Warehouse, store: ArtifactStore, dataset: Dataset, scope: Scope, inputs: Frames, run_id: str
) -> Outcome:
    """Build, check and publish one dataset of one tenant.

    A day before that of the published version is a look back: its version is written and checked, and table, `LATEST`
    and quarantine stay. The tenant's newest whole day is always published, also when its clock went back.

    Raises:
        dataframely.exc.SchemaError: the build's columns are not those of its contract.
        psycopg.Error: the table refused a row that the contract let pass; nothing is published.
    """
    published = store.latest(dataset.name, scope.tenant_id)
    is_back = not scope.is_newest and _day_of(store, dataset, scope.tenant_id, published) > scope.as_of
    previous = _previous(store, dataset, scope.tenant_id, published)
    inputs, aside = limits.screened(scope, inputs)
    built = dataset.build(scope, **inputs, **previous)
    kept, failures = dataset.contract.filter(built.table)
    table = kept.sort(dataset.sorts_by or dataset.key)
    refused = failures.details()
    left_out = pl.concat([aside, _refused(dataset, refused)])
    if left_out.height:
        built = replace(built, files={**built.files, REFUSED: parquet(left_out)})
    manifest, files = version_of(dataset.name, dataset.letter, dataset.key, scope, table, built, inputs)
    store.put(manifest, files)
    audit = Audit(
        scope,
        table,
        refused,
        inputs,
        built,
        # later versions say nothing of an earlier day
        () if is_back else published_rows(warehouse, scope.tenant_id, dataset),
        partial(_read_version, store, dataset.name, scope.tenant_id, None if is_back else published),
        tuple(dataset.key),
        dataset.pooled,
        aside,
    )
    measures = tuple((check, check.measure(audit)) for check in checks_of(dataset))
    if is_back or any(_blocks(check, found) for check, found in measures):
        return Outcome(dataset, manifest, audit, measures, None, published or "", is_back)
    with warehouse.tenant(scope.tenant_id) as conn:
        written = replace_rows(
            conn, scope.tenant_id, sql.Identifier("datasets", dataset.name), dataset.key, table
        )
        _quarantine(conn, scope.tenant_id, dataset, refused, aside, run_id)
        record_files(conn, store, manifest, run_id)
    store.publish(dataset.name, scope.tenant_id, manifest.version)
    return Outcome(dataset, manifest, audit, measures, written, manifest.version)


def _blocks(check: Check[Audit], found: Measure) -> bool:
    return check.blocking and not found.passed and found.severity is Severity.ERROR


def record_files(conn: Connection, store: ArtifactStore, manifest: Manifest, run_id: str) -> None:
    """Say in the registry which files of a version a run publishes."""
    uri = store.uri(manifest.dataset, manifest.tenant_id, manifest.version)
    conn.cursor().executemany(
        "insert into ops.etl_artifacts (tenant_id, run_id, dataset, version, name, uri, bytes, sha256) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (manifest.tenant_id, run_id, manifest.dataset, manifest.version, file.name, f"{uri}/{file.name}",
             file.bytes, file.sha256)
            for file in manifest.files
        ],
    )  # fmt: skip


def version_of(
    name: str,
    letter: str,
    key: Sequence[str],
    scope: Scope,
    table: pl.DataFrame,
    built: Built,
    inputs: Frames,
) -> tuple[Manifest, dict[str, bytes]]:
    """The version that a table is, and its files; the rows come in the order in which they are to be stored."""
    files = {f"{name}.parquet": parquet(table), **built.files}
    digest, listed = content_of(files)
    times = table[built.time_column] if built.time_column else None
    commit, is_dirty = git_state()
    manifest = Manifest(
        dataset=name,
        tenant_id=scope.tenant_id,
        version=f"{scope.as_of:%Y%m%d}-{digest[:12]}",
        as_of=scope.as_of,
        sha256=digest,
        rows=table.height,
        columns=tuple((name, str(type_)) for name, type_ in table.schema.items()),
        min_time=_time(times.min()) if times is not None else None,
        max_time=_time(times.max()) if times is not None else None,
        inputs={name: {"rows": frame.height, "sha256": _hash(frame)} for name, frame in inputs.items()},
        code_version=code_version(),
        git_sha=commit,
        git_dirty=is_dirty,
        made_at=datetime.now(UTC),
        files=listed,
        key=tuple(key),
        letter=letter,
    )
    return manifest, files


def _hash(frame: pl.DataFrame) -> str:
    """Of a frame's rows in whatever order: the warehouse promises none."""
    return sha256(frame.hash_rows(seed=0).sort().to_numpy().tobytes()).hexdigest()


def _time(value: object) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(f"{value}T00:00:00+00:00")


def _previous(
    store: ArtifactStore, dataset: Dataset, tenant_id: str, version: str | None
) -> dict[str, dict[str, bytes]]:
    """The keyword `previous` of a build that continues the published version; empty for all others."""
    if not dataset.continues:
        return {}
    if version is None:
        return {"previous": {}}
    manifest = store.manifest(dataset.name, tenant_id, version)
    there = {file.name for file in manifest.files} & set(dataset.continues)
    return {"previous": {name: store.read(manifest, name) for name in sorted(there)}}


def _day_of(store: ArtifactStore, dataset: Dataset, tenant_id: str, version: str | None) -> date:
    """The last day that counts in a version; the first of all days where there is none."""
    return date.min if version is None else store.manifest(dataset.name, tenant_id, version).as_of


def _read_version(
    store: ArtifactStore, dataset: str, tenant_id: str, version: str | None
) -> pl.DataFrame | None:
    if version is None:
        return None
    manifest = store.manifest(dataset, tenant_id, version)
    return pl.read_parquet(store.read(manifest, f"{dataset}.parquet"))


def _rules(dataset: Dataset, refused: pl.DataFrame) -> list[str]:
    return [name for name in refused.columns if name not in dataset.contract.columns()]


def _refused(dataset: Dataset, refused: pl.DataFrame) -> pl.DataFrame:
    """Rows that broke the contract, as `ASIDE`; the rules that they break in the place of the column."""
    broken = [pl.when(pl.col(rule) == "invalid").then(pl.lit(rule)) for rule in _rules(dataset, refused)]
    return refused.select(
        pl.lit(dataset.name).alias("input"),
        pl.concat_str(pl.col(dataset.key).cast(pl.String), separator="/", ignore_nulls=True).alias("key"),
        pl.concat_str(broken, separator=", ", ignore_nulls=True).alias("column"),
        pl.lit(None, pl.String).alias("value"),
        pl.lit("breaks the rule").alias("reason"),
        pl.lit(limits.ROW).alias("what"),
    ).sort(pl.all())


def _quarantine(
    conn: Connection,
    tenant_id: str,
    dataset: Dataset,
    refused: pl.DataFrame,
    aside: pl.DataFrame,
    run_id: str,
) -> None:
    """Rows that broke the contract with the rules they broke, and what of the inputs was set aside with the reason.

    Entries of what is right now are closed. The entry of an input's row holds its key: the row is at the source.
    """
    collection = f"datasets.{dataset.name}"
    rules = _rules(dataset, refused)
    rejects = {}
    for row in as_text(refused.head(MAX_QUARANTINED)).rows(named=True):
        key = "/".join(str(row[name]) for name in dataset.key)[:250] or "unknown"
        broken = tuple(rule for rule in rules if row[rule] == "invalid")
        document = {name: row[name] for name in dataset.contract.columns()}
        rejects[key] = quarantine.Reject(
            key, "", f"breaks the rule {', '.join(broken)}", broken, False, json.dumps(document, default=str)
        )
    odd = aside.group_by("input", "key", maintain_order=True).agg(
        "column",
        pl.format("{} {}", "column", "reason").alias("reasons"),
        (pl.col("what") == limits.VALUE).all().alias("is_kept"),
    )
    for row in odd.head(MAX_QUARANTINED).rows(named=True):
        key = f"{row['input']}/{row['key'] or 'unknown'}"[:250]
        document = {"input": row["input"], "key": row["key"]}
        rejects[key] = quarantine.Reject(
            key, "", "; ".join(row["reasons"]), tuple(row["column"]), row["is_kept"], json.dumps(document)
        )
    known = quarantine.open_keys(conn, tenant_id).get(collection, [])
    gone = [key for key in known if key not in rejects]
    if gone:
        quarantine.resolve(conn, tenant_id, collection, gone, "landed")
    quarantine.store(conn, tenant_id, collection, list(rejects.values()), run_id=run_id)
