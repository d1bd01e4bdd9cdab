"""Where alerts go, from one small YAML file; secrets stand in the environment, never in it."""

import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bqx.errors import ParameterError
from bqx.files import read_regular
from bqx.operations.alerts import RUNBOOK
from bqx.operations.channels import Channel, Email, Slack, Sns, StandardError
from bqx.params import addresses


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60

_Mailbox = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]

_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]


class _Sns(_Model):
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: str


class _Slack(_Model):
    webhook: _Variable = "BQX_SLACK_WEBHOOK"


class _Email(_Model):
    server: Annotated[str, Field(pattern=r"^[^:\s]+:\d{1,5}$")]
    sender: _Mailbox
    recipients: Annotated[list[_Mailbox], Field(min_length=1)]
    user: str = ""
    password: _Variable = "BQX_SMTP_PASSWORD"
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
            raise ParameterError(f"{path}: {_fault(error.errors()[0])}") from None

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
            email = self.email
            host, _, port = email.server.partition(":")
            password = _secret(email.password) if email.user else ""
            recipients = tuple(email.recipients)
            channels.append(
                Email(host, int(port), email.sender, recipients, email.user, password, email.tls)
            )
        return channels


_CHANNELS: dict[str, type[_Model]] = {"sns": _Sns, "slack": _Slack, "email": _Email}
_RULES = {
    "runbook": "the address of a page",
    "sns": "account and region, as in {account: '123456789012', region: us-east-1}",
    "slack": "{} or {webhook: NAME}",
    "email": "server, sender and recipients",
    "account": "twelve digits between quotes, such as '123456789012'",
    "region": "a region of AWS, such as us-east-1",
    "webhook": "the name of a variable of the environment, such as BQX_SLACK_WEBHOOK",
    "server": "host and port, such as mail.example.org:587",
    "sender": "one address, such as bqx@example.org",
    "recipients": "a list of one or more addresses, such as [desk@example.org]",
    "user": "a name, where the server asks for one",
    "password": "the name of a variable of the environment, such as BQX_SMTP_PASSWORD",
    "tls": "true or false",
}
"""What is expected under each key."""


def _fault(error: Mapping[str, Any]) -> str:
    """What is wrong, of one of the errors that the schema has found."""
    names = [str(name) for name in error["loc"]]
    where, got = ".".join(names) or "the file", _SHOWN.repr(error["input"])
    if names[-1:] in (["webhook"], ["password"]):
        # Perhaps the secret itself.
        got = f"{len(str(error['input']))} characters"
    if error["type"] == "extra_forbidden":
        model = _CHANNELS[names[0]] if len(names) > 1 else Settings
        keys = ", ".join(model.model_fields)
        return f"{where}: unknown key, got {got}; expected one of {keys}. Remove it."
    rule = next((_RULES[name] for name in reversed(names) if name in _RULES), "")
    if error["type"] == "missing":
        return f"{where}: absent, got {got}; expected {rule}. Add it."
    return (
        f"{where}: a wrong value, got {got}; expected {rule or ', '.join(Settings.model_fields)}. "
        "Correct it."
    )


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
