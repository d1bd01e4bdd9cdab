"""What only the user can know of bar files, declared once for every command that reads them."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

from bqx.errors import ParameterError

Clock = str | tuple[tuple[str, str], ...]
Stamped = Literal["", "open", "close"]
SpreadUnit = Literal["", "rate", "pips", "points"]
Side = Literal["", "bid", "ask", "mid"]

_CHOICES = {"stamped": Stamped, "spread_unit": SpreadUnit, "side": Side}


@dataclass(frozen=True)
class Declared:
    """What a user says of bar files; what is empty is found in the files or refused.

    ``clock`` : clock of times that do not name their own offset from UTC, see
    `bqx.market.readers.clocks`.
    ``stamped`` : which end of its minute a bar's time is.
    ``spread_unit`` : unit of a spread: the rate's, pips, or points (the rate's last digit).
    ``side`` : side of rates that name none; ask or mid also lets rates in that are theirs alone.
    ``gap`` : whether more than a month without bars may lie between the bars.

    Raises ParameterError for a value that is none of those.
    """

    clock: Clock = ""
    stamped: Stamped = ""
    spread_unit: SpreadUnit = ""
    side: Side = ""
    gap: bool = False

    def __post_init__(self) -> None:
        """Check the choices, which nothing else checks in Python."""
        for name, choices in _CHOICES.items():
            value, allowed = getattr(self, name), get_args(choices)
            if value not in allowed:
                raise ParameterError(
                    f"{name}: unknown, got {value!r}; expected one of "
                    f"{', '.join(choice for choice in allowed if choice)}."
                )


KEYS = tuple(field.name for field in fields(Declared))
"""Names of what can be declared: parameters of a run and options of every command."""


def option(key: str, value: object = None) -> str:
    """How a command is told a value.

    >>> option("spread_unit", "pips"), option("gap")
    ('--spread-unit pips', '--gap')
    >>> option("clock", (("2018-01-01", "UTC+2"), ("2018-03-26", "UTC+3")))
    "--clock '[[2018-01-01, UTC+2], [2018-03-26, UTC+3]]'"
    """
    name = "--" + key.replace("_", "-")
    if value is None:
        return name
    if isinstance(value, tuple):
        value = "'[" + ", ".join(f"[{start}, {clock}]" for start, clock in value) + "]'"
    return f"{name} {value}"
