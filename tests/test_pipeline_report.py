"""The last screen of `cdp pipeline`: what runs of toy assets become on it.

Belongs here: events of a run -> lines, and the screen. Whole runs of the product are in `test_cli`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import dagster as dg
import pytest

from cdp_assets.cli import pipeline_report
from cdp_assets.cli.pipeline import QUIET
from cdp_assets.cli.pipeline_report import Finding, Line, Stage, errors_of, lines_of, report
from cdp_assets.quality import Measure, Severity


def check(name: str, *, blocking: bool) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=dg.AssetKey(["cdp", "profile"]), blocking=blocking)


def found(name: str, severity: dg.AssetCheckSeverity, *, passed: bool = False) -> dg.AssetCheckResult:
    measure = Measure(0 if passed else 3, f"{name} says so", severity=Severity.ERROR)
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(["cdp", "profile"]), check_name=name, passed=passed, severity=severity,
        description=measure.says, metadata={"failing": measure.failing, "remedy": "mend it"},
    )  # fmt: skip


@dg.asset(key=["cdp", "profile"])
def profile() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"dagster/row_count": 7, "rows_written": 2})


@dg.asset(key=["marts", "sales"])
def broken() -> None:
    raise dg.Failure("disk is full: make room", allow_retries=False)


@dg.multi_asset_check(
    specs=[check("passes", blocking=True), check("warns", blocking=True), check("errs", blocking=False)]
)
def bearable() -> Iterator[dg.AssetCheckResult]:
    yield found("passes", dg.AssetCheckSeverity.ERROR, passed=True)
    yield found("warns", dg.AssetCheckSeverity.WARN)
    yield found("errs", dg.AssetCheckSeverity.ERROR)


@dg.multi_asset_check(specs=[check("stops", blocking=True)])
def stopping() -> Iterator[dg.AssetCheckResult]:
    yield found("stops", dg.AssetCheckSeverity.ERROR)


@cache
def ran(*names: str) -> Stage:
    """A stage that made these toys in one run."""
    toys: dict[str, Any] = {"profile": profile, "broken": broken, "bearable": bearable, "stopping": stopping}
    keys = [toys[name].key for name in names if name in {"profile", "broken"}]
    checks = [toys[name] for name in names if name not in {"profile", "broken"}]
    job = dg.Definitions(
        assets=[toys[name] for name in names if name in {"profile", "broken"}],
        asset_checks=checks,
        jobs=[dg.define_asset_job("toys", dg.AssetSelection.all())],
    ).resolve_job_def("toys")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
    return Stage("acme-demo", "LEO CDP", lines_of(result, keys), 1.0, errors=errors_of(result))


def screen(capsys: pytest.CaptureFixture[str], *stages: Stage, **options: Any) -> tuple[str, str]:
    """What is printed, on both streams."""
    report(stages, 12.0, **{"demo": (), **options})
    printed = capsys.readouterr()
    return printed.out, printed.err


@pytest.fixture(autouse=True)
def _streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The streams that pytest captures now, not those of the import."""
    from rich.console import Console

    from cdp_assets.cli import terminal

    console = Console(highlight=False, width=150)
    monkeypatch.setattr(terminal, "out", console)
    monkeypatch.setattr(pipeline_report, "out", console)
    monkeypatch.setattr(terminal, "err", Console(stderr=True, highlight=False, width=150))


def test_a_check_that_does_not_block_never_fails_the_command_whatever_its_severity() -> None:
    stage = ran("profile", "bearable")
    (line,) = stage.lines
    assert (line.rows, line.changed, line.passed, line.missing) == (7, 2, 1, 0)
    assert {finding.check: finding.failing for finding in line.warned} == {"warns": 3, "errs": 3}
    assert line.failed == []
    assert stage.is_whole


def test_a_blocking_check_fails_the_command_and_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    stage = ran("profile", "stopping")
    assert [finding.check for finding in stage.lines[0].failed] == ["stops"]
    assert not stage.is_whole
    _, said = screen(capsys, stage)
    assert said.count("stops") == 2, "the check's name, and what it says"
    assert "acme-demo, cdp.profile: stops failed: stops says so" in said
    assert "mend it" in said


def test_a_step_that_fails_is_told_by_its_innermost_cause(capsys: pytest.CaptureFixture[str]) -> None:
    stage = ran("profile", "broken")
    assert {line.asset: line.missing for line in stage.lines} == {"cdp.profile": 0, "marts.sales": 1}
    assert not stage.is_whole
    shown, said = screen(capsys, stage)
    assert "1 NOT BUILT" in shown
    assert "acme-demo, marts__sales: disk is full: make room" in said
    assert "Traceback" not in said


def stages() -> list[Stage]:
    """Two tenants, two stages each; one check warns of both tenants and of two tables."""

    def warned(asset: str, count: int) -> Line:
        return Line(asset, 10, 4, 1, 5, warned=[Finding("quarantine_share", count, "", "")])

    return [
        Stage("acme-demo", "LEO CDP", [warned("cdp.profile", 3), warned("cdp.event", 2), Line("x (views)", None)], 2.0),
        Stage("acme-demo", "marts", note="nothing changed"),
        Stage("nova-demo", "LEO CDP", [warned("cdp.profile", 1_000)], 1.0),
    ]  # fmt: skip


def test_a_line_per_stage_and_each_warning_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown, said = screen(capsys, *stages(), demo=("acme-demo",))
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in shown.splitlines()
        if line.startswith("│")
    ]
    assert cells[:3] == [
        ["acme-demo", "LEO CDP", "20", "8", "2", "10", "2", "0", "2.0"],
        ["acme-demo", "marts (nothing changed)", *["-"] * 7],
        ["nova-demo", "LEO CDP", "10", "4", "1", "5", "1", "0", "1.0"],
    ]
    assert cells[3:] == [["quarantine_share", "cdp.profile, cdp.event", "acme-demo 5, nova-demo 1,000"]]
    assert "12 rows written in 12 s" in shown
    assert said == ""


def test_what_to_type_next_fits_what_was_built(capsys: pytest.CaptureFixture[str]) -> None:
    demo, _ = screen(capsys, *stages(), demo=("acme-demo",))
    assert all(command in demo for command in ("cdp demo advance", "cdp quarantine list", "--verbose"))
    own, _ = screen(capsys, Stage("mycompany", "LEO CDP", [Line("cdp.profile", 1, 0, 0)]))
    assert "--tenant mycompany" in own
    assert not [command for command in ("demo", "quarantine list") if command in own.split("Next:")[1]]
    assert "Nothing changed" in own


def test_verbose_has_a_line_per_asset(capsys: pytest.CaptureFixture[str]) -> None:
    shown, _ = screen(capsys, *stages(), verbose=True)
    assert [name for name in ("cdp.profile", "cdp.event", "x (views)") if f"│ {name} " not in shown] == []
    assert "--verbose" not in shown
