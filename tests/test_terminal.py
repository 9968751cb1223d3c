"""What the command line shows of texts that others wrote: each as it is, whatever it means to a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from cdp_assets.cli import cdp, terminal
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.quarantine import Reject, store
from cdp_assets.warehouse.tenants import Tenant

AS_IT_IS = [
    "[/b]",
    "[/]",
    "[red]x[/red]",
    "[bold",
    "[[x]]",
    "\\[/b]",
    ":smile:",
    "[link=https://x.example]y[/link]",
    "[@click]",
]
SPELLED_OUT = {
    "\x1b[2Jx": r"\x1b[2Jx",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "a\rb": r"a\rb",
    "\x9b31m": r"\x9b31m",
    "abc\u202ecba": r"abc\u202ecba",
    "\x00": r"\x00",
    "\ud800": r"\ud800",
}

WAYS: dict[str, Callable[[str], None]] = {
    "cell": lambda text: terminal.table("", ("a",), [(text,)]),
    "column": lambda text: terminal.table("", (text,), [("a",)]),
    "title": lambda text: terminal.table(text, ("a",), [("a",)]),
    "line": terminal.out.print,
    "error": terminal.fail,
    "bold line": lambda text: terminal.out.print(text, style="bold"),
}  # fmt: skip


def shown(capsys: pytest.CaptureFixture[str], way: str, text: str) -> str:
    WAYS[way](text)
    return "".join(capsys.readouterr())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", AS_IT_IS)
def test_foreign_text_is_never_markup(capsys: pytest.CaptureFixture[str], way: str, text: str) -> None:
    assert text in shown(capsys, way, text)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", SPELLED_OUT)
def test_foreign_text_never_commands_the_terminal(
    capsys: pytest.CaptureFixture[str], way: str, text: str
) -> None:
    printed = shown(capsys, way, text)
    assert SPELLED_OUT[text] in printed
    assert not set(printed) & set("\x00\x07\x1b\x9b\r\u202e")


@pytest.mark.parametrize("text", [*AS_IT_IS, *SPELLED_OUT])
def test_a_spinner_shows_foreign_text(text: str) -> None:
    with terminal.err.status(text) as status:
        assert str(status.status) == terminal.visible(text)


@given(st.text(alphabet=st.characters()))
def test_any_text_can_be_written(text: str) -> None:
    assert terminal.visible(terminal.visible(text)) == terminal.visible(text)
    terminal.visible(text).encode("utf-8")


# --- A whole command


@pytest.fixture
def command(
    pipeline_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, acme: Tenant
) -> Iterator[Callable[..., Result]]:
    """A command of `cdp` on the test's warehouse."""
    from cdp_assets.settings import get_settings

    monkeypatch.setenv("CDP_WAREHOUSE_DSN", pipeline_dsn)
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(cdp, list(arguments), catch_exceptions=False)
    get_settings.cache_clear()


def test_a_document_with_markup_does_not_keep_the_quarantine_from_being_listed(
    command: Callable[..., Result], warehouse: Warehouse
) -> None:
    reject = Reject(
        "[/k]", "[red]", "currencyCode: '[/b]' \x1b[2J", ("currencyCode",), False, '{"a": "[/b]"}'
    )
    with warehouse.tenant("acme") as conn:
        store(conn, "acme", "cdp_profile2conversion", [reject], run_id=None)
    listed = command("quarantine", "list").stdout
    assert r"currencyCode: '[/b]' \x1b[2J" in listed
    assert "[/k]" in listed
    assert '"a": "[/b]"' in command("quarantine", "show", "acme", "[/k]").stdout


def test_the_title_counts_all_and_says_how_many_are_shown(
    command: Callable[..., Result], warehouse: Warehouse
) -> None:
    rejects = [Reject(f"k{n}", "r", "reason", (), n % 3 == 0, "{}") for n in range(60)]
    with warehouse.tenant("acme") as conn:
        store(conn, "acme", "cdp_profile", rejects, run_id=None)
    assert (
        "40 rejected, 20 landed with fields left null; the oldest 50" in command("quarantine", "list").stdout
    )
    all_of_them = command("quarantine", "list", "--limit", "100").stdout
    assert "40 rejected, 20 landed with fields left null\n" in "\n".join(
        line.rstrip() for line in all_of_them.splitlines()
    )
