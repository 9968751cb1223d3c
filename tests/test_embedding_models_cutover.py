"""One model takes over from another while everybody searches: no result is mixed, none is short, a flip is instant."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, sleep

import psycopg
import pytest

from cdp_assets.embedding import compare, models
from cdp_assets.embedding.providers.model import ModelSpec
from cdp_assets.embedding.providers.placeholder import PlaceholderProvider
from cdp_assets.embedding.search import search
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server
from tests.embedding_queue_support import (
    DIMENSION,
    OTHER,
    SPEC,
    Scripted,
    add_model,
    drain,
    products,
    worker_of,
)

TITLES = [f"Áo thun {number}" for number in range(200)]
ELSEWHERE = ModelSpec("placeholder", "r", "", DIMENSION, "elsewhere: ", "elsewhere: ")
"""Puts every text in another place than SPEC does; OTHER puts it in the same."""

QUERIES = 10_000
FLIPS = 50
K = 10

Result = list[tuple[str, str]]


def fill(warehouse: Warehouse, spec: ModelSpec) -> str:
    with warehouse.tenant("acme") as conn:
        model_id = models.add(conn, "acme", spec)
    provider = Scripted()
    provider.spec = spec
    drain(worker_of(warehouse, provider, spec=spec), warehouse)
    return model_id


@pytest.fixture
def two(warehouse: Warehouse, acme: Tenant) -> tuple[str, str]:
    """Ids of the model that serves and of a filled shadow."""
    products(warehouse, *TITLES)
    first = add_model(warehouse).model_id
    fill(warehouse, SPEC)
    return first, fill(warehouse, ELSEWHERE)


@pytest.fixture
def reader_dsn(postgres: Server, database: str) -> str:
    return postgres.dsn(database, user="cdp_reader")


def similar(conn: psycopg.Connection, key: str) -> Result:
    return conn.execute(
        "select entity_key, model_id from embedding.similar('product', %s, %s)", (key, K)
    ).fetchall()


@dataclass
class Searcher:
    """A reader that asks the same few questions until told to stop, and keeps what no single model answers."""

    dsn: str
    expected: dict[str, list[Result]]
    seed: int
    stop: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    by_model: set[str] = field(default_factory=set)
    wrong: list[Result] = field(default_factory=list)

    def run(self) -> None:
        dice = random.Random(self.seed)
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute("select set_config('app.tenant_id', 'acme', false)")
            while not self.stop.is_set():
                key = dice.choice(list(self.expected))
                found = similar(conn, key)
                self.asked += 1
                self.by_model.update(model_id for _, model_id in found)
                if found not in self.expected[key]:
                    self.wrong.append(found)


@pytest.fixture
def expected(warehouse: Warehouse, two: tuple[str, str]) -> dict[str, list[Result]]:
    """Key -> the right answer under the one model, and under the other."""
    found: dict[str, list[Result]] = {f"p{n:05}": [] for n in range(0, 200, 10)}
    for model_id in two:
        with warehouse.tenant("acme") as conn:
            models.activate(conn, "acme", model_id)
            for key, answers in found.items():
                answers.append(similar(conn, key))
    with warehouse.tenant("acme") as conn:
        models.rollback(conn, "acme")
    return found


@pytest.fixture
def searchers(reader_dsn: str, expected: dict[str, list[Result]]) -> Iterator[list[Searcher]]:
    found = [Searcher(reader_dsn, expected, seed) for seed in range(4)]
    threads = [threading.Thread(target=searcher.run) for searcher in found]
    for thread in threads:
        thread.start()
    yield found
    for searcher in found:
        searcher.stop.set()
    for thread in threads:
        thread.join(20)


@pytest.mark.slow
def test_ten_thousand_queries_during_fifty_flips_each_see_one_model(
    warehouse: Warehouse, two: tuple[str, str], expected: dict[str, list[Result]], searchers: list[Searcher]
) -> None:
    for first, second in expected.values():
        assert first != second, "the two models must differ, or nothing would show a mixture"
        assert len(first) == len(second) == K
    flips: list[float] = []
    began = perf_counter()
    while len(flips) < FLIPS or sum(each.asked for each in searchers) < QUERIES:
        assert perf_counter() - began < 200
        with warehouse.tenant("acme") as conn:
            start = perf_counter()
            if len(flips) % 2:
                models.rollback(conn, "acme")
            else:
                models.activate(conn, "acme", two[(len(flips) // 2 + 1) % 2], allow_incomplete=True)
        flips.append(perf_counter() - start)
        sleep(0.02)
    for searcher in searchers:
        searcher.stop.set()
    assert [searcher.wrong for searcher in searchers] == [[]] * len(searchers)
    assert all(searcher.by_model == set(two) for searcher in searchers), "everybody met both models"
    print(f"\n{len(flips)} flips, median {median(flips) * 1000:.1f} ms, longest {max(flips) * 1000:.1f} ms")  # noqa: T201
    assert median(flips) < 0.1
    assert max(flips) < 2, "on a busy machine"


def test_a_question_in_words_stays_with_the_model_that_embedded_it(
    warehouse: Warehouse, two: tuple[str, str], reader_dsn: str
) -> None:
    """The other model takes over between the embedding of the question and the search."""
    first, second = two

    class Flipping(PlaceholderProvider):
        def embed(self, *arguments: object, **more: object):  # type: ignore[no-untyped-def, override]
            with warehouse.tenant("acme") as conn:
                models.activate(conn, "acme", second)
            return super().embed(*arguments, **more)  # type: ignore[arg-type]

    with Warehouse(reader_dsn) as reader:
        hits = search(reader, "acme", lambda spec: Flipping(spec, 64), TITLES[7], "product", K)
        assert {hit.model_id for hit in hits} == {first}
        assert (hits[0].entity_key, round(hits[0].score, 4)) == ("p00007", 1.0)
        hits = search(reader, "acme", lambda spec: PlaceholderProvider(spec, 64), TITLES[7], "product", K)
        assert {hit.model_id for hit in hits} == {second}
        assert hits[0].entity_key == "p00007"


def test_a_shadow_is_compared_before_it_serves(warehouse: Warehouse, two: tuple[str, str]) -> None:
    same = fill(warehouse, OTHER)
    with warehouse.tenant("acme") as conn:
        equal = {each.entity: each for each in compare.compare(conn, "acme", two[0], same)}["product"]
        other = {each.entity: each for each in compare.compare(conn, "acme", two[0], two[1])}
    assert equal.overlap == 1.0
    assert equal.first == equal.second
    assert other["product"].texts == len(TITLES)
    assert other["product"].overlap is not None
    assert other["product"].overlap < 0.2, "chance is 0.05"
    assert other["product"].first.norm_min == pytest.approx(1, abs=1e-5)
    assert other["product"].first.coverage.current == len(TITLES)
    assert abs(other["product"].first.similarity or 1) < 0.05, "directions of hashes are spread evenly"
    assert (other["review"].texts, other["review"].overlap, other["review"].first.norm_min) == (0, None, None)


def test_only_texts_that_both_models_have_are_compared(warehouse: Warehouse, two: tuple[str, str]) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute(
            "delete from embedding.product_embedding where model_id = %s and entity_key > 'p00099'", (two[1],)
        )
        found = {each.entity: each for each in compare.compare(conn, "acme", *two)}["product"]
    assert found.texts == 100
    assert (found.first.coverage.current, found.second.coverage.current) == (200, 100)
