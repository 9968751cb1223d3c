"""`cdp embedding`, `cdp search`, `cdp lookalike`: in process, with vectors that mean nothing."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cdp_assets.cli import cdp, main
from cdp_assets.embedding import models
from cdp_assets.embedding.providers.model import ModelSpec, TextRefused
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.embedding_queue_support import OTHER, SPEC, add_model, embed_all, jobs, products, refuse
from tests.rows import insert

Run = Callable[..., str]

CONFIGURED = ModelSpec("placeholder", "blake2b", "", 64)
"""What `models add` registers under the settings of these tests."""


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    """What a process may change and a test must not: signals, log handlers, settings read once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    logger = logging.getLogger("cdp_assets")
    level = logger.level
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
    for number, handler in before.items():
        signal.signal(number, handler)
    logger.handlers = []
    logger.setLevel(level)


@pytest.fixture
def invoke(pipeline_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDP_WAREHOUSE_DSN", pipeline_dsn)
    monkeypatch.setenv("CDP_EMBEDDING_PROVIDER", "placeholder")
    return lambda *arguments: CliRunner().invoke(cdp, arguments)


@pytest.fixture
def run(invoke: Callable[..., Result]) -> Run:
    def checked(*arguments: str) -> str:
        result = invoke(*arguments)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    return checked


@pytest.fixture
def shop(warehouse: Warehouse, acme: Tenant) -> Warehouse:
    """Tenant acme with a model and three products whose vectors are there."""
    products(warehouse, "Giày đỏ", "Áo xanh", "Mũ vàng")
    add_model(warehouse)
    embed_all(warehouse)
    return warehouse


def cells(output: str, *words: str) -> list[str]:
    """Cells of the one line of a table that holds all the words."""
    found = [line for line in output.splitlines() if all(word in line for word in words)]
    assert len(found) == 1, output
    return [cell.strip() for cell in found[0].strip("│").split("│")]


def test_status_tells_how_far_each_model_and_entity_is(shop: Warehouse, run: Run) -> None:
    products(shop, "một", "a poison", prefix="new")
    embed_all(shop, before=refuse(TextRefused("the service refuses it"), "poison"))
    products(shop, "chờ", prefix="z")
    found = cells(run("embedding", "status"), SPEC.model_id, "product")
    assert found[1:-1] == ["active", "product", "6", "4", "66.7", "1", "0", "1"]
    assert found[-1].endswith("s ago")
    assert cells(run("embedding", "status", "--tenant", "acme"), SPEC.model_id, "review")[3:6] == [
        "0",
        "0",
        "-",
    ]


def test_worker_once_embeds_what_waits_and_ends(warehouse: Warehouse, acme: Tenant, run: Run) -> None:
    products(warehouse, "Giày đỏ", "Áo xanh")
    add_model(warehouse)
    output = run("embedding", "worker", "--once", "--tenant", "acme")
    assert "working for acme" in output
    assert "acme product: 2 jobs" in output
    assert not jobs(warehouse)


def test_dead_letters_are_listed_with_the_reason_and_replayed(shop: Warehouse, run: Run) -> None:
    products(shop, "poison one", "poison two", prefix="x")
    embed_all(shop, before=refuse(TextRefused("the service refuses it"), "poison"))
    listed = run("embedding", "dead-letters", "list", "--tenant", "acme")
    assert "acme: 2 given up" in listed
    assert cells(listed, "x00001")[-1] == "TextRefused: the service refuses it"
    one = run("embedding", "dead-letters", "list", "--tenant", "acme", "--key", "x00000")
    assert "1 given up" in one
    assert "0 given up" in run("embedding", "dead-letters", "list", "--tenant", "acme", "--entity", "review")
    replay = ("embedding", "dead-letters", "replay", "--tenant", "acme")
    assert "1 back in the queue" in run(*replay, "--entity", "product", "--key", "x00000")
    assert "1 back in the queue" in run(*replay)
    run("embedding", "worker", "--once")
    assert not jobs(shop)


def test_a_second_model_is_added_filled_compared_activated_taken_back_and_dropped(
    shop: Warehouse, run: Run
) -> None:
    tenant = ("--tenant", "acme")
    added = run("embedding", "models", "add", *tenant)
    assert f"{CONFIGURED.model_id} is registered; 3 texts wait for it" in added
    listed = run("embedding", "models", "list", *tenant)
    assert cells(listed, SPEC.model_id)[1:8] == ["active", "placeholder", "p", "-", "16", "3", "3"]
    assert cells(listed, CONFIGURED.model_id)[1:8] == [
        "shadow",
        "placeholder",
        "blake2b",
        "-",
        "64",
        "3",
        "0",
    ]
    filled = run("embedding", "models", "fill", CONFIGURED.model_id, *tenant)
    assert f"{CONFIGURED.model_id}: 3 of 3 texts have their vector, 0 were given up" in filled
    compared = run("embedding", "models", "compare", SPEC.model_id, CONFIGURED.model_id, *tenant)
    assert cells(compared, "product")[:4] == ["product", "3", "3 | 3", "1.0000 to 1.0000 | 1.0000 to 1.0000"]
    assert cells(compared, "product")[-2:] == ["3", "1.00"]
    run("embedding", "models", "activate", CONFIGURED.model_id, *tenant)
    assert f"by model {CONFIGURED.model_id}" in run("search", "Giày đỏ", *tenant)
    assert f"{SPEC.model_id} serves acme" in run("embedding", "models", "rollback", *tenant)
    assert "is dropped" in run("embedding", "models", "drop", CONFIGURED.model_id, *tenant, "--yes")
    assert CONFIGURED.model_id not in run("embedding", "models", "list", *tenant)


def test_fill_finds_what_the_queue_does_not_know(shop: Warehouse, run: Run) -> None:
    with shop.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)
        conn.execute("delete from embedding.job where entity_key <> 'p00000'")
    assert "3 of 3" in run("embedding", "models", "fill", OTHER.model_id, "--tenant", "acme")


