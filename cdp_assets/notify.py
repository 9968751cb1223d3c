"""Alerts for people: to the log always, to Slack and by mail when configured.

Belongs here: sending one alert. When an alert is due is decided in `automation`. An alert that cannot be delivered
is logged as an error and does not fail what it reports on.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol

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


class Channel(Protocol):
    """A way to reach people."""

    def send(self, alert: Alert) -> None: ...


@dataclass(frozen=True, slots=True)
class SlackChannel:
    """An incoming webhook of Slack, or anything that speaks its format."""

    webhook_url: str
    timeout_s: float = 10.0

    def send(self, alert: Alert) -> None:
        """Post the alert.

        Raises:
            httpx.HTTPError: not delivered.
        """
        mark = ":red_circle:" if alert.is_problem else ":large_green_circle:"
        body = {"text": f"{mark} *{alert.title}*\n{alert.details}"}
        httpx.post(self.webhook_url, json=body, timeout=self.timeout_s).raise_for_status()


@dataclass(frozen=True, slots=True)
class MailChannel:
    """Mail over SMTP."""

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
            OSError, smtplib.SMTPException: not delivered.
        """
        message = EmailMessage()
        message["Subject"] = alert.title.replace("\r", " ").replace("\n", " ")
        message["From"], message["To"] = self.sender, ", ".join(self.recipients)
        message.set_content(alert.details)
        with smtplib.SMTP(self.host, self.port, timeout=self.timeout_s) as server:
            if self.starttls:
                server.starttls()
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message)


class Notifier:
    """Sends alerts to every configured channel."""

    def __init__(self, channels: Sequence[Channel] = ()) -> None:
        self._channels = tuple(channels)

    def send(self, alert: Alert) -> None:
        """Log the alert and deliver it; one channel's failure does not keep it from the others."""
        log.log(logging.ERROR if alert.is_problem else logging.INFO, "%s\n%s", alert.title, alert.details)
        for channel in self._channels:
            try:
                channel.send(alert)
            except (httpx.HTTPError, OSError, smtplib.SMTPException) as error:
                # the class only: httpx puts the webhook's address, which is a secret, into its messages
                log.error(  # noqa: TRY400 - a traceback would show it too
                    "%s did not take the alert %r: %s",
                    type(channel).__name__,
                    alert.title,
                    type(error).__name__,
                )


def notifier_of(settings: Settings) -> Notifier:
    """The notifier that the settings describe."""
    channels: list[Channel] = []
    if settings.slack_webhook_url is not None:
        channels.append(SlackChannel(settings.slack_webhook_url.get_secret_value()))
    recipients = tuple(part.strip() for part in settings.alert_to.split(",") if part.strip())
    if settings.smtp_host and recipients:
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
