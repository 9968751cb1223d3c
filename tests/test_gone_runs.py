"""Runs whose process is gone: told from those that go on, ended, and none besides."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import create_run_for_test

from cdp_assets import process
from cdp_assets.automation import runs
from cdp_assets.automation.sensors import gone_runs
from cdp_assets.policies import PROCESS_TAG
from cdp_assets.process import Mark

STARTED, CANCELING = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING
HERE = Mark.of_process(os.getpid())


def ended_process() -> int:
    """Number of a process that was ours and is no more."""
    with subprocess.Popen(["true"]) as child:
        child.wait()
    return child.pid


GONE = str(replace(HERE, number=ended_process()))
ELSEWHERE = str(replace(HERE, host="elsewhere"))


# --- The mark


def test_a_mark_is_read_as_it_was_written() -> None:
    assert Mark.of(str(HERE)) == HERE
    assert Mark.of(str(replace(HERE, boot="", space=""))) == replace(HERE, boot="", space="")


def test_a_process_that_runs_is_not_gone() -> None:
    assert process.is_gone(process.here()) is False
    with subprocess.Popen(["sleep", "60"]) as child:
        mark = str(Mark.of_process(child.pid))
        assert process.is_gone(mark) is False
        child.kill()
    assert process.is_gone(mark) is True


def test_a_process_that_ended_is_gone_though_its_parent_has_not_looked() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        mark = str(Mark.of_process(child.pid))
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process.is_gone(mark) is True


@pytest.mark.parametrize(
    ("mark", "gone"),
    [
        (replace(HERE, number=ended_process()), True),
        (replace(HERE, start="1"), True),  # its number has passed to another process
        (replace(HERE, boot="0" * 32), True),  # the machine was started again
        (replace(HERE, boot=""), None),
        (replace(HERE, space="1"), None),  # a container that was given the same name
        (replace(HERE, host="elsewhere"), None),
        (replace(HERE, host="elsewhere", boot="0" * 32, number=1), None),
    ],
    ids=["number", "start", "boot", "no boot", "space", "host", "all"],
)
def test_what_is_not_known_is_not_gone(mark: Mark, gone: bool | None) -> None:
    assert process.is_gone(str(mark)) is gone


def test_a_process_that_is_hidden_from_us_is_not_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `hidepid` on /proc, those of other users are not to be seen."""

    def hidden(number: int) -> str:
        raise ProcessLookupError(number)

    monkeypatch.setattr(process, "_start", hidden)
    assert process.is_gone(str(HERE)) is None
    assert process.is_gone(str(replace(HERE, number=1))) is None
    assert process.is_gone(GONE) is True


@pytest.mark.parametrize("host", ["0123456789ab", "code"])
def test_a_container_that_was_restarted_is_known_by_the_name_that_only_it_has(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    gone = process.is_gone(str(replace(HERE, host=host, space="1")))
    assert gone is (True if host == "0123456789ab" else None)


@pytest.mark.parametrize("text", ["", "host:123", "host - - x 1", "a b c", "a b c 1 2 3"])
def test_a_mark_of_another_release_says_nothing(text: str) -> None:
    assert process.is_gone(text) is None


# --- The runs


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.mark.parametrize(
    ("status", "mark", "after"),
    [
        ("STARTED", GONE, "FAILURE"),
        ("CANCELING", GONE, "CANCELED"),
        ("STARTED", str(HERE), "STARTED"),
        ("STARTED", ELSEWHERE, "STARTED"),
        ("STARTED", "", "STARTED"),
        ("STARTING", GONE, "STARTING"),
        ("SUCCESS", GONE, "SUCCESS"),
        ("FAILURE", GONE, "FAILURE"),
    ],
    # the marks name processes, which differ between the workers of a test run
    ids=itertools.count(),
)
def test_only_a_run_whose_process_is_gone_is_ended(
    instance: dg.DagsterInstance, status: str, mark: str, after: str
) -> None:
    run = create_run_for_test(
        instance, job_name="work", status=dg.DagsterRunStatus[status], tags={PROCESS_TAG: mark}
    )
    gone_runs(dg.build_sensor_context(instance=instance))
    now = instance.get_run_by_id(run.run_id)
    assert now is not None
    assert now.status == dg.DagsterRunStatus[after]


LAUNCHED = {GRPC_INFO_TAG: "{}"}
OTHER = GrpcServerCodeLocationOrigin("code", port=4001, location_name="cdp_assets")
SERVER = GrpcServerCodeLocationOrigin("code", port=4000, location_name="cdp_assets")


@pytest.mark.parametrize(
    ("server", "tags", "server_age_s", "run_age_s", "ended"),
    [
        (SERVER, LAUNCHED, 100, 200, True),
        (SERVER, LAUNCHED, 100, 50, False),  # a run of the present server
        (SERVER, LAUNCHED, 30, 200, False),  # the one before may still be stopping
        (SERVER, {}, 100, 200, False),  # launched in another way
        (OTHER, LAUNCHED, 100, 200, False),
        (None, LAUNCHED, 100, 200, False),
    ],
)  # fmt: skip
def test_runs_of_a_code_server_whose_container_was_replaced_are_ended(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, server: GrpcServerCodeLocationOrigin | None,
    tags: dict[str, str], server_age_s: float, run_age_s: float, ended: bool,
) -> None:  # fmt: skip
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(SERVER, "__repository__"), "work")
    run = create_run_for_test(
        instance,
        job_name="work",
        status=STARTED,
        tags={PROCESS_TAG: ELSEWHERE, **tags},
        remote_job_origin=origin,
    )
    monkeypatch.setattr(process, "began_at", lambda: time.time() - server_age_s)
    records = [
        replace_record(each, start_time=time.time() - run_age_s)
        for each in instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
    ]
    monkeypatch.setattr(instance, "get_run_records", lambda _: records)
    assert runs.end_gone_runs(instance, server)[0] == ([run.run_id] if ended else [])


def replace_record(record: dg.RunRecord, *, start_time: float) -> dg.RunRecord:
    return dg.RunRecord(
        record.storage_id, record.dagster_run, record.create_timestamp, record.update_timestamp, start_time
    )


def test_the_tick_says_what_it_ended_and_what_it_cannot_see(instance: dg.DagsterInstance) -> None:
    for mark in (GONE, GONE, ELSEWHERE):
        create_run_for_test(instance, job_name="work", status=STARTED, tags={PROCESS_TAG: mark})
    skip = gone_runs(dg.build_sensor_context(instance=instance))
    assert isinstance(skip, dg.SkipReason)
    assert skip.skip_message == "ended 2 runs; 1 run where this host cannot see them"
    assert runs.end_gone_runs(instance)[0] == []


def test_the_reason_is_in_the_runs_log(instance: dg.DagsterInstance) -> None:
    run = create_run_for_test(instance, job_name="work", status=STARTED, tags={PROCESS_TAG: GONE})
    runs.end_gone_runs(instance)
    (record,) = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    assert runs.GONE in (record.event_log_entry.get_dagster_event().message or "")


def test_dead_runs_are_looked_for_within_a_minute() -> None:
    assert gone_runs.minimum_interval_seconds <= 30
    assert gone_runs.default_status == dg.DefaultSensorStatus.RUNNING
