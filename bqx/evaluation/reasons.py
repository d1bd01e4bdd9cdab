"""Why a cell or a version may not be promoted: records, and the sentences that show them."""

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

_MET = {">=": operator.ge, "<=": operator.le, ">": operator.gt}


@dataclass(frozen=True)
class Reason:
    """A check of a value against a bound and how it went, or a person's words.

    ``rule`` : what is checked, or the words; ``value`` : None where it does not exist; ``sign``,
    ``bound`` : what the value is asked to be, an empty sign for words; ``horizon`` : minutes, None
    where all are meant; ``note`` : what else a reader wants to know.
    """

    rule: str
    value: float | None = None
    sign: str = ""
    bound: float | None = None
    passed: bool = False
    horizon: int | None = None
    note: str = ""

    @classmethod
    def check(
        cls, rule: str, value: float | None, sign: str, *, bound: float, note: str = ""
    ) -> "Reason":
        """A value (None or NaN where it does not exist) checked against a bound.

        >>> str(Reason.check("latency (ms)", 35.0, "<=", bound=20))
        'latency (ms): 35, expected <= 20'
        """
        number = None if value is None or math.isnan(value) else float(value)
        passed = number is not None and bool(_MET[sign](number, bound))
        return cls(rule, number, sign, bound, passed, None, note)

    @classmethod
    def of(cls, source: "Reason | str | Mapping[str, Any]") -> "Reason":
        """A reason from a person's words or from its record."""
        if isinstance(source, Reason):
            return source
        return cls(source) if isinstance(source, str) else cls(**source)

    def at(self, horizon: int) -> "Reason":
        """The same reason of one horizon."""
        return replace(self, horizon=horizon)

    @property
    def measured(self) -> str:
        """What was measured and what was asked for; empty for a person's words."""
        if not self.sign:
            return self.note
        number = "does not exist" if self.value is None else f"{self.value:.3g}"
        asked = "" if self.value is None else f"expected {self.sign} {self.bound:g}"
        return ", ".join(text for text in (number, self.note, asked) if text)

    def __str__(self) -> str:
        where = "" if self.horizon is None else f"{self.horizon} min: "
        return f"{where}{self.rule}" + (f": {self.measured}" if self.measured else "")
