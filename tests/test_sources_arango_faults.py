"""What becomes of a server's faults: those that pass cost no document, those that will not are explained."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_assets.sources.arango import ArangoSource
from cdp_assets.sources.model import PROFILE, SEGMENT, SourceRejected, SourceUnavailable
from cdp_assets.sources.server import Patience
from tests.arango import Faults
from tests.arango.faults import Match
from tests.arango_support import AT_ONCE, HANG, KEYS, SECRET, Leo, seven_profiles
from tests.source_support import keys_of


@pytest.fixture
def leo() -> Iterator[Leo]:
    with seven_profiles() as made:
        yield made


TRANSIENT: dict[str, Callable[[Faults, Match], None]] = {
    "429": lambda faults, match: faults.status(429, 21004, **match),
    "500": lambda faults, match: faults.status(500, 4, **match),
    "busy": lambda faults, match: faults.status(409, 1601, **match),
    "starting": lambda faults, match: faults.status(503, 38, **match),
    "503/503": lambda faults, match: faults.status(503, 503, **match),
    "not the leader": lambda faults, match: faults.status(503, 1496, **match),
    "proxy": lambda faults, match: faults.html(502, **match),
    "proxy says 200": lambda faults, match: faults.html(200, **match),
    "cut before": lambda faults, match: faults.cut(**match),
    "cut after": lambda faults, match: faults.cut(processed=True, **match),
    "reset after": lambda faults, match: faults.cut(processed=True, reset=True, **match),
    "body cut": lambda faults, match: faults.cut_body(**match),
    "body truncated": lambda faults, match: faults.truncate(**match),
    "hang before": lambda faults, match: faults.hang(**match),
    "hang after": lambda faults, match: faults.hang(processed=True, **match),
}

FINAL: dict[str, tuple[Callable[[Faults, Match], None], str]] = {
    "no right": (lambda faults, match: faults.status(403, 11, "forbidden", **match), "Grant 'root' read"),
    "read only": (lambda faults, match: faults.status(403, 1004, **match), "errorNum 1004"),
    "password": (lambda faults, match: faults.status(401, 11, **match), "Check user name and password"),
    "syntax": (lambda faults, match: faults.status(400, 1501, "near 'x'", **match), "1501, near 'x'"),
    "memory": (lambda faults, match: faults.status(500, 32, **match), "--query.memory-limit"),
    "not there": (lambda faults, match: faults.status(501, 9, **match), "HTTP 501"),
    "redirect": (lambda faults, match: faults.html(301, **match), "The address redirects"),
    "other JSON": (
        lambda faults, match: faults.json({"hello": "world"}, **match),
        "the address of an Arango",
    ),
    "other rows": (lambda faults, match: faults.json(ROWS, **match), "not what was asked for"),
    "old server": (lambda faults, match: faults.json(OLD, **match), r"3\.11 or later is needed"),
}

ROWS = {"result": 5, "hasMore": False}
OLD = {"result": [["p0", "r"]], "hasMore": True, "id": "1"}


def seconds_for(fault: str) -> float:
    return HANG if "hang" in fault else 20.0


def pairs_of(source: ArangoSource) -> list[str]:
    return [key for page in source.keys(PROFILE) for key, _ in page]


class TestTransientFaults:
    @pytest.mark.parametrize("after", [0, 1, 3], ids=["first page", "second page", "last page"])
    @pytest.mark.parametrize("fault", TRANSIENT)
    def test_no_page_is_lost_or_doubled(self, leo: Leo, fault: str, after: int) -> None:
        TRANSIENT[fault](leo.server.faults, {"path": "/_api/cursor", "method": "POST", "after": after})
        source = leo.source(request_timeout=seconds_for(fault))
        assert sorted(keys_of(source.scan(PROFILE))) == KEYS
        assert leo.server.faults.fired == 1

    @pytest.mark.parametrize("fault", TRANSIENT)
    def test_the_signature_is_asked_for_again(self, leo: Leo, fault: str) -> None:
        TRANSIENT[fault](leo.server.faults, {"path": "/_api/collection"})
        source = leo.source(request_timeout=seconds_for(fault))
        assert source.signature(PROFILE).count == 7
        assert leo.server.faults.fired == 1

    @pytest.mark.parametrize("fault", TRANSIENT)
    def test_what_does_not_pass_is_reported_after_as_many_attempts_as_asked_for(
        self, leo: Leo, fault: str
    ) -> None:
        TRANSIENT[fault](leo.server.faults, {"times": None})
        started = time.monotonic()
        with pytest.raises(
            SourceUnavailable, match=f"ArangoDB http.*database 'leo_cdp', collection '{PROFILE}'"
        ):
            leo.source(request_timeout=seconds_for(fault)).signature(PROFILE)
        assert len(leo.server.requests) == AT_ONCE.attempts
        assert time.monotonic() - started < AT_ONCE.attempts * HANG + 2

    def test_a_server_that_hangs_within_its_answer_is_given_up(self, leo: Leo) -> None:
        leo.server.faults.drip(5.0, size=100)
        assert leo.source(request_timeout=HANG).signature(PROFILE).count == 7

    def test_a_closed_port_and_an_unknown_host_are_named(self, leo: Leo) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            host = f"http://127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(SourceUnavailable, match=f"{host}: connection refused"):
                leo.source([host]).signature(PROFILE)
        with pytest.raises(SourceUnavailable, match=r"http://leo\.invalid:8529: .*name"):
            leo.source(["http://leo.invalid:8529"]).signature(PROFILE)

    def test_connections_that_the_server_closed_meanwhile_are_opened_again(self, leo: Leo) -> None:
        pages = leo.source().scan(PROFILE)
        read = next(pages)
        leo.server.drop_connections()
        assert sorted(keys_of(iter([read, *pages]))) == KEYS

    def test_waits_grow_with_jitter_up_to_their_bound(
        self, leo: Leo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leo.server.faults.status(503, 38, times=None)
        source = leo.source(patience=Patience(attempts=6, first_wait=1.0, longest_wait=5.0))
        waits: list[float] = []
        monkeypatch.setattr(source._server._patiently, "sleep", waits.append)
        with pytest.raises(SourceUnavailable):
            source.signature(PROFILE)
        assert [int(wait) for wait in waits] == [1, 2, 4, 5, 5]
        assert waits[:3] != [1, 2, 4]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_few_faults_leave_the_result_exact(self, leo: Leo, data: st.DataObject) -> None:
        leo.server.faults.clear()
        quick = sorted(TRANSIENT.keys() - {"hang before", "hang after"})
        for _ in range(data.draw(st.integers(1, 4))):
            fault = data.draw(st.sampled_from(quick))
            match: Match = {"after": data.draw(st.integers(0, 6)), "method": "POST"}
            TRANSIENT[fault](leo.server.faults, match)
        source = leo.source(patience=Patience(attempts=10, first_wait=0.0, longest_wait=0.0))
        assert sorted(pairs_of(source)) == KEYS


class TestFinalFaults:
    @pytest.mark.parametrize("fault", FINAL)
    def test_what_will_not_pass_is_asked_once_and_explained(self, leo: Leo, fault: str) -> None:
        switch, remedy = FINAL[fault]
        switch(leo.server.faults, {"path": "/_api/cursor", "method": "POST", "times": None})
        with pytest.raises(SourceRejected, match=remedy) as refusal:
            pairs_of(leo.source())
        assert len(leo.sent(method="POST")) == 1
        for part in (leo.server.url, "'leo_cdp'", f"'{PROFILE}'"):
            assert part in str(refusal.value)

    def test_an_unknown_database_and_collection_are_told_apart(self, leo: Leo) -> None:
        leo.server.database("leo_cdp").drop_collection(SEGMENT)
        with pytest.raises(SourceRejected, match=r"errorNum 1203.* No such collection"):
            leo.source().signature(SEGMENT)
        with pytest.raises(SourceRejected, match=r"errorNum 1228.* No such database"):
            leo.source(database="leo_other").signature(PROFILE)

    @pytest.mark.parametrize(
        ("hosts", "message"),
        [
            ([], "give a list"),
            ("http://a:8529", "give a list"),
            (["a:8529"], "is no address"),
            (["http://a:8529/_db/leo"], "is no address"),
            (["arangodb+ssl://a:8529"], "is no address"),
            (["http://a:8529", "http://root:pass-w0rd@b:8529"], "'http://b:8529': credentials"),
        ],
    )
    def test_hosts_that_cannot_be_right_are_refused_at_once(self, leo: Leo, hosts: Any, message: str) -> None:
        with pytest.raises(SourceRejected, match=message) as refusal:
            ArangoSource(hosts, "leo_cdp", "root", SECRET)
        assert "pass-w0rd" not in str(refusal.value)

    def test_other_arguments_that_cannot_be_right_are_refused_at_once(self, leo: Leo) -> None:
        with pytest.raises(SourceRejected, match="'kerberos' is unknown"):
            leo.source(auth_method="kerberos")
        with pytest.raises(SourceRejected, match=r"no file or folder 'no/ca\.pem'"):
            leo.source(verify="no/ca.pem")