def test_dropping_asks_first(shop: Warehouse, invoke: Callable[..., Result]) -> None:
    with shop.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)
    assert invoke("embedding", "models", "drop", OTHER.model_id, "--tenant", "acme").exit_code == 1
    with shop.tenant("acme") as conn:
        assert len(models.registered(conn, "acme")) == 2


def test_search_shows_rank_score_key_and_label(shop: Warehouse, run: Run) -> None:
    output = run("search", "Áo xanh", "--tenant", "acme", "--entity", "product", "--k", "2")
    assert f"by model {SPEC.model_id}" in output
    assert cells(output, "Áo xanh")[:4] == ["1", "1.000", "p00001", "Áo xanh"]
    assert len(re.findall(r"p0000\d", output)) == 2
    assert "nothing found: no review has a vector" in run(
        "search", "x", "--tenant", "acme", "--entity", "review"
    )


def test_lookalikes_of_a_profile_and_of_a_segment_leave_the_seeds_out(shop: Warehouse, run: Run) -> None:
    with shop.tenant("acme") as conn:
        for key, city in (("a", "Huế"), ("b", "Huế"), ("c", "Vinh")):
            insert(conn, "cdp.customer_profile", tenant_id="acme", cdp_profile_id=key, root_profile_id=key,
                   status="active", city=city)  # fmt: skip
        insert(conn, "cdp.profile_segment", tenant_id="acme", cdp_profile_id="a", segment_id="s")
    run("embedding", "worker", "--once")
    for seed in (("--profile", "a"), ("--segment", "s")):
        output = run("lookalike", "--tenant", "acme", *seed, "--k", "5")
        assert cells(output, " b ")[:3] == ["1", "1.000", "b"]
        assert "Huế" in cells(output, " b ")[3]
        assert cells(output, " c ")[0] == "2"
        assert not re.search(r"│ a +│", output)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("embedding", "status", "--tenant", "nobody"), 1, "cdp tenants list"),
        (("embedding", "models", "activate", "nosuch", "--tenant", "acme"), 1, "cdp embedding models list"),
        (
            ("embedding", "models", "drop", SPEC.model_id, "--tenant", "acme", "--yes"),
            1,
            "activate another one first",
        ),
        (("embedding", "models", "rollback", "--tenant", "acme"), 1, "no model to go back to"),
        (("embedding", "models", "fill", "nosuch", "--tenant", "acme"), 1, "no model 'nosuch'"),
        (
            ("embedding", "models", "add", "--tenant", "acme", "--provider", "bundled", "--model-id", "x"),
            1,
            "not x",
        ),
        (("search", " ", "--tenant", "acme"), 1, "empty"),
        (("search", "x", "--tenant", "acme", "--k", "0"), 2, "not in the range"),
        (("lookalike", "--tenant", "acme"), 2, "either --profile or --segment"),
        (("lookalike", "--tenant", "acme", "--segment", "nosuch"), 1, "has no members"),
        (("lookalike", "--tenant", "acme", "--profile", "nosuch"), 1, "has a vector"),
    ],
)
def test_mistakes_get_one_readable_block_and_an_exit_code(
    shop: Warehouse,
    invoke: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["cdp", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert message in " ".join(capsys.readouterr().err.replace("│", "").split())


def test_a_provider_that_fails_is_one_readable_block_too(
    warehouse: Warehouse,
    acme: Tenant,
    invoke: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    products(warehouse, "Giày đỏ")
    add_model(warehouse, spec=ModelSpec("openai", "text-embedding-3-small", "", 8))
    monkeypatch.setattr("sys.argv", ["cdp", "embedding", "worker", "--once"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "CDP_EMBED_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ("embedding",), ("embedding", "status"), ("embedding", "worker"), ("embedding", "dead-letters", "list"),
        ("embedding", "dead-letters", "replay"), ("embedding", "models"), ("search",), ("lookalike",),
        *(("embedding", "models", name) for name in
          ("list", "add", "fill", "compare", "activate", "rollback", "drop")),
    ],
)  # fmt: skip
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cdp, [*command, "--help"]).output
    assert len(shown) > 150
    assert "\\b" not in shown
