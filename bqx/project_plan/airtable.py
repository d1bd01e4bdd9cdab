"""The plan's records in a base of Airtable: what is missing is made, what differs is mended.

Records are found by their key field, so that a second push, or one beside another, changes nothing.
Fields of which the plan says nothing, such as who a task is assigned to, stay as they are. Links
are arrays of the records' identities, as Airtable wants them.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from bqx.errors import BqxError, ParameterError
from bqx.project_plan.plan import Item, Plan

if TYPE_CHECKING:
    from pyairtable import Api, Table

TOKEN = "BQX_AIRTABLE_TOKEN"
SECRET = "bqx-ml/airtable-token"
PACE = 0.2
"""Least seconds between requests: Airtable takes five a second of a base."""
AT_ONCE = 10
"""Records of a request."""

Fields = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A record that is ``created`` or ``updated``, with the fields that differ."""

    table: str
    key: str
    kind: str
    fields: Fields


def token(environment: Mapping[str, str] = os.environ) -> str:
    """The token of the environment, or of the secret of AWS Secrets Manager.

    Raises ParameterError where neither gives one.
    """
    if text := environment.get(TOKEN, "").strip():
        return text
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=SECRET)
        return _of_secret(answer["SecretString"])
    except (BotoCoreError, ClientError, LookupError, ValueError) as error:
        raise ParameterError(
            f"Airtable: no token, got neither {TOKEN} nor the secret {SECRET} "
            f"({type(error).__name__}); expected one of them. Set {TOKEN}."
        ) from None


def _of_secret(text: str) -> str:
    """A secret is the token itself, or JSON with it under ``token``."""
    content = json.loads(text)["token"] if text.lstrip().startswith("{") else text
    if not isinstance(content, str) or not content.strip():
        raise ValueError("no token")
    return content.strip()


class Paced:
    """Lets so much time pass between two requests that Airtable takes them.

    Parameters
    ----------
    clock, sleep : seconds, and what waits for some.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._last = -PACE

    def wait(self) -> None:
        """Wait until the next request may be made."""
        left = self._last + PACE - self._clock()
        if left > 0.0:
            self._sleep(left)
        self._last = self._clock()


class Base:
    """A base of Airtable, asked and changed at its pace."""

    def __init__(self, api: "Api", base: str, paced: Paced | None = None) -> None:
        self._api, self._base = api, base
        self._paced = paced or Paced()

    def records(self, table: str, key: str) -> dict[str, tuple[str, Fields]]:
        """Identity and fields of all records of a table, by their key field."""
        out: dict[str, tuple[str, Fields]] = {}
        for page in self._pages(self._table(table)):
            for record in page:
                if key in record["fields"]:
                    out[str(record["fields"][key])] = (record["id"], dict(record["fields"]))
        return out

    def upsert(self, table: str, key: str, rows: Sequence[Fields]) -> dict[str, str]:
        """Make or mend records; identities of those that were sent, by key."""
        out: dict[str, str] = {}
        for start in range(0, len(rows), AT_ONCE):
            self._paced.wait()
            sent = [{"fields": row} for row in rows[start : start + AT_ONCE]]
            answer = self._told(partial(self._table(table).batch_upsert, sent, [key]))
            out |= {str(record["fields"][key]): record["id"] for record in answer["records"]}
        return out

    def _pages(self, table: "Table") -> Iterator[list[Any]]:
        pages = iter(table.iterate())
        while True:
            self._paced.wait()
            page = self._told(lambda: next(pages, None))
            if page is None:
                return
            yield page

    def _table(self, name: str) -> "Table":
        return self._api.table(self._base, name)

    def _told(self, request: Callable[[], Any]) -> Any:
        from requests import RequestException

        try:
            return request()
        except RequestException as error:
            answer = error.response
            got = type(error).__name__ if answer is None else f"status {answer.status_code}"
            raise BqxError(
                f"Airtable: a request failed, got {got}; expected an answer of base {self._base}. "
                "Look at the base, its tables and the token's rights, and push again."
            ) from None


def push(plan: Plan, base: Base, *, dry_run: bool = False) -> list[Change]:
    """Bring a base to what the plan says; what was changed, or with ``dry_run`` would be.

    Raises BqxError for a request that fails; those before it have counted, and a second push goes
    on from there.
    """
    identities: dict[str, str] = {}
    changes: list[Change] = []
    for table, key, items, fields in _tables(plan):
        records = base.records(table, key)
        identities |= {name: identity for name, (identity, _) in records.items()}
        # In the order of the plan, so that what a record links to is there before it.
        for rows in _waves(items):
            wanted = {item.id: fields(item, identities) for item in rows}
            sent = []
            for name, row in wanted.items():
                before = records.get(name, ("", {}))[1]
                unlike = {k: value for k, value in row.items() if before.get(k) != value}
                if unlike:
                    kind = "updated" if name in records else "created"
                    changes.append(Change(table, name, kind, unlike))
                    sent.append(unlike | {key: name})
            if dry_run:
                # Stands for the identity that Airtable would give.
                identities |= {name: identities.get(name, f"new {name}") for name in wanted}
            else:
                identities |= base.upsert(table, key, sent)
    return changes


def _waves(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Items so that what some come after is in an earlier wave."""
    done: set[str] = set()
    left = list(items)
    while left:
        ready = [item for item in left if done.issuperset(item.after)]
        yield ready
        done |= {item.id for item in ready}
        left = [item for item in left if item.id not in done]


Made = Callable[[Item, Mapping[str, str]], Fields]


def _tables(plan: Plan) -> list[tuple[str, str, Sequence[Item], Made]]:
    """Table, key field, items and their fields."""

    def stage(item: Item, identities: Mapping[str, str]) -> Fields:
        row = _row("Stage ID", item, "Done" if plan.is_done(item.id) else "In Progress")
        return row | {"Stage Code": item.id, "Phase": [identities[item.of]]}

    def task(item: Item, identities: Mapping[str, str]) -> Fields:
        status = "Done" if item.is_done else "Todo"
        return _row("Task ID", item, status) | {"Stage": [identities[item.of]]}

    def phase(item: Item, _: Mapping[str, str]) -> Fields:
        done = all(plan.is_done(stage.id) for stage in plan.stages)
        return _row("Phase ID", item, "Done" if done else "In Progress")

    def enhancement(item: Item, identities: Mapping[str, str]) -> Fields:
        row = _row("Stage", item, "Done" if item.is_done else "Todo")
        return row | {"Dependencies": [identities[name] for name in item.after]}

    return [
        ("Phases", "Phase ID", plan.phases, phase),
        ("Stages", "Stage ID", plan.stages, stage),
        ("Tasks", "Task ID", plan.tasks, task),
        ("Phase 2 Stages", "Stage", plan.enhancements, enhancement),
    ]


def _row(key: str, item: Item, status: str) -> Fields:
    facts = dict(item.facts)
    row: Fields = {key: item.id, "Description": item.name, "Status": status}
    if "hours" in facts:
        row["Duration"] = facts.get("hours_v3", facts["hours"])
    if delivered := "; ".join((*item.commands, *item.pages)):
        row["Outcome"] = delivered
    return row
