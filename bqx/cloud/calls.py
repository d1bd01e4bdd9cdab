"""Calls of AWS as values: shown first, and made only when that is asked for."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from bqx.cloud import shapes
from bqx.errors import BqxError

Clients = Callable[[str], Any]
"""A client of boto3 by the name of its service."""


class CloudError(BqxError):
    """A call that AWS refused."""


@dataclass(frozen=True)
class Call:
    """A call of boto3: service, method and arguments."""

    service: str
    method: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """The call as JSON."""
        return json.dumps({f"{self.service}.{self.method}": self.arguments}, indent=1, default=str)


def clients(region: str) -> Clients:
    """Clients of a region, with the credentials of the AWS environment; one for each service."""
    by_service: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in by_service:
            by_service[service] = boto3.client(service, region_name=region)
        return by_service[service]

    return client


def make(call: Call, of: Clients) -> dict[str, Any]:
    """Make a call, and give its answer.

    Raises CloudError where AWS refuses or is not reached.
    """
    with told(f"{call.service}.{call.method}"):
        answer: dict[str, Any] = getattr(of(call.service), call.method)(**call.arguments)
    return answer


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say in one line, as CloudError, why AWS refused or was not reached."""
    try:
        yield
    except ClientError as error:
        said = error.response["Error"]
        raise CloudError(
            f"{what}: refused, got {said['Code']}: {said['Message']:.300}; "
            "expected it to be allowed. Check the role's policy and the names."
        ) from None
    except BotoCoreError as error:
        raise CloudError(
            f"{what}: not made, got {error}; expected an account that can "
            "be reached. Check credentials and region."
        ) from None


def checked(calls: Iterable[Call]) -> list[Call]:
    """Calls that have the shapes that AWS takes.

    Raises ParameterError for one that has not.
    """
    every = list(calls)
    for call in every:
        shapes.check(call.service, call.method, call.arguments)
    return every


def make_all(calls: Iterable[Call], of: Clients | None) -> list[dict[str, Any]]:
    """Make calls one after the other, or without clients print what they would be.

    Raises ParameterError before any for one that AWS would refuse, see `bqx.cloud.shapes`.
    """
    calls, answers = checked(calls), []
    for call in calls:
        if of is None:
            print(call)
        else:
            answers.append(make(call, of))
    return answers
