"""`cdp artifacts`: the versions of datasets, looked at, compared, handed on, cleared."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

import click

from cdp_assets.artifacts import retention
from cdp_assets.artifacts.store import ArtifactError, ArtifactStore, Manifest
from cdp_assets.cli.tenants import TENANT
from cdp_assets.cli.terminal import ago, out, table
from cdp_assets.opening import open_artifacts

if TYPE_CHECKING:
    import polars as pl

DATASET = click.argument("dataset")
OF_TENANT = click.option("--tenant", "tenant_id", type=TENANT, required=True, help="Whose versions.")
ONE_TENANT = click.option("--tenant", "tenant_id", type=TENANT, help="One tenant only.")
ONE_DATASET = click.option("--dataset", help="One dataset only.")


@click.group()
def artifacts() -> None:
    """List, show, compare, export and clear the versions of datasets.

    Each build of a dataset that differs from the one before is a version: a folder with its files and a manifest, in
    the folder or object store that CDP_ARTIFACT_ROOT names. One of them is published: the one that passed its checks
    last.

    \b
      cdp artifacts list --tenant acme-demo
      cdp artifacts diff customer_features --tenant acme-demo       what the last build changed
      cdp artifacts export --tenant acme-demo --to data/ml          data/ml/C_customer_features/20260629/...
    """  # noqa: D301 - click wants the character \b itself


@artifacts.command("list")
@ONE_DATASET
@ONE_TENANT
def list_(dataset: str | None, tenant_id: str | None) -> None:
    """List versions, of each dataset and tenant the newest first.

    A version that is not published failed a check, tells of an earlier day than the published one, or has been
    followed by another one.
    """
    store = open_artifacts()
    rows = []
    for name, tenant in _chosen(store, dataset, tenant_id):
        latest = store.latest(name, tenant)
        rows += [
            (name, tenant, manifest.version, manifest.version == latest, manifest.as_of, manifest.rows,
             manifest.size, len(manifest.files), ago(manifest.made_at))
            for manifest in reversed(store.versions(name, tenant))
        ]  # fmt: skip
    table(
        f"{len(rows)} versions in {store.root}",
        ("dataset", "tenant", "version", "published", "as of", "rows", "bytes", "files", "made"),
        rows,
        numeric=("rows", "bytes", "files"),
    )


@artifacts.command()
@DATASET
@OF_TENANT
@click.option("--version", help="The published one when left out.")
def show(dataset: str, tenant_id: str, version: str | None) -> None:
    """Show the manifest of a version of DATASET: rows, times, inputs, code, files."""
    store = open_artifacts()
    manifest = store.manifest(dataset, tenant_id, version or _published(store, dataset, tenant_id))
    out.print(store.uri(dataset, tenant_id, manifest.version))
    out.print_json(manifest.to_json().decode())


@artifacts.command()
@DATASET
@OF_TENANT
@click.option("--from", "before", metavar="VERSION", help="The one made before the other when left out.")
@click.option("--to", "after", metavar="VERSION", help="The published one when left out.")
def diff(dataset: str, tenant_id: str, before: str | None, after: str | None) -> None:
    """Compare two versions of DATASET: columns, rows by their key, and which columns changed.

    The sample shows values; those of datasets hold no names, addresses or the like.
    """
    from cdp_assets.artifacts.diff import diff as compare

    store = open_artifacts()
    new = store.manifest(dataset, tenant_id, after or _published(store, dataset, tenant_id))
    old = store.manifest(dataset, tenant_id, before or _version_before(store, new))
    found = compare(_rows(store, old), _rows(store, new), new.key)
    if found.is_empty:
        out.print(f"{dataset} of {tenant_id}: the tables of {old.version} and {new.version} are the same")
        return
    out.print(f"{dataset} of {tenant_id}: {old.version} -> {new.version}", style="bold")
    table(
        "rows",
        ("added", "removed", "changed", "same"),
        [(found.added, found.removed, found.changed, found.same)],
        numeric=("added", "removed", "changed", "same"),
    )
    columns = [
        *((name, "added") for name in found.columns_added),
        *((name, "removed") for name in found.columns_removed),
        *((name, f"was {was}, is {is_}") for name, was, is_ in found.columns_retyped),
    ]
    if columns:
        table("", ("column", "what"), columns)
    if found.changes:
        table("", ("column", "rows that differ"), found.changes.items(), numeric=("rows that differ",))
        table("", ("key", "column", "before", "after"), found.sample)


@artifacts.command()
@OF_TENANT
@ONE_DATASET
@click.option("--to", required=True, metavar="FOLDER", help="Folder or s3:// address, for example data/ml.")
def export(tenant_id: str, dataset: str | None, to: str) -> None:
    """Copy a tenant's published versions to FOLDER/<NAME>/<YYYYMMDD>/, with a schema.json each.

    NAME is A_user_item_interactions, B_articles_structured, C_customer_features, D_timeseries, E_reviews_nlp or
    F_events_funnels; YYYYMMDD is the last day that the data tells of. Each tenant needs a folder of its own.
    """
    from cdp_assets.artifacts.export import export as copy

    store = open_artifacts()
    done = copy(store, tenant_id, [name for name, _ in _chosen(store, dataset, tenant_id)], to)
    table(
        "",
        ("dataset", "version", "folder", "files", "bytes"),
        [(each.dataset, each.version, each.folder, each.files, each.bytes) for each in done],
        numeric=("files", "bytes"),
    )


@artifacts.command()
@ONE_DATASET
@ONE_TENANT
@click.option(
    "--keep",
    default=retention.KEPT_VERSIONS,
    show_default=True,
    type=click.IntRange(min=1),
    help="Newest versions that stay.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go, and leave it.")
def gc(dataset: str | None, tenant_id: str | None, keep: int, dry_run: bool) -> None:
    """Remove old versions, and what runs that died left behind more than a day ago.

    The published version always stays.
    """
    store = open_artifacts()
    going = retention.plan(
        store,
        _chosen(store, dataset, tenant_id),
        keep=keep,
        now=datetime.now(UTC),
    )
    if not dry_run:
        retention.carry_out(store, going)
    table(
        f"{len(going)} versions {'would go' if dry_run else 'removed'}",
        ("dataset", "tenant", "version", "why", "written", "bytes"),
        [(each.dataset, each.tenant_id, each.version, each.reason, ago(each.last_written), each.bytes)
         for each in going],
        numeric=("bytes",),
    )  # fmt: skip


def _chosen(store: ArtifactStore, dataset: str | None, tenant_id: str | None) -> list[tuple[str, str]]:
    """(dataset, tenant) that were asked for."""
    names = store.names()
    found = [
        (name, tenant) for name, tenant in names if dataset in {None, name} and tenant_id in {None, tenant}
    ]
    if names and not found:
        asked = " of ".join(filter(None, (dataset or "any dataset", tenant_id)))
        raise ArtifactError(
            f"{store.root} has no version of {asked}: it has {', '.join(sorted({name for name, _ in names}))} "
            f"of {', '.join(sorted({tenant for _, tenant in names}))}"
        )
    return found


def _published(store: ArtifactStore, dataset: str, tenant_id: str) -> str:
    version = store.latest(dataset, tenant_id)
    if version is None:
        raise ArtifactError(
            f"{dataset} of {tenant_id} has no published version: `cdp artifacts list` shows those there are"
        )
    return version


def _version_before(store: ArtifactStore, after: Manifest) -> str:
    earlier = [
        manifest.version
        for manifest in store.versions(after.dataset, after.tenant_id)
        if (manifest.made_at, manifest.version) < (after.made_at, after.version)
    ]
    if not earlier:
        raise ArtifactError(
            f"{after.dataset} of {after.tenant_id}: {after.version} is the first version, there is none to compare with"
        )
    return earlier[-1]


def _rows(store: ArtifactStore, manifest: Manifest) -> pl.DataFrame:
    import polars as pl

    return pl.read_parquet(BytesIO(store.read(manifest, f"{manifest.dataset}.parquet")))
