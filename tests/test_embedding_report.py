"""What an asset's page shows of vectors: counts, neighbours under labels that name nobody, and the map of profiles."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import pytest

from cdp_assets.embedding import map as profile_maps
from cdp_assets.embedding import models
from cdp_assets.embedding.entities import ENTITIES, PRODUCT, PROFILE, REVIEW, TRANSACTION
from cdp_assets.embedding.map import DOTS, OTHER, principal_axes, profile_map
from cdp_assets.embedding.report import VectorTableReport, vector_table_report
from cdp_assets.embedding.samples import draw
from cdp_assets.embedding.store import VectorStore
from cdp_assets.pictures import png
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server
from tests.rows import insert
from tests.vectored import MODEL, SPEC, vectored_world

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def filled(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Two filled tenants, which are only looked at."""
    name = vectored_world(postgres, tmp_path_factory)
    with Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse:
        yield warehouse


def report(warehouse: Warehouse, tenant_id: str, entity: str) -> VectorTableReport:
    with warehouse.tenant(tenant_id) as conn:
        return vector_table_report(conn, tenant_id, ENTITIES[entity], models.model_of(conn, tenant_id, MODEL))


def shown(found: VectorTableReport) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in found.neighbours.splitlines()[2:]
    ]


def test_a_report_counts_rows_texts_and_lengths(filled: Warehouse) -> None:
    found = report(filled, "acme", "transaction")
    assert (found.rows, found.texts) == (152, 73)
    assert (found.norm_min, found.norm_mean, found.norm_max) == (1.0, 1.0, 1.0)
    assert [column[:3] for column in found.columns] == [
        ("tenant_id", "text", False),
        ("model_id", "text", False),
        ("entity_key", "text", False),
        ("text_hash", "bytea", False),
        ("embedding", "vector", False),
        ("embedded_at", "timestamp with time zone", False),
    ]


def test_neighbours_are_the_nearest_of_other_texts(filled: Warehouse) -> None:
    with filled.session("acme") as session:
        frame = VectorStore(session).read(TRANSACTION.name, MODEL)
    keys, hashes = frame["entity_key"].to_list(), frame["text_hash"].to_list()
    vectors = frame["embedding"].to_numpy()
    rows = shown(report(filled, "acme", "transaction"))
    assert len(rows) == 5
    for key, _, *cells in rows:
        own = keys.index(key)
        best: dict[bytes, float] = {}
        for text_hash, score in zip(hashes, vectors @ vectors[own], strict=True):
            if text_hash != hashes[own]:
                best[text_hash] = float(score)
        expected = [f"{score:.3f}" for score in sorted(best.values(), reverse=True)[:3]]
        assert [cell.split(" ")[0] for cell in cells] == expected


def test_labels_tell_a_person_what_a_row_is(filled: Warehouse) -> None:
    with filled.tenant("acme") as conn:
        titles = {row[0] for row in conn.execute("select title from cdp.product_item")}
    for _, label, *cells in shown(report(filled, "acme", "product")):
        assert label.split(", ")[0] in {title.split(", ")[0] for title in titles}
        assert all(": " in cell for cell in cells)


@pytest.mark.parametrize("entity", [PROFILE.name, TRANSACTION.name, REVIEW.name])
def test_a_report_names_nobody(filled: Warehouse, entity: str) -> None:
    found = report(filled, "acme", entity).neighbours
    with filled.tenant("acme") as conn:
        people = conn.execute("select full_name, email, phone from cdp.customer_profile").fetchall()
    given = [value for person in people for value in person if value and len(value) > 4]
    assert len(given) > 200
    assert [value for value in given if value in found] == []


def test_two_tenants_see_their_own_rows_alone(filled: Warehouse) -> None:
    for tenant_id, other in (("acme", "nova"), ("nova", "acme")):
        found = report(filled, tenant_id, "marketing_event")
        assert found.rows == 12
        assert f"Khuyến mãi {tenant_id}" in found.neighbours
        assert other not in found.neighbours


def test_a_report_of_nothing_is_empty(warehouse: Warehouse, acme: Tenant) -> None:
    models.ensure_active(warehouse, "acme", SPEC)
    found = report(warehouse, "acme", PRODUCT.name)
    assert (found.rows, found.texts, found.norm_min, found.norm_max) == (0, 0, None, None)
    assert len(found.neighbours.splitlines()) == 2
    with warehouse.tenant("acme") as conn:
        assert profile_map(conn, "acme", MODEL) is None


