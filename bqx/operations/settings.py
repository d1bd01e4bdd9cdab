"""Where alerts go, from one small YAML file; secrets stand in the environment, never in it."""

import os
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bqx.errors import ParameterError
from bqx.files import read_regular
from bqx.operations.alerts import RUNBOOK
from bqx.operations.channels import Channel, Email, Slack, Sns, StandardError
from bqx.params import addresses


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


_Mailbox = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]


class _Sns(_Model):
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: str


class _Slack(_Model):
    webhook: str = "BQX_SLACK_WEBHOOK"


class _Email(_Model):
    server: Annotated[str, Field(pattern=r"^[^:\s]+:\d{1,5}$")]
    sender: _Mailbox
    recipients: Annotated[list[_Mailbox], Field(min_length=1)]
    user: str = ""
    password: str = "BQX_SMTP_PASSWORD"
    tls: bool = True


class Settings(_Model):
    """Contents of the file: ``runbook`` is the address of its page; ``webhook`` and ``password``
    name variables of the environment."""

    runbook: str = RUNBOOK
    sns: _Sns | None = None
    slack: _Slack | None = None
    email: _Email | None = None

    @classmethod
    def read(cls, path: Path) -> "Settings":
        """Settings of a file.

        Raises ParameterError for a key that is unknown, missing or has a wrong value.
        """
        try:
            return cls.model_validate(yaml.safe_load(read_regular(path).decode()) or {})
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ParameterError(
                f"{path}: cannot be read, got {type(error).__name__}; expected YAML with some of "
                f"{', '.join(cls.model_fields)}."
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise ParameterError(
                f"{path}: {where}: {first['msg'].lower()}, got {first['input']!r:.60}; expected "
                "what the page on alerts shows."
            ) from None

    def channels(self) -> list[Channel]:
        """The channels, standard error first.

        Raises ParameterError for a variable of the environment that is not set, or no address.
        """
        channels: list[Channel] = [StandardError()]
        if self.sns:
            channels.append(Sns(self.sns.account, self.sns.region))
        if self.slack:
            channels.append(Slack(_webhook(self.slack.webhook)))
        if self.email:
            own = self.email
            host, _, port = own.server.partition(":")
            password = _secret(own.password) if own.user else ""
            recipients = tuple(own.recipients)
            channels.append(
                Email(host, int(port), own.sender, recipients, own.user, password, own.tls)
            )
        return channels


def _webhook(name: str) -> str:
    address = _secret(name)
    try:
        addresses.http(name, address)
    except ParameterError:
        # Its own message would show the secret.
        raise ParameterError(
            f"{name}: no address, got {len(address)} characters; expected that of an incoming "
            "webhook, https://hooks.slack.com/..."
        ) from None
    return address


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ParameterError(
            f"{name}: not set, got nothing in the environment; expected a secret. Set it, or leave "
            "its channel out of the file."
        )
    return value
