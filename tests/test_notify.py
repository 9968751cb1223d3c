"""Alerts over the real protocols: a web server that stands for Slack, a mail server that speaks SMTP, both local."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from cdp_assets.automation import run_status
from cdp_assets.notify import Alert, MailChannel, Notifier, SlackChannel, notifier_of
from cdp_assets.settings import Settings

PROBLEM = Alert("leo_cdp_sync failed for tenant acme", "Run: r1\nError: Sự cố", is_problem=True)
SECRET_PATH = "/services/T000/B000/s3cr3t"


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Webhook(HTTPServer):
    """Takes posts like Slack's incoming webhooks, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _WebhookRequest)
        self.status = 200
        self.posts: list[tuple[str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{SECRET_PATH}"


class _WebhookRequest(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"ok" if self.server.status == 200 else b"no_service")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the parent's name
        """Quiet."""


class MailServer(socketserver.TCPServer):
    """As much of SMTP as it takes to receive a mail: one connection, no TLS, no login."""

    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _MailSession)
        self.refuses = refuses
        self.refused = ""
        self.commands: list[str] = []
        self.mails: list[bytes] = []


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 test")
        for line in self.rfile:
            command = line.decode().strip()
            self.server.commands.append(command)
            match command.split(" ")[0].upper().split(":")[0]:
                case "EHLO":
                    self._say("250 test")
                case "RCPT" if self.server.refuses or (
                    self.server.refused and self.server.refused in command
                ):
                    self._say("550 nobody here")
                case "DATA":
                    self._say("354 go on")
                    self._read_mail()
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine")

    def _read_mail(self) -> None:
        self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))

    def _say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    with serving(server):
        yield server


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    with serving(server):
        yield server


def mail_to(server: MailServer) -> MailChannel:
    return MailChannel(
        "127.0.0.1", server.server_address[1], "cdp@example.vn", ("an@example.vn", "binh@example.vn"), starttls=False
    )  # fmt: skip


# -- log -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_problem", "level"), [(True, logging.ERROR), (False, logging.INFO)])
def test_without_channels_an_alert_is_logged(
    caplog: pytest.LogCaptureFixture, is_problem: bool, level: int
) -> None:
    caplog.set_level(logging.INFO, logger="cdp_assets.alerts")
    Notifier().send(Alert("title", "details", is_problem))
    assert caplog.record_tuples == [("cdp_assets.alerts", level, "title\ndetails")]


# -- Slack ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_problem", "mark"), [(True, ":red_circle:"), (False, ":large_green_circle:")])
def test_slack_gets_one_message_with_a_mark(webhook: Webhook, is_problem: bool, mark: str) -> None:
    Notifier([SlackChannel(webhook.url)]).send(Alert("It failed", "Error: Sự cố", is_problem))
    assert webhook.posts == [(SECRET_PATH, {"text": f"{mark} *It failed*\nError: Sự cố"})]


