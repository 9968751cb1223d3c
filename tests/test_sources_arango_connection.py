"""The way to an ArangoDB: logins and their tokens, several coordinators, certificates."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from cdp_assets.sources.arango import ArangoSource
from cdp_assets.sources.model import PROFILE, SourceRejected, SourceUnavailable
from cdp_assets.sources.server import Patience
from tests.arango import ArangoServer
from tests.arango_support import AT_ONCE, HANG, KEYS, Leo, seven_profiles
from tests.source_support import keys_of


@pytest.fixture
def leo() -> Iterator[Leo]:
    with seven_profiles() as made:
        yield made


class TestLogin:
    @pytest.mark.parametrize("auth_method", ["basic", "jwt"])
    def test_a_wrong_password_is_asked_once_and_never_shown(self, leo: Leo, auth_method: str) -> None:
        source = leo.source(password="wrong-pass-w0rd", auth_method=auth_method)
        with pytest.raises(SourceRejected, match="Check user name and password of 'root'") as refusal:
            source.signature(PROFILE)
        assert len(leo.server.requests) == 1
        assert "pass-w0rd" not in f"{refusal.value} {source!r} {source.name}"

    @pytest.mark.parametrize("auth_method", ["basic", "jwt"])
    def test_a_password_in_vietnamese_works(self, auth_method: str) -> None:
        with ArangoServer(username="đức", password="mật-khẩu") as server:
            server.create_database("leo_cdp").create_collection(PROFILE)
            source = ArangoSource([server.url], "leo_cdp", "đức", "mật-khẩu", auth_method=auth_method)
            assert source.signature(PROFILE).count == 0
            source.close()

    def test_a_token_that_ran_out_in_mid_read_is_renewed(self, leo: Leo) -> None:
        source = leo.source(auth_method="jwt")
        pages = source.scan(PROFILE)
        read = [next(pages)]
        leo.server.revoke_tokens()
        # Run out by this machine's clock as well: the case in which python-arango by itself gives up for good.
        source._server._connected().conn._token_exp = int(time.time()) - 3600  # type: ignore[union-attr]
        assert sorted(keys_of(iter([*read, *pages]))) == KEYS
        assert len(leo.sent("/_open/auth")) == 2

    def test_a_token_that_is_refused_again_after_a_new_login_is_final(self, leo: Leo) -> None:
        leo.server.faults.status(401, 11, path="/_api/collection", times=None)
        with pytest.raises(SourceRejected, match="HTTP 401"):
            leo.source(auth_method="jwt").signature(PROFILE)
        assert len(leo.sent("/_open/auth")) == 2

    def test_a_login_that_fails_in_passing_is_repeated(self, leo: Leo) -> None:
        leo.server.faults.status(503, 38, path="/_open/auth")
        assert leo.source(auth_method="jwt").signature(PROFILE).count == 7

    def test_a_login_where_there_is_none_says_so(self, leo: Leo) -> None:
        leo.server.faults.status(404, 404, path="/_open/auth")
        with pytest.raises(SourceRejected, match="without authentication: use basic"):
            leo.source(auth_method="jwt").signature(PROFILE)

    @pytest.mark.parametrize("skew", [-7200, 7200], ids=["behind", "ahead"])
    def test_a_server_whose_clock_is_wrong_is_explained(self, leo: Leo, skew: int) -> None:
        now = time.time() + skew
        token = jwt.encode({"iss": "arangodb", "iat": now, "exp": int(now) + 3600}, "k" * 32)
        leo.server.faults.json({"jwt": token}, path="/_open/auth", times=None)
        with pytest.raises(SourceRejected, match="Set the clocks of both machines"):
            leo.source(auth_method="jwt").signature(PROFILE)


class TestHosts:
    @pytest.fixture
    def dead(self) -> Iterator[str]:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{unused.getsockname()[1]}"

    @pytest.fixture
    def silent(self) -> Iterator[str]:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"

    @pytest.mark.parametrize("auth_method", ["basic", "jwt"])
    @pytest.mark.parametrize("down", ["dead", "silent"])
    def test_the_next_coordinator_is_asked_in_the_same_attempt(
        self, leo: Leo, down: str, auth_method: str, request: pytest.FixtureRequest
    ) -> None:
        hosts = [request.getfixturevalue(down), leo.server.url]
        source = leo.source(
            hosts, patience=Patience(1, 0.0, 0.0), request_timeout=HANG, auth_method=auth_method
        )
        assert sorted(keys_of(source.scan(PROFILE))) == KEYS

    def test_a_coordinator_that_falls_silent_in_mid_read_is_left(self, leo: Leo) -> None:
        other = leo.server.url.replace("127.0.0.1", "localhost")
        leo.server.faults.hang(processed=True, path="/_api/cursor", after=1)
        source = leo.source([other, leo.server.url], patience=Patience(1, 0.0, 0.0), request_timeout=HANG)
        assert sorted(keys_of(source.scan(PROFILE))) == KEYS
        hosts = [request.headers["host"].split(":")[0] for request in leo.server.requests]
        assert hosts[:3] == ["localhost", "localhost", "127.0.0.1"]

    def test_all_coordinators_down_is_one_attempt_each(self, leo: Leo, dead: str) -> None:
        leo.server.faults.status(503, 503, times=None)
        with pytest.raises(SourceUnavailable, match=f"{dead}, {leo.server.url}, database"):
            leo.source([dead, leo.server.url]).signature(PROFILE)
        assert len(leo.server.requests) == AT_ONCE.attempts

    def test_the_environment_has_no_say(
        self, leo: Leo, dead: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("HTTP_PROXY", dead)
        monkeypatch.setenv("NO_PROXY", "")
        assert leo.source(auth_method="jwt").signature(PROFILE).count == 7


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    into = ["-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject, *into],
        check=True,
        capture_output=True,
    )
    return made


class TestTls:
    @pytest.fixture
    def host(self, leo: Leo, certificate: tuple[Path, Path]) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        listener = leo.server._listener
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
        return leo.server.url.replace("http://127.0.0.1", "https://localhost")

    def test_an_unknown_certificate_is_final_and_explained(self, leo: Leo, host: str) -> None:
        with pytest.raises(
            SourceRejected, match=r"certificate that does not verify\. Give the path of the CA"
        ):
            leo.source([host]).signature(PROFILE)
        assert leo.server.requests == []

    def test_the_authoritys_certificate_makes_it_known(
        self, leo: Leo, host: str, certificate: tuple[Path, Path]
    ) -> None:
        assert leo.source([host], verify=str(certificate[0])).signature(PROFILE).count == 7

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    def test_verification_can_be_left_out(
        self, leo: Leo, host: str, monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
        assert leo.source([host], verify=False).signature(PROFILE).count == 7
