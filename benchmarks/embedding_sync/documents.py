"""The documents that every way reads: profiles and products, in a folder per step, each step changing 5 % of the last.

Belongs here: what is in a step, the text and the row that the peers make of a document. Does not belong here: who
reads it. A folder has arangoexport's layout (`cdp_profile.jsonl`, `cdp_productitem.jsonl`), so that the product's dump
source reads it too, and an index per file, which stands for the `_key` and `_rev` that ArangoDB lists without reading
documents.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.documents import key_of, profile_document
from cdp_assets.sources.model import PRODUCT_ITEM, PROFILE

Document = dict[str, Any]

COLLECTIONS = (PROFILE, PRODUCT_ITEM)
SEED = 20260301
PRODUCTS_EVERY = 5
"""One document in five is a product."""
CHANGED_EVERY = 20
PAGE_DOCUMENTS = 1_000
FIRST_PRODUCT = 10_000_000
"""Products are numbered from here, so that no `_key` is in both collections."""

_GOODS = (
    "Cà phê rang xay",
    "Máy xay",
    "Trà sen",
    "Travel mug",
    "Rain jacket",
    "Balo du lịch",
    "Serum",
    "Desk lamp",
)
_BRANDS = ("Highland", "Trung Nguyên", "Nordwind", "Kumo", "Lotus", "Alder", "Bến Thành", "Sunday")


class Head(NamedTuple):
    """A document without its content: `start` and `size` are its place in the file, in bytes."""

    key: str
    rev: str
    start: int
    size: int


class Documents:
    """One step's documents."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, int] = {}

    def pages(self, collection: str) -> Iterator[list[bytes]]:
        """All documents as raw JSON, in pages, as a cursor over the collection gives them."""
        with (self.folder / f"{collection}.jsonl").open("rb") as file:
            page = []
            for line in file:
                page.append(line)
                if len(page) == PAGE_DOCUMENTS:
                    yield page
                    page = []
            if page:
                yield page

    def heads(self, collection: str) -> list[Head]:
        """Key and revision of every document, none of which is read for it."""
        body = (self.folder / f"{collection}.index").read_bytes()
        return msgspec.json.decode(body, type=list[Head])

    def read(self, collection: str, head: Head) -> bytes:
        """One document; its file stays open as long as the process."""
        if collection not in self._files:
            self._files[collection] = os.open(self.folder / f"{collection}.jsonl", os.O_RDONLY)
        return os.pread(self._files[collection], head.size, head.start)

    def revisions(self) -> dict[str, str]:
        """`_rev` by `_key`, of both collections."""
        return {head.key: head.rev for collection in COLLECTIONS for head in self.heads(collection)}


def write_first(folder: Path, count: int) -> Documents:
    """The first step: `count` documents, always the same ones."""
    products = count // PRODUCTS_EVERY
    _write(folder, PROFILE, (_made(PROFILE, n, profile_document) for n in range(count - products)))
    numbers = range(FIRST_PRODUCT, FIRST_PRODUCT + products)
    _write(folder, PRODUCT_ITEM, (_made(PRODUCT_ITEM, n, _product_document) for n in numbers))
    return Documents(folder)


def write_next(
    before: Documents, folder: Path, step: int, change: Callable[[str, Document, int], None]
) -> Documents:
    """The next step: every twentieth document is changed, other ones in each step; the rest is the same bytes."""

    def changed(collection: str) -> Iterator[bytes]:
        lines = (line for page in before.pages(collection) for line in page)
        for place, line in enumerate(lines):
            if place % CHANGED_EVERY != step % CHANGED_EVERY:
                yield line
                continue
            document = msgspec.json.decode(line)
            change(collection, document, step)
            document["_rev"] = f"_kB{step:02d}{place:08x}"
            document["updatedAt"] = f"2026-03-{step + 1:02d}T08:00:00.000Z"
            yield msgspec.json.encode(document) + b"\n"

    for collection in COLLECTIONS:
        _write(folder, collection, changed(collection))
    return Documents(folder)


def change_text(collection: str, document: Document, step: int) -> None:
    """Another text, by any way's template: an interest of a profile, the description of a product."""
    if collection == PROFILE:
        document["contentKeywords"] = [*document["contentKeywords"], f"sở thích {step}"]
    else:
        document["description"] += f" Phiên bản {step}."


def change_counters(collection: str, document: Document, step: int) -> None:
    """What LEO rewrites all the time and no text has: statistics, scores, numbers of views."""
    if collection == PROFILE:
        document["eventStatistics"] = {name: n + step for name, n in document["eventStatistics"].items()}
        document["totalEngagementScore"] += step
    else:
        document["viewCount"] += step
        document["clickCount"] += step