def test_a_sample_is_the_texts_with_the_smallest_hashes(filled: Warehouse) -> None:
    with filled.session("acme") as session:
        frame = VectorStore(session).read(TRANSACTION.name, MODEL).sort("text_hash", "entity_key")
        with session.transaction() as conn:
            found = draw(conn, "acme", MODEL, TRANSACTION.name, 20)
            rows = draw(conn, "acme", MODEL, TRANSACTION.name, 20, one_per_text=False)
    firsts = frame.unique("text_hash", keep="first", maintain_order=True).head(20)
    assert found.keys == firsts["entity_key"].to_list()
    assert found.text_hashes == firsts["text_hash"].to_list()
    assert np.array_equal(found.vectors, firsts["embedding"].to_numpy())
    assert rows.keys == frame["entity_key"].to_list()[:20]


def picture_of(markdown: str | None) -> bytes:
    assert markdown is not None
    head, _, data = markdown.partition("base64,")
    assert head == "![Profiles by segment](data:image/png;"
    return base64.b64decode(data.rstrip(")"))


def test_the_map_is_a_picture_and_the_same_each_time(filled: Warehouse) -> None:
    with filled.tenant("acme") as conn:
        first, second = (picture_of(profile_map(conn, "acme", MODEL)) for _ in range(2))
    assert first.startswith(PNG)
    assert first == second


def test_the_map_of_the_most_profiles_stays_small() -> None:
    places = np.random.default_rng(1).normal(size=(DOTS, 2))
    segments = [f"Khách hàng thân thiết của cửa hàng số {number % 7}" for number in range(DOTS)]
    picture = png(profile_maps._picture(places, (0.1, 0.05), segments))
    assert picture.startswith(PNG)
    assert len(picture) * 4 / 3 < 150_000


def test_names_of_segments_are_drawn_as_they_are() -> None:
    """Dollar signs would be a formula, signs that the font has not would warn."""
    picture = png(
        profile_maps._picture(np.eye(4)[:, :2], (0.5, 0.5), ["$100 club$", "$\\frac", "常客", "🎁 _hidden"])
    )
    assert picture.startswith(PNG)


def test_a_profile_has_the_colour_of_its_smallest_shown_segment(warehouse: Warehouse, acme: Tenant) -> None:
    members = {"everybody": "abcdefgh", "some": "abcd", "few": "ab", "gone": "h"}
    with warehouse.tenant("acme") as conn:
        for segment_id, profiles in members.items():
            insert(conn, "cdp.segment", tenant_id="acme", segment_id=segment_id, name=segment_id.title())
            for key in profiles:
                insert(
                    conn,
                    "cdp.profile_segment",
                    tenant_id="acme",
                    segment_id=segment_id,
                    cdp_profile_id=key,
                    joined_at="2026-01-01T00:00:00Z",
                    left_at="2026-01-02T00:00:00Z" if segment_id == "gone" else None,
                )
        found = profile_maps._segments(conn, "acme", [*"abcdefgh", "stranger"])
    assert found == ["Few"] * 2 + ["Some"] * 2 + ["Everybody"] * 4 + [OTHER]


def test_axes_are_those_of_the_largest_variance_and_never_flip() -> None:
    rng = np.random.default_rng(1)
    made = np.zeros((200, 8))
    made[:, 2] = rng.normal(scale=3, size=200)
    made[:, 5] = rng.normal(scale=1, size=200)
    made = made.astype(np.float32)
    places, (first, second) = principal_axes(made)
    centred = made - made.mean(axis=0)
    assert np.allclose(places, centred[:, [2, 5]], atol=0.5)
    assert np.corrcoef(places[:, 0], centred[:, 2])[0, 1] > 0.99
    assert first > 0.8
    assert first + second == pytest.approx(1)


@pytest.mark.parametrize("rows", [np.ones((3, 4)), np.eye(3, 1), np.zeros((5, 2))])
def test_axes_of_vectors_without_two_directions_are_flat(rows: np.ndarray) -> None:
    places, shares = principal_axes(rows.astype(np.float32))
    assert places.shape == (len(rows), 2)
    assert np.isfinite(places).all()
    assert np.isfinite(shares).all()
    assert np.abs(places[:, 1]).max() < 1e-6
