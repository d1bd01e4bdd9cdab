"""Ways by which an alert reaches people: SNS, Slack, e-mail, standard error.

A channel says right before the last byte of a message leaves that it is being sent. Before that
the message has certainly not arrived, so that it is safe to send it again; after that, without an
answer, nobody knows.
"""

import http.client
import json
import smtplib
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
)

from bqx.operations.alert_rules import LEVELS, Level

TIMEOUT = 10.0
"""Seconds that a channel may take to connect, and to answer."""

TOPIC = "bqx-ml-"
"""Beginning of the names of SNS's topics; the level follows."""

Mark = Callable[[], None]


class NotSentError(Exception):
    """A message has not arrived, and can be sent again."""


class UnansweredError(Exception):
    """A message was sent and not answered: whether it arrived is not known."""


@dataclass(frozen=True)
class Message:
    """What a channel says: ``id`` is another for every alert and the same whenever it is sent."""

    id: str
    level: Level
    title: str
    text: str
    runbook: str

    def __str__(self) -> str:
        """All in one line."""
        return f"{self.level}: {self.title}: {self.text}. {self.runbook} [{self.id}]"


class Channel(Protocol):
    """Where alerts of some levels go."""

    @property
    def name(self) -> str:
        """By which its deliveries are stored."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """That it gets."""

    def send(self, message: Message, mark: Mark) -> None:
        """Send a message, and call ``mark`` before its last byte.

        Raises NotSentError or UnansweredError.
        """


@dataclass(frozen=True)
class StandardError:
    """Standard error, one line each: for those without any account."""

    name: str = "standard_error"
    levels: tuple[Level, ...] = LEVELS

    def send(self, message: Message, mark: Mark) -> None:
        """Print."""
        mark()
        print(message, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Slack:
    """An incoming webhook; ``url`` is a secret."""

    url: str = field(repr=False)
    name: str = "slack"
    levels: tuple[Level, ...] = ("critical", "warning")

    def send(self, message: Message, mark: Mark) -> None:
        """Post."""
        parts = urlsplit(self.url)
        query = f"?{parts.query}" if parts.query else ""
        is_safe = parts.scheme == "https"
        kind = http.client.HTTPSConnection if is_safe else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
        body = json.dumps(self.content(message)).encode()
        try:
            try:
                connection.putrequest("POST", f"{parts.path or '/'}{query}")
                connection.putheader("Content-Type", "application/json")
                connection.putheader("Content-Length", str(len(body)))
                connection.endheaders()
                connection.send(body[:-1])
            except (OSError, http.client.HTTPException) as error:
                raise NotSentError(f"not reached, {_why(error)}") from None
            mark()
            try:
                connection.send(body[-1:])
                answer = connection.getresponse()
                said = answer.read(200).decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                raise UnansweredError(_why(error)) from None
        finally:
            connection.close()
        if answer.status != 200:
            raise NotSentError(f"refused, {answer.status} {said}")

    @staticmethod
    def content(message: Message) -> dict[str, Any]:
        """What is posted: text in Slack's own notation, whose three characters are escaped."""
        title, text = (
            words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            for words in (message.title, message.text)
        )
        said = f"*{message.level}: {title}*\n{text}\n<{message.runbook}|Runbook> · {message.id}"
        return {"text": said}


@dataclass(frozen=True)
class Email:
    """A server of SMTP; with a ``user`` it is logged in to, and by default encrypted."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = True
    name: str = "email"
    levels: tuple[Level, ...] = ("critical",)

    def send(self, message: Message, mark: Mark) -> None:
        """Hand over to the server."""
        try:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)
            try:
                self._begin(server)
                self._end(server, message, mark)
                # It has the mail, whatever it says to that.
                with suppress(OSError, smtplib.SMTPException):
                    server.quit()
            finally:
                server.close()
        except (OSError, smtplib.SMTPException) as error:
            raise NotSentError(f"not reached, {_why(error)}") from None

    def _begin(self, server: smtplib.SMTP) -> None:
        """Up to the message itself."""
        if self.tls:
            server.starttls(context=ssl.create_default_context())
        if self.user:
            server.login(self.user, self.password)
        server.ehlo_or_helo_if_needed()
        commands = [
            partial(server.mail, self.sender),
            *(partial(server.rcpt, name) for name in self.recipients),
            partial(server.docmd, "DATA"),
        ]
        for command in commands:
            code, said = command()
            if code >= 400:
                raise NotSentError(f"refused, {code} {said!r}")

    def _end(self, server: smtplib.SMTP, message: Message, mark: Mark) -> None:
        content = self.content(message).as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        server.send(content.replace(b"\r\n.", b"\r\n..").rstrip(b"\r\n") + b"\r\n")
        mark()
        try:
            server.send(b".\r\n")
            code, said = server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise UnansweredError(_why(error)) from None
        if code >= 400:
            raise NotSentError(f"refused, {code} {said!r}")

    def content(self, message: Message) -> EmailMessage:
        """The mail; its ``Message-ID`` is the alert's, by which mailboxes drop a second one."""
        mail = EmailMessage()
        mail["From"], mail["To"] = self.sender, ", ".join(self.recipients)
        mail["Subject"] = f"[bqx {message.level}] {message.title}"
        mail["Message-ID"] = f"<{message.id}@bqx>"
        mail.set_content(f"{message.text}\n\nRunbook: {message.runbook}\nAlert {message.id}\n")
        return mail


@dataclass(frozen=True)
class Sns:
    """The topics bqx-ml-critical, -warning and -info of an account."""

    account: str
    region: str
    name: str = "sns"
    levels: tuple[Level, ...] = LEVELS

    def topic(self, level: Level) -> str:
        """ARN of a level's topic."""
        return f"arn:aws:sns:{self.region}:{self.account}:{TOPIC}{level}"

    def send(self, message: Message, mark: Mark) -> None:
        """Publish."""
        # One try: a second one by itself could say it twice.
        config = Config(
            connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 1}
        )
        attributes = {
            key: {"DataType": "String", "StringValue": value}
            for key, value in {"id": message.id, "level": message.level}.items()
        }
        subject = f"bqx {message.level}: {message.title}".encode("ascii", "replace").decode()
        try:
            client = boto3.client("sns", region_name=self.region, config=config)
            client.meta.events.register("before-send.sns.Publish", lambda **_: mark())
            client.publish(
                TopicArn=self.topic(message.level),
                Subject=subject[:100],
                Message=str(message),
                MessageAttributes=attributes,
            )
        except ClientError as error:
            raise NotSentError(f"refused, {error.response['Error']['Code']}") from None
        except (EndpointConnectionError, ConnectTimeoutError, NoCredentialsError) as error:
            raise NotSentError(f"not reached, {_why(error)}") from None
        except BotoCoreError as error:
            raise UnansweredError(_why(error)) from None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