def text_of(collection: str, document: Document) -> str:
    """Seed 000's text of a profile, with its lists as Python prints them; a product's in the same manner."""
    if collection == PROFILE:
        parts = [_full_name(document)]
        parts += [document.get(name) for name in ("primaryEmail", "primaryPhone", "livingLocation")]
        parts += [
            str(document.get("jobTitles")),
            document.get("dataLabelsAsStr"),
            document.get("inSegmentsAsStr"),
        ]
        parts += [str(document.get("contentKeywords")), str(document.get("productKeywords"))]
    else:
        parts = [document.get(name) for name in ("title", "brand", "categoryName", "description")]
        parts.append(str(document.get("keywords")))
    return " ".join(part for part in parts if part)


COLUMNS = ("id", "tenant_id", "name", "email", "phone", "country", "gender", "age")
"""What a row has besides the document and the vector: text, but for `age`; all but the first two may be null."""


def row_of(collection: str, document: Document) -> Document:
    """The columns of seed 000's profile; a product fills what it has of them."""
    row = {
        **dict.fromkeys(COLUMNS),
        "id": document["_key"],
        "tenant_id": document.get("tenant_id") or "default",
    }
    if collection != PROFILE:
        return {**row, "name": document.get("title")}
    return {
        **row,
        "name": _full_name(document),
        "email": document.get("primaryEmail") or "",
        "phone": document.get("primaryPhone") or "",
        "country": document.get("primaryNationality") or document.get("livingCountry"),
        "gender": {1: "Male", 2: "Female"}.get(document.get("gender", 0)),
        "age": document.get("age"),
    }


def _full_name(profile: Document) -> str | None:
    first, last = profile.get("firstName"), profile.get("lastName")
    return f"{first} {last}" if first and last else profile.get("full_name")


def _made(collection: str, number: int, make: Callable[[int, random.Random], Document]) -> bytes:
    dice = random.Random(f"{SEED}/{collection}/{number}")
    key = key_of(number)
    head = {"_key": key, "_id": f"{collection}/{key}", "_rev": f"_kA{dice.getrandbits(40):010x}"}
    return msgspec.json.encode({**head, **make(number, dice)}) + b"\n"


def _product_document(number: int, dice: random.Random) -> Document:
    goods, brand, price = dice.choice(_GOODS), dice.choice(_BRANDS), dice.randrange(20, 2_000) * 1_000
    sku = number - FIRST_PRODUCT
    return {
        "productId": f"SKU-{sku:05d}", "productCode": f"P-{sku:05d}", "productIdType": "SKU",
        "productType": "general_product", "categoryName": goods, "categoryId": f"cat_{sku % 40}", "brand": brand,
        "title": f"{goods} {brand} {sku}", "keywords": dice.sample(_GOODS, 3),
        "description": f"{goods} của {brand}, mẫu {sku}, giao trong {dice.randint(1, 9)} ngày.",
        "originalPrice": float(price), "salePrice": float(price * 9 // 10), "quantity": dice.randrange(500),
        "priceCurrency": "VND", "availability": "in_stock", "itemCondition": "new", "siteName": "Cửa hàng",
        "siteDomain": "shop.example.com", "sellerName": "Official Store", "groupIds": [key_of(sku % 40)],
        "fullUrl": f"https://shop.example.com/p/{sku}", "headlineImageUrl": f"https://shop.example.com/i/{sku}.jpg",
        "type": 0, "assetType": 2, "contentClass": "product", "status": 9, "privacyStatus": 0, "networkId": 0,
        "slug": f"sku-{sku:05d}", "viewCount": dice.randrange(9_000), "clickCount": dice.randrange(900),
        "transactionCount": dice.randrange(90), "shareCount": 0, "feedbackCount": dice.randrange(20),
        "createdAt": "2025-01-02T03:04:05.000Z", "updatedAt": "2026-02-01T03:04:05.000Z",
    }  # fmt: skip


def _write(folder: Path, collection: str, lines: Iterator[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    heads, start = [], 0
    decoder = msgspec.json.Decoder(dict[str, Any])
    with (folder / f"{collection}.jsonl").open("wb") as file:
        for line in lines:
            document = decoder.decode(line)
            file.write(line)
            heads.append(Head(document["_key"], document["_rev"], start, len(line) - 1))
            start += len(line)
    (folder / f"{collection}.index").write_bytes(msgspec.json.encode(heads))
