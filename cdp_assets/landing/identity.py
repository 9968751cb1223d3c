"""Whether a source is the database that a tenant's rows came from.

Belongs here: comparing what was landed with what is behind another address, before a registration is changed. The
address proves nothing: servers move and folders are renamed. Only content tells, since a ledger that followed two
databases would delete the rows of one for those of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.shop.compare import STALE, Comparison
from cdp_assets.landing.shop.queries import Queries
from cdp_assets.landing.shop.shape import shape_of
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.sources.model import FINGERPRINT, PROFILE, Source
from cdp_assets.sources.shop import ShopDatabase
from cdp_assets.sources.shop_catalog import read_catalog
from cdp_assets.warehouse.connection import Warehouse


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much of what was landed a source has: documents or rows of one collection or table."""

    name: str = ""
    landed: int = 0
    found: int = 0

    @property
    def is_same(self) -> bool:
        """Whether it may be the same database: it has most of what was landed, or nothing was."""
        return not self.landed or self.found * 2 > self.landed


def leo_likeness(warehouse: Warehouse, tenant_id: str, source: Source) -> Likeness:
    """Compare keys of the profiles, or of the first collection that was landed.

    Raises:
        SourceError: the source cannot be read.
    """
    of_collection = "from ops.ledger where tenant_id = %s and collection = %s "
    with warehouse.tenant(tenant_id) as conn:
        for collection in sorted(CONTRACTS, key=lambda name: name != PROFILE):
            scope = (tenant_id, collection)
            ((landed,),) = conn.execute(
                f"select count(*) {of_collection} and not starts_with(key, %s)", (*scope, FINGERPRINT)
            ).fetchall()
            if landed:
                found = 0
                for page in source.keys(collection):
                    ((known,),) = conn.execute(
                        f"select count(*) {of_collection} and key = any(%s)",
                        (*scope, [key for key, _ in page]),
                    ).fetchall()
                    found += known
                return Likeness(collection, landed, found)
    return Likeness()


def shop_likeness(warehouse: Warehouse, tenant_id: str, shop: ShopDatabase) -> Likeness:
    """Compare ids with their times of change; ids alone are alike in any two shops.

    Returns:
        The table that is most alike: a nightly batch may have touched every row of another.

    Raises:
        SourceError: the shop cannot be read.
    """
    best = Likeness()
    with shop.snapshot() as snapshot, shop.reader(snapshot) as reader:
        catalog = read_catalog(reader, SPECS)
        for table, spec in SPECS.items():
            if table not in catalog:
                continue
            with warehouse.session(tenant_id) as session:
                # ids and times are compared, which no region changes
                queries = Queries(shape_of(spec, catalog[table], shop.timezone, region=""))
                comparison = Comparison(session, spec, queries, reader)
                comparison.run()
                with session.transaction() as conn:
                    ((stale,),) = conn.execute(
                        sql.SQL(
                            "select count(*) from {} as s join {} as l on l.tenant_id = {} and l.id = s.id "
                            "where l._deleted_at is null"
                        ).format(STALE, spec.relation, sql.Literal(tenant_id))
                    ).fetchall()
            found = Likeness(
                spec.collection, comparison.known, comparison.known - comparison.vanished - stale
            )
            if found.landed and (not best.landed or found.found * best.landed > best.found * found.landed):
                best = found
    return best
