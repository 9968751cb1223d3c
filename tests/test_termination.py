"""Terminate in the UI: the run ends at once, whatever its step was doing, and nothing of it is tried again.

The process of a run gets the interrupt that Dagster's launcher sends; the run was marked as canceling before.
Annotations are not postponed: Dagster reads them.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._utils.interrupts import capture_interrupts

from cdp_assets import policies
from cdp_assets.definitions import build_definitions

PATIENCE_S = 20


class Victim:
    """Waits inside a step until the interrupt comes."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.attempts, self.began_next = instance, 0, False

    def wait(self, run_id: str) -> None:
        self.attempts += 1
        if self.attempts == 1:
            threading.Timer(0.1, self._terminate, [run_id]).start()
            time.sleep(PATIENCE_S)

    def _terminate(self, run_id: str) -> None:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        self.instance.report_run_canceling(run)
        os.kill(os.getpid(), signal.SIGINT)


class SlowStorage(dg.IOManager):
    """Takes its time to write and to read."""

    def __init__(self, victim: Victim, *, writes: bool) -> None:
        self._victim, self._writes = victim, writes

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        if self._writes:
            self._victim.wait(context.run_id)

    def load_input(self, context: dg.InputContext) -> Any:
        if not self._writes:
            assert context.upstream_output is not None
            self._victim.wait(context.upstream_output.run_id)


def interrupted_in(place: str, victim: Victim) -> list[Any]:
    """Assets and checks of which one waits in this place."""

    @dg.asset(retry_policy=policies.RETRY)
    def first(context: dg.AssetExecutionContext) -> Any:
        if place == "an asset":
            victim.wait(context.run.run_id)
        return 1

    @dg.multi_asset(
        specs=[dg.AssetSpec("several", deps=["first"])], can_subset=True, retry_policy=policies.RETRY
    )
    def several(context: dg.AssetExecutionContext) -> Iterator[Any]:
        if place == "an asset that yields":
            victim.wait(context.run.run_id)
        yield dg.MaterializeResult("several")

    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("holds", asset="first")], retry_policy=policies.RETRY)
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        if place == "a check":
            victim.wait(context.run.run_id)
        yield dg.AssetCheckResult(passed=True, asset_key="first", check_name="holds")

    @dg.asset(retry_policy=policies.RETRY)
    def reader(first: Any) -> None:
        pass

    @dg.asset(deps=[reader, "several"], retry_policy=policies.RETRY)
    def zz_next() -> None:
        victim.began_next = True

    @dg.asset(retry_policy=policies.RETRY)
    def zz_unrelated() -> None:
        pass

    return [first, several, check, reader, zz_next, zz_unrelated]


@pytest.mark.parametrize(
    "place",
    ["an asset", "an asset that yields", "a check", "the writing of an output", "the reading of an input"],
)
def test_a_terminated_run_is_canceled_at_once_and_not_tried_again(place: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance, capture_interrupts():
        victim = Victim(instance)
        storage = (
            SlowStorage(victim, writes="writing" in place) if "ing of an" in place else dg.mem_io_manager
        )
        began = time.perf_counter()
        found = interrupted_in(place, victim)
        definitions = dg.Definitions(
            [each for each in found if not isinstance(each, dg.AssetChecksDefinition)],
            asset_checks=[each for each in found if isinstance(each, dg.AssetChecksDefinition)],
            resources={"io_manager": storage},
            executor=dg.in_process_executor,
        )
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, raise_on_error=False
        )
        seconds = time.perf_counter() - began
        (run,) = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    assert victim.attempts == 1
    assert not victim.began_next
    assert seconds < PATIENCE_S / 2


def test_what_fails_is_tried_again_still() -> None:
    attempts = []

    @dg.asset(retry_policy=policies.UnlessTerminated(max_retries=1, delay=0))
    def unsteady() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("in passing")

    assert dg.materialize([unsteady]).success
    assert len(attempts) == 2


def test_every_step_that_is_tried_again_can_be_terminated() -> None:
    graph = build_definitions().resolve_asset_graph()
    found = {
        definition.op.name: definition.op.retry_policy
        for definition in graph.assets_defs
        if definition.is_executable
    }
    assert found
    assert {
        name for name, policy in found.items() if not isinstance(policy, policies.UnlessTerminated)
    } == set()
