"""A process whose extracts kill themselves with SIGKILL: driven by `test_shop_kill` through standard input and output.

Belongs here: the points at which an extract may die, as wrappers around the product's functions. Does not belong here:
what must be true afterwards, and the process itself (`killing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from cdp_assets.landing.shop.compare import Comparison
from cdp_assets.landing.shop.extract import extract
from cdp_assets.landing.shop.stage import Stage
from cdp_assets.sources.shop import ShopDatabase
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.ledger import Ledger
from tests.killing import Point, Trap, after, before, serve
from tests.shop_support import PROMPT

PAGE = 50


def amid_copy(trap: Trap, _: Any) -> None:
    fill = Stage.fill

    def wrapped(self: Stage, blocks: Iterable[bytes]) -> int:
        def watched() -> Iterator[bytes]:
            for block in blocks:
                yield block[: len(block) // 2]
                trap.spring()
                yield block[len(block) // 2 :]

        return fill(self, watched())

    Stage.fill = wrapped  # type: ignore[method-assign]


POINTS: dict[str, Point] = {
    "before a page": before(Stage, "fill"),
    "amid COPY": amid_copy,
    "staged": after(Stage, "fill"),
    "inserted": after(Stage, "insert"),
    "merged": after(Stage, "merge"),
    "quarantine written": after(quarantine, "store"),
    "watermark moved": after(Ledger, "advance"),
    "keys compared": after(Comparison, "run"),
    "tombstones written": after(Stage, "tombstone"),
    "before the end is recorded": before(Ledger, "finish"),
    "before the end is committed": after(Ledger, "finish"),
}


def run(job: dict[str, Any]) -> None:
    POINTS[job["point"]](Trap(job["nth"]), None)
    shop = ShopDatabase({"dsn": job["shop"]}, secret=lambda _: None)
    options = replace(PROMPT, page_rows=PAGE, max_workers=1)
    with Warehouse(job["dsn"]) as warehouse:
        extract(
            warehouse,
            job["tenant"],
            shop,
            mode=job["mode"],
            tables=["orders", "order_items"],
            options=options,
        )


if __name__ == "__main__":
    serve(run)
