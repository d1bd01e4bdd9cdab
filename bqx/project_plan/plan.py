"""Phases, stages, tasks and enhancements of the plan, and what of bqx delivers each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

VERSIONS = ("v2", "v3")
"""Versions of the plan; the later one has all tasks of the earlier."""


@dataclass(frozen=True)
class Item:
    """A phase, stage, task or enhancement.

    ``of`` : what it is a part of, empty for a phase or an enhancement; ``after`` : what must be
    there before; ``commands``, ``pages`` : what delivers it; ``version`` : of the plan that names
    it first; ``facts`` : what else the documents say, such as hours.
    """

    id: str
    name: str
    of: str = ""
    after: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    version: str = VERSIONS[0]
    facts: tuple[tuple[str, float], ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether a command or a page delivers it."""
        return bool(self.commands or self.pages)


@dataclass(frozen=True)
class Plan:
    """All items in the order of the file."""

    phases: tuple[Item, ...]
    stages: tuple[Item, ...]
    tasks: tuple[Item, ...]
    enhancements: tuple[Item, ...]

    def tasks_of(self, stage: str) -> tuple[Item, ...]:
        """Tasks of a stage."""
        return tuple(task for task in self.tasks if task.of == stage)

    def is_done(self, stage: str) -> bool:
        """Whether all tasks of a stage are done."""
        return all(task.is_done for task in self.tasks_of(stage))


@cache
def read() -> Plan:
    """The plan of ``plan.yaml``."""
    text = resources.files(__package__).joinpath("plan.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    stages = tuple(_item(row, row["phase"]) for row in content["stages"])
    tasks = tuple(
        # TSK-3.1.2 is the second task of stage 3.1.
        _item(row, row["id"].removeprefix("TSK-").rpartition(".")[0])
        for row in content["tasks"]
    )
    phases, enhancements = (
        tuple(_item(row, "") for row in content[name]) for name in ("phases", "enhancements")
    )
    return Plan(phases, stages, tasks, enhancements)


def _item(row: Mapping[str, Any], of: str) -> Item:
    facts = ("hours", "hours_v3", "features")
    return Item(
        id=row["id"],
        name=row["name"],
        of=of,
        after=tuple(row.get("after", ())),
        commands=tuple(row.get("commands", ())),
        pages=tuple(row.get("pages", ())),
        version=row.get("version", VERSIONS[0]),
        facts=tuple((name, row[name]) for name in facts if name in row),
    )


def shown(plan: Plan) -> str:
    """The plan as lines: each task with the commands and pages that deliver it."""
    lines = []
    for phase in plan.phases:
        lines.append(f"{phase.id}  {phase.name}")
        for stage in (stage for stage in plan.stages if stage.of == phase.id):
            tasks = plan.tasks_of(stage.id)
            done = sum(task.is_done for task in tasks)
            lines.append(f"\n{stage.id}  {stage.name}: {done} of {len(tasks)} tasks")
            lines += [_line(task) for task in tasks]
    lines.append("\nEnhancements")
    return "\n".join([*lines, *map(_line, plan.enhancements)])


def _line(item: Item) -> str:
    by = "; ".join((*item.commands, *item.pages)) or "nothing delivers it"
    return f"{item.id:<10} {'done' if item.is_done else 'open'}  {item.name}: {by}"
