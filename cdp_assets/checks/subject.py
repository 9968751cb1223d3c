"""What a check of landing looks at: one table of one tenant, and what it may read.

Belongs here: what every measuring module of landing shares. A measure reads in the transaction of the tenant that it is
handed, with bind variables, and writes nothing; what it found is a `quality.Measure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from cdp_assets.landing.contract import Contract
from cdp_assets.sources.model import CONVERSION, Signature, Source, Total
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.ledger import Ledger, Watermark
from cdp_assets.warehouse.options import TenantOptions


@dataclass(frozen=True, slots=True)
class Table:
    """A table of schema `cdp`.

    Attributes:
        name: its name.
        keys: columns of the primary key after tenant_id.
        contract: of the collection that it holds; None for a table that is derived from others.
    """

    name: str
    keys: tuple[str, ...]
    contract: Contract | None = None

    @classmethod
    def of(cls, contract: Contract) -> Table:
        """The table that a contract's documents land in."""
        return cls(contract.table, (contract.key,), contract)

    @property
    def collection(self) -> str:
        """The LEO collection that lands here; only of a table with a contract."""
        return self._landed.collection

    @property
    def document(self) -> str:
        """The column with the source document; only of a table with a contract."""
        return self._landed.document_column

    @property
    def time(self) -> str:
        """The column that says when the source saved a row, or failing that made it; with a contract only."""
        return next(name for name in ("updated_at", "created_at") if name in self._landed.schema.columns())

    @property
    def _landed(self) -> Contract:
        assert self.contract is not None, f"cdp.{self.name} is derived: it has no collection and no documents"
        return self.contract


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What the source says of one collection, read before the transaction is opened.

    Attributes:
        before, after: change signatures around the reading; different ones mean that the source moved meanwhile.
        totals: money per currency; only of conversions.
    """

    before: Signature
    after: Signature
    totals: tuple[Total, ...] = ()


def read_source(source: Source, collection: str) -> SourceFacts:
    """Ask the source what landing is compared with.

    Raises:
        SourceError: it cannot be read.
    """
    before = source.signature(collection)
    if collection != CONVERSION:
        return SourceFacts(before, before)
    totals = tuple(source.totals())
    return SourceFacts(before, source.signature(collection), totals)


@dataclass(frozen=True, slots=True)
class Subject:
    """One table of one tenant, and all that a measure may read.

    Attributes:
        connection: in a transaction of the tenant.
        quarantine_share: share of rejects that the installation tolerates.
        options: of the tenant.
        source: facts of the source, for checks that compare with it.
    """

    connection: Connection
    tenant_id: str
    table: Table
    options: TenantOptions
    quarantine_share: float
    source: SourceFacts | None = None

    def rows(self, statement: LiteralString, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query.

        `{table}` and `{key}` are filled in and %(tenant)s is bound; `{document}`, `{time}` and %(collection)s too
        for a table with a contract.
        """
        table = self.table
        names = {"table": sql.Identifier("cdp", table.name), "key": sql.Identifier(table.keys[0])}
        scope = {"tenant": self.tenant_id}
        if table.contract is not None:
            names |= {"document": sql.Identifier(table.document), "time": sql.Identifier(table.time)}
            scope["collection"] = table.collection
        query = sql.SQL(statement).format(**names)
        return self.connection.execute(query, {**scope, **parameters}).fetchall()

    def row(self, statement: LiteralString, **parameters: Any) -> tuple[Any, ...]:
        """Run a query that gives exactly one row."""
        (row,) = self.rows(statement, **parameters)
        return row

    def watermark(self) -> Watermark:
        """How far the collection has come."""
        return Ledger(self.tenant_id, self.table.collection).watermark(self.connection)

    def facts(self) -> SourceFacts:
        """What the source says; only for checks that are declared to read it."""
        assert self.source is not None, "the catalogue must declare this check with reads_source"
        return self.source

    def is_settled(self) -> bool:
        """Whether the source is as the last full sweep saw it, so that every difference is ours."""
        facts = self.facts()
        return facts.before.revision == facts.after.revision == self.watermark().signature_revision
