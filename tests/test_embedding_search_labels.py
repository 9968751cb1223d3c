"""From a question to hits for a person: embedded by the model that serves, labelled without naming anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from cdp_assets.embedding import models
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.providers.model import Kind, ModelSpec, Provider, Vectors
from cdp_assets.embedding.providers.placeholder import PlaceholderProvider
from cdp_assets.embedding.search import Hit, SearchError, lookalike, search, similar
from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.worker import Worker
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server
from tests.rows import insert

SPEC = ModelSpec("placeholder", "p", "", 32)
OTHER = ModelSpec("placeholder", "other", "", 48)
CANARIES = ("Nguyễn", "canary@shop.vn", "0912345678", "4 Phố Huế")


@dataclass
class Opened:
    """Opens placeholder providers, and keeps what was asked of them."""

    asked: list[tuple[ModelSpec, str, Kind]] = field(default_factory=list)
    closed: int = 0
    meanwhile: Callable[[], None] = lambda: None

    def __call__(self, spec: ModelSpec) -> Provider:
        outer = self

        class Watched(PlaceholderProvider):
            def embed(self, texts: list[str], kind: Kind = "passage") -> Vectors:  # type: ignore[override]
                outer.asked += [(spec, text, kind) for text in texts]
                outer.meanwhile()
                return super().embed(texts, kind)

            def close(self) -> None:
                outer.closed += 1

        return Watched(spec, 16)


def fill(warehouse: Warehouse, spec: ModelSpec) -> None:
    with warehouse.session("acme") as session:
        store = VectorStore(session)
        worker = Worker(warehouse, "acme", spec.model_id, PlaceholderProvider(spec, 16))
        for entity in ENTITIES:
            for batch in worker.batches(entity):
                store.write(batch)


@pytest.fixture
def shop(warehouse: Warehouse, acme: Tenant, postgres: Server, database: str) -> Iterator[Warehouse]:
    """acme with a few rows of each entity and their vectors, as cdp_reader sees it."""
    models.ensure_active(warehouse, "acme", SPEC)
    with warehouse.tenant("acme") as conn:
        for number, title in enumerate(("Giày chạy bộ", "Áo khoác", "Tai nghe")):
            insert(conn, "cdp.product_item", tenant_id="acme", product_key=f"p{number}", title=title, brand="An",
                   category="x", status="published", deleted_at=None)  # fmt: skip
            insert(conn, "cdp.customer_profile", tenant_id="acme", cdp_profile_id=f"c{number}",
                   root_profile_id=f"c{number}", status="active", profile_type="customer", age_group="25-34",
                   city=("Vinh", "Sa Pa", CANARIES[3])[number], first_name=CANARIES[0], email=CANARIES[1],
                   phone=CANARIES[2], deleted_at=None)  # fmt: skip
            insert(conn, "cdp.transactional_context", tenant_id="acme", txn_id=f"t{number}", txn_type="purchase",
                   product_key=f"p{number}", amount="125000.50", currency="VND", deleted_at=None,
                   txn_timestamp="2026-03-01T00:00:00Z")  # fmt: skip
            insert(conn, "cdp.feedback", tenant_id="acme", feedback_id=f"f{number}", feedback_type="review", score=4,
                   comment=f"Tốt lắm {number}, gọi {CANARIES[2]} hoặc {CANARIES[1]}", status="active",
                   deleted_at=None)  # fmt: skip
            insert(conn, "activation.marketing_event", tenant_id="acme", marketing_event_id=f"e{number}",
                   name=f"Hè {number}", channel="email", status="planned", event_type="sale",
                   deleted_at=None)  # fmt: skip
        insert(
            conn, "cdp.profile_segment", tenant_id="acme", segment_id="vip", cdp_profile_id="c0", left_at=None
        )
    fill(warehouse, SPEC)
    with Warehouse(postgres.dsn(database, user="cdp_reader")) as reading:
        yield reading


def test_a_text_finds_the_row_that_has_it_with_score_model_and_label(shop: Warehouse) -> None:
    opened = Opened()
    with shop.tenant("acme") as conn:
        row = conn.execute("select content from embedding.product_text where entity_key = 'p1'").fetchone()
    assert row is not None
    hits = search(shop, "acme", opened, f"  {row[0]}\n", "product", 2)
    assert hits[0] == Hit("p1", pytest.approx(1.0, abs=1e-6), SPEC.model_id, "Áo khoác, An, x")
    assert len(hits) == 2
    assert hits[0].score > hits[1].score
    assert opened.asked == [(SPEC, row[0], "query")], "squeezed as a stored text is, and asked as a query"
    assert opened.closed == 1


LABELS = {
    "profile": "customer, Vinh, 25-34",
    "transaction": "purchase 125000.5 VND 2026-03-01",
    "product": "Giày chạy bộ, An, x",
    "review": "review, score 4",
    "marketing_event": "Hè 0, email, planned",
}


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_label_tells_which_row_it_is_and_names_nobody(shop: Warehouse, entity: str) -> None:
    hits = search(shop, "acme", Opened(), "bất kỳ", entity, 3)
    assert len(hits) == 3
    first = min(hits, key=lambda hit: hit.entity_key)
    assert first.label.startswith(LABELS[entity])
    for hit in hits:
        assert not any(canary in hit.label for canary in CANARIES)


def test_a_model_that_takes_over_between_embedding_and_search_changes_nothing(
    shop: Warehouse, warehouse: Warehouse
) -> None:
    with warehouse.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)
    fill(warehouse, OTHER)

    def flip() -> None:
        with warehouse.tenant("acme") as conn:
            models.activate(conn, "acme", OTHER.model_id)

    assert {hit.model_id for hit in search(shop, "acme", Opened(meanwhile=flip), "áo", "product")} == {
        SPEC.model_id
    }
    assert {hit.model_id for hit in search(shop, "acme", Opened(), "áo", "product")} == {OTHER.model_id}


def test_similar_and_lookalike_leave_out_what_they_were_asked_about(shop: Warehouse) -> None:
    assert {hit.entity_key for hit in similar(shop, "acme", "review", "f1")} == {"f0", "f2"}
    by_profile = lookalike(shop, "acme", profile="c0", k=5)
    assert {hit.entity_key for hit in by_profile} == {"c1", "c2"}
    assert {hit.label for hit in by_profile} == {"customer, Sa Pa, 25-34", "customer, 25-34"}
    assert lookalike(shop, "acme", segment="vip", k=5) == by_profile


REFUSED: dict[str, tuple[Callable[[Warehouse], list[Hit]], str]] = {
    "an entity that there is not": (
        lambda w: search(w, "acme", Opened(), "x", "planet"),
        "unknown entity 'planet'",
    ),
    "similar to one": (
        lambda w: similar(w, "acme", "planet", "x"),
        "unknown entity 'planet', known are profile",
    ),
    "no text": (lambda w: search(w, "acme", Opened(), " \n\0", "product"), "text to search for is empty"),
    "k of zero": (lambda w: search(w, "acme", Opened(), "x", "product", 0), "k is 0, it must be between"),
    "a tenant without a model": (
        lambda w: search(w, "lotus", Opened(), "x", "product"),
        "has no active model",
    ),
    "a key without a vector": (
        lambda w: similar(w, "acme", "product", "nobody"),
        "no vector: it has no text",
    ),
    "a profile that is gone": (lambda w: lookalike(w, "acme", profile="nobody"), "1 seed profiles.*merged"),
    "a segment without members": (
        lambda w: lookalike(w, "acme", segment="nobody"),
        "segment nobody has no members",
    ),
    "neither profile nor segment": (lambda w: lookalike(w, "acme"), "either a profile or a segment"),
    "both": (lambda w: lookalike(w, "acme", profile="c0", segment="vip"), "either a profile or a segment"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_question_that_cannot_be_answered_is_refused_in_words(shop: Warehouse, case: str) -> None:
    ask, message = REFUSED[case]
    with pytest.raises(SearchError, match=message):
        ask(shop)
