"""Alerts for people: to the log always, to Slack and by mail when configured.

Belongs here: sending one alert. When an alert is due is decided in `automation`. An alert that cannot be delivered,
for whatever reason, is logged as an error and does not fail what it reports on.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import ClassVar, Protocol

import httpx

from cdp_assets.settings import Settings

log = logging.getLogger("cdp_assets.alerts")

# At INFO they log whole addresses, and a webhook's address is a secret.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Alert:
    """One message: a line that says it all, and details below it. Holds no personal data and no secret."""

    title: str
    details: str
    is_problem: bool


class Undelivered(Exception):
    """Not everybody was reached. The message is written here and holds no secret."""


class Channel(Protocol):
    """A way to reach people, and the settings that describe it."""

    settings: ClassVar[str]

    def send(self, alert: Alert) -> None: ...


@dataclass(frozen=True, slots=True)
class SlackChannel:
    """An incoming webhook of Slack, or anything that speaks its format."""

    settings: ClassVar[str] = "CDP_SLACK_WEBHOOK_URL"

    webhook_url: str
    timeout_s: float = 10.0

    def send(self, alert: Alert) -> None:
        """Post the alert.

        Raises:
            Exception: not delivered.
        """
        mark = ":red_circle:" if alert.is_problem else ":large_green_circle:"
        text = f"*{alert.title}*\n{alert.details}"
        for character, spelled in (
            ("&", "&amp;"),
            ("<", "&lt;"),
            (">", "&gt;"),
        ):  # else `<!channel>` calls everybody
            text = text.replace(character, spelled)
        body = {"text": f"{mark} {text}"}
        httpx.post(self.webhook_url, json=body, timeout=self.timeout_s).raise_for_status()


@dataclass(frozen=True, slots=True)
class MailChannel:
    """Mail over SMTP."""

    settings: ClassVar[str] = "CDP_SMTP_* and CDP_ALERT_*"

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    password: str = ""
    starttls: bool = True
    timeout_s: float = 10.0

    def send(self, alert: Alert) -> None:
        """Send the alert.

        Raises:
            Exception: not delivered, or not to everybody.
        """
        if not self.host or not self.recipients:
            raise Undelivered("CDP_SMTP_HOST and CDP_ALERT_TO belong together, and one of them is not set")
        message = EmailMessage()
        message["Subject"] = alert.title.replace("\r", " ").replace("\n", " ")
        message["From"], message["To"] = self.sender, ", ".join(self.recipients)
        message.set_content(alert.details)
        with smtplib.SMTP(self.host, self.port, timeout=self.timeout_s) as server:
            if self.starttls:
                server.starttls()
            if self.user:
                server.login(self.user, self.password)
            refused = server.send_message(message, self.sender, self.recipients)
        if refused:
            raise Undelivered(f"{len(refused)} of {len(self.recipients)} recipients were refused")


class Notifier:
    """Sends alerts to every configured channel."""

    def __init__(self, channels: Sequence[Channel] = ()) -> None:
        self._channels = tuple(channels)

    def send(self, alert: Alert) -> None:
        """Log the alert and deliver it; nothing that goes wrong with a channel keeps it from the others."""
        alert = Alert(_writable(alert.title), _writable(alert.details), alert.is_problem)
        log.log(logging.ERROR if alert.is_problem else logging.INFO, "%s\n%s", alert.title, alert.details)
        for channel in self._channels:
            try:
                channel.send(alert)
            except Exception as error:  # noqa: BLE001 - libraries meet a bad address or name with errors of all kinds
                # of other errors the class only: httpx puts the webhook's address, which is a secret, into its messages
                reason = f": {error}" if isinstance(error, Undelivered) else ""
                log.error(  # noqa: TRY400 - a traceback would show it too
                    "%s did not take the alert %r: %s%s; see %s",
                    type(channel).__name__,
                    alert.title,
                    type(error).__name__,
                    reason,
                    channel.settings,
                )


def _writable(text: str) -> str:
    """The text without halves of characters, which neither JSON nor a mail can hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def notifier_of(settings: Settings) -> Notifier:
    """The notifier that the settings describe."""
    channels: list[Channel] = []
    if settings.slack_webhook_url is not None:
        channels.append(SlackChannel(settings.slack_webhook_url.get_secret_value()))
    recipients = tuple(part.strip() for part in settings.alert_to.split(",") if part.strip())
    if settings.smtp_host or recipients:
        password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
        channels.append(
            MailChannel(
                settings.smtp_host,
                settings.smtp_port,
                settings.alert_from,
                recipients,
                settings.smtp_user,
                password,
                settings.smtp_starttls,
            )
        )
    return Notifier(channels)