def test_a_webhook_that_fails_is_logged_without_its_address_and_fails_nothing(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever knows the address can post into the channel: it is a secret, and httpx puts it into its messages."""
    caplog.set_level(logging.DEBUG, logger="cdp_assets")
    webhook.status = 404
    Notifier([SlackChannel(webhook.url)]).send(PROBLEM)
    assert (
        "SlackChannel did not take the alert 'leo_cdp_sync failed for tenant acme': HTTPStatusError"
        in caplog.text
    )
    assert "s3cr3t" not in caplog.text


def test_the_address_of_the_webhook_is_not_in_any_log_when_it_works(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    Notifier([SlackChannel(webhook.url)]).send(PROBLEM)
    assert webhook.posts
    assert "s3cr3t" not in caplog.text


def test_a_webhook_that_nobody_answers_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    server = Webhook()
    server.server_close()
    Notifier([SlackChannel(server.url)]).send(PROBLEM)
    assert "SlackChannel did not take the alert" in caplog.text
    assert "s3cr3t" not in caplog.text


# -- mail ----------------------------------------------------------------------------------------------------------


def test_mail_goes_to_every_recipient(mail_server: MailServer) -> None:
    Notifier([mail_to(mail_server)]).send(PROBLEM)
    (raw,) = mail_server.mails
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["Subject"] == "leo_cdp_sync failed for tenant acme"
    assert (mail["From"], mail["To"]) == ("cdp@example.vn", "an@example.vn, binh@example.vn")
    assert mail.get_content().splitlines() == ["Run: r1", "Error: Sự cố"]
    recipients = [command for command in mail_server.commands if command.upper().startswith("RCPT")]
    assert recipients == ["rcpt TO:<an@example.vn>", "rcpt TO:<binh@example.vn>"]


def test_a_title_of_several_lines_smuggles_no_header_into_the_mail(mail_server: MailServer) -> None:
    Notifier([mail_to(mail_server)]).send(Alert("failed\r\nBcc: eve@example.vn", "-", is_problem=True))
    mail = message_from_bytes(mail_server.mails[0], policy=policy.default)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "failed  Bcc: eve@example.vn"


def test_a_mail_server_that_refuses_does_not_keep_the_alert_from_slack(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    server = MailServer(refuses=True)
    with serving(server):
        Notifier([mail_to(server), SlackChannel(webhook.url)]).send(PROBLEM)
    assert "MailChannel did not take the alert" in caplog.text
    assert len(webhook.posts) == 1


def test_mail_is_encrypted_or_not_sent(mail_server: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    """The server offers no STARTTLS: with the setting at its default nothing goes out in the clear."""
    channel = MailChannel("127.0.0.1", mail_server.server_address[1], "cdp@example.vn", ("an@example.vn",))
    Notifier([channel]).send(PROBLEM)
    assert mail_server.mails == []
    assert "MailChannel did not take the alert" in caplog.text


# -- settings and runs ---------------------------------------------------------------------------------------------


def test_settings_choose_the_channels(webhook: Webhook, mail_server: MailServer) -> None:
    notifier = notifier_of(
        Settings(
            _env_file=None,
            slack_webhook_url=SecretStr(webhook.url),
            smtp_host="127.0.0.1",
            smtp_port=mail_server.server_address[1],
            smtp_starttls=False,
            alert_to=" an@example.vn ,",
        )
    )
    notifier.send(PROBLEM)
    assert len(webhook.posts) == len(mail_server.mails) == 1


@pytest.mark.parametrize(
    "given", [{"smtp_host": "mail"}, {"alert_to": "an@example.vn"}, {"smtp_host": "mail", "alert_to": " , "}]
)
def test_half_a_configuration_is_named(given: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    notifier_of(Settings(_env_file=None, **given)).send(PROBLEM)
    assert "CDP_SMTP_HOST and CDP_ALERT_TO belong together" in caplog.messages[-1]


BAD_ADDRESSES = [
    "no address", "://", "http://", "http://[", "http://[::1", "https://hooks.example:port/x", "http://h:99999/x",
    "ftp://h/x", "http://h h/x", "http://\x00/x", "http://" + "x" * 70 + ".example/", "http://.example/", "file:///etc/passwd",
    "http://đ\ud800/", "http://user:\n@h/",
]  # fmt: skip
BAD_MAIL: list[dict[str, Any]] = [
    {"smtp_host": "no host"}, {"smtp_host": "x" * 70 + ".example"}, {"smtp_host": "\x00"}, {"smtp_host": "đ\ud800"},
    {"smtp_port": 0}, {"smtp_port": 99_999}, {"smtp_port": -1},
    {"alert_from": "a\nBcc: b@example.vn"}, {"alert_from": "@"}, {"alert_from": "\ud800"}, {"alert_from": ""},
    {"alert_to": "a\nBcc: b@example.vn"}, {"alert_to": "\ud800@example.vn"}, {"alert_to": "<"},
    {"smtp_user": "an", "smtp_password": SecretStr("mật khẩu")}, {"smtp_user": "an", "smtp_password": None},
    {"smtp_user": "\ud800"},
]  # fmt: skip


@pytest.mark.parametrize("address", BAD_ADDRESSES, ids=range(len(BAD_ADDRESSES)))
def test_a_bad_webhook_is_a_logged_line_and_others_are_reached(
    mail_server: MailServer, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    Notifier([SlackChannel(address, timeout_s=0.5), mail_to(mail_server)]).send(PROBLEM)
    assert len(mail_server.mails) == 1
    assert "see CDP_SLACK_WEBHOOK_URL" in caplog.messages[-1]


@pytest.mark.parametrize("given", BAD_MAIL, ids=range(len(BAD_MAIL)))
def test_bad_mail_settings_are_a_logged_line_and_others_are_reached(
    webhook: Webhook, mail_server: MailServer, caplog: pytest.LogCaptureFixture, given: dict[str, Any]
) -> None:
    usual = {
        "smtp_host": "127.0.0.1",
        "smtp_port": mail_server.server_address[1],
        "alert_to": "an@example.vn",
    }
    settings = Settings(_env_file=None, smtp_starttls=False).model_copy(update=usual | given)
    mail = notifier_of(settings)
    Notifier([*mail._channels, SlackChannel(webhook.url)]).send(PROBLEM)
    assert len(webhook.posts) == 1
    if not mail_server.mails:
        assert "see CDP_SMTP_* and CDP_ALERT_*" in caplog.messages[-1]
    assert not any("rcpt to:<b@example.vn>" in command.lower() for command in mail_server.commands)


def test_one_recipient_that_is_refused_does_not_keep_the_mail_from_the_others(
    mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    mail_server.refused = "binh"
    Notifier([mail_to(mail_server)]).send(PROBLEM)
    assert len(mail_server.mails) == 1
    assert "1 of 2 recipients were refused" in caplog.messages[-1]


def test_text_that_nobody_can_write_is_told_all_the_same(webhook: Webhook, mail_server: MailServer) -> None:
    Notifier([SlackChannel(webhook.url), mail_to(mail_server)]).send(
        Alert("t\ud800", "d\udfff", is_problem=True)
    )
    assert r"t\ud800" in webhook.posts[0][1]["text"]
    assert len(mail_server.mails) == 1


def test_foreign_text_is_not_markup_in_slack(webhook: Webhook) -> None:
    Notifier([SlackChannel(webhook.url)]).send(Alert("t", "<!channel> a & b", is_problem=True))
    assert "&lt;!channel&gt; a &amp; b" in webhook.posts[0][1]["text"]


def test_a_failed_run_reaches_slack_and_a_failing_webhook_does_not_fail_the_sensor(webhook: Webhook) -> None:
    @dg.op
    def broken() -> None:
        raise RuntimeError("out of luck")

    @dg.job
    def upkeep() -> None:
        broken()

    with dg.DagsterInstance.ephemeral() as instance:
        result = upkeep.execute_in_process(instance=instance, raise_on_error=False)
        (event,) = (each for each in result.all_events if each.event_type_value == "PIPELINE_FAILURE")
        context = dg.build_run_status_sensor_context(
            "alert_on_failure",
            event,
            instance,
            result.dagster_run,
            resources={"notifier": Notifier([SlackChannel(webhook.url)])},
        ).for_run_failure()
        for webhook.status in (200, 500):
            assert run_status.alert_on_failure(context) is None
    assert len(webhook.posts) == 2
    text = webhook.posts[0][1]["text"]
    assert text.startswith(":red_circle: *upkeep failed*\n")
    assert "Step: broken\nError: RuntimeError: out of luck\n" in text
