"""Text files whose first line is a bar: which field is which, where their shape is known."""

import re

from bqx.errors import BarError
from bqx.market.bars import RATES
from bqx.market.readers.columns import Columns
from bqx.market.readers.times import is_time

_AFTER_TIME = {4: RATES, 5: (*RATES, "volume")}
"""Our names for the numbers behind the time, by their count."""

_METATRADER_FIELDS = (*RATES, "volume", "", "spread")


def columns_of(line: str, delimiter: str, where: str) -> Columns | None:
    """Columns of a file without a header, told by a line of it; None where it is no bar.

    Raises
    ------
    BarError : a line of times and numbers that is no known shape of bars.
    """
    fields = [field.strip().strip('"').strip() for field in line.split(delimiter)]
    names, rest = _time_of(fields)
    if not names:
        return None
    numbers = [is_number(field) for field in rest]
    if not all(numbers) or not numbers:
        return None
    if len(rest) == len(_METATRADER_FIELDS) and re.match(r"\d{4}\.\d\d\.\d\d", fields[0]):
        return Columns((*names, *_METATRADER_FIELDS), spread_unit="points")
    if len(rest) not in _AFTER_TIME:
        what = "ticks" if len(rest) in (2, 3) else "the file has no header"
        raise BarError(
            f"{where}: {what}, got {line[:80]!r}; expected one-minute bars: a time, open, high, "
            "low, close and a volume at most, or a first line that names the columns. Add one."
        )
    return Columns((*names, *_AFTER_TIME[len(rest)]))


def is_number(text: str) -> bool:
    """Whether a field holds a number with a decimal point or comma."""
    return re.fullmatch(r"[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?", text) is not None


def _time_of(fields: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Our names for the fields up to the time, and the fields behind it."""
    for ticker in (0, 1):
        if ticker and re.fullmatch(r"[A-Za-z]{3}[/_.-]?[A-Za-z]{3}\S*", fields[0]) is None:
            break
        own = fields[ticker:]
        if len(own) > 1 and is_time(f"{own[0]} {own[1]}"):
            return ("symbol",) * ticker + ("date", "time"), own[2:]
        if own and (is_time(own[0]) or re.fullmatch(r"\d{8} \d{9}", own[0])):
            return ("symbol",) * ticker + ("time",), own[1:]
    return (), []
