"""Bars that a request brings, as plain arrays, and how they are read out of its JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bqx.errors import RequestError
from bqx.market.bar_arrays import COLUMNS, RATES
from bqx.market.bars import in_schema
from bqx.market.pairs import PAIRS

if TYPE_CHECKING:
    import pandas as pd

OPTIONAL = ("volume", "spread")
EARLIEST, LATEST = (
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000 for year in (1990, 2100)
)
"""Bars outside are taken for a mistake; clock features need a calendar."""
LARGEST = 1e15
"""Numbers beyond are none of a bar."""

_REQUEST = {"pair", "bars", "panel"}
_PLAIN = "0000-00-00T00:00:00Z"
"""Form of times that are read all at once."""


class BodyError(RequestError):
    """A request's JSON is none, or ambiguous."""


@dataclass(frozen=True)
class Sent:
    """Raw bars of one pair, unchecked.

    ``stamps`` : (T,) opens, nanoseconds since 1970 UTC; ``columns`` : (6, T), as
    ``bar_arrays.COLUMNS``; an absent volume or spread is NaN.
    """

    stamps: NDArray[np.int64]
    columns: NDArray[np.float64]

    @classmethod
    def of(cls, frame: pd.DataFrame | pd.Series | Sent, where: str) -> Sent:
        """The bars of a frame, or the closes of a series, which stand for all four rates.

        Raises BarError when the frame is none of bars.
        """
        if isinstance(frame, Sent):
            return frame
        import pandas as pd

        if isinstance(frame, pd.Series):
            frame = pd.DataFrame(dict.fromkeys(RATES, frame))
        frame = in_schema(frame, where)
        return cls(pd.DatetimeIndex(frame.index).asi8, frame.to_numpy().T)

    def between(self, first: int, last: int) -> Sent:
        """The bars from one time to another, both included, nanoseconds."""
        within = (self.stamps >= first) & (self.stamps <= last)
        return self if within.all() else Sent(self.stamps[within], self.columns[:, within])


def asked(pair: str) -> str:
    """The pair that a request names, in small or large letters."""
    return pair.lower()


def parse(content: Any) -> tuple[str, Sent, dict[str, Sent]]:
    """Pair, bars and closes of other pairs of a decoded JSON request.

    Raises RequestError for anything but a pair, bars of lists of one length (``ts_utc`` ISO times
    in UTC, finite numbers for open, high, low and close, numbers or null for volume and spread),
    and maybe a panel of such lists ``ts_utc`` and ``close`` by pair, each once.
    """
    if not isinstance(content, dict) or not {"pair", "bars"} <= set(content) <= _REQUEST:
        raise shape("request", _keys(content), "an object with 'pair', 'bars', maybe 'panel'")
    pair, panel = content["pair"], content.get("panel", {})
    if not isinstance(pair, str):
        raise shape("pair", type(pair).__name__, "a text such as 'eurusd'")
    if not isinstance(panel, dict):
        raise shape("panel", type(panel).__name__, "an object of closes by pair")
    closes: dict[str, Sent] = {}
    for name, lists in panel.items():
        panel_pair = asked(name)
        if panel_pair not in PAIRS or panel_pair in closes:
            raise shape("panel", f"{name[:20]!r}", "closes by pair, such as 'gbpusd', each once")
        closes[panel_pair] = _bars(f"panel {panel_pair}", lists, ("close",))
    return asked(pair), _bars("bars", content["bars"], RATES, optional=OPTIONAL), closes


def shape(where: str, got: str, rule: str) -> RequestError:
    """The error for a value of another kind than was expected."""
    return RequestError(f"{where}: wrong shape, got {got}; expected {rule}.")


def _bars(
    where: str, lists: Any, needed: tuple[str, ...], *, optional: tuple[str, ...] = ()
) -> Sent:
    names = {"ts_utc", *needed}
    if not isinstance(lists, dict) or not names <= set(lists) <= names | set(optional):
        also = f", maybe {', '.join(optional)}" if optional else ""
        raise shape(where, _keys(lists), f"lists {', '.join(sorted(names))}{also}")
    lengths = {len(values) if isinstance(values, list) else -1 for values in lists.values()}
    if len(lengths) != 1 or lengths <= {0, -1}:
        raise shape(where, f"lengths {sorted(lengths)}", "lists of one length, at least 1")
    columns = np.full((len(COLUMNS), lengths.pop()), np.nan)
    for name in (*needed, *optional):
        if name in lists:
            columns[COLUMNS.index(name)] = _numbers(where, name, lists[name])
    if needed == ("close",):
        columns[: len(RATES)] = columns[COLUMNS.index("close")]
    return Sent(_stamps(where, lists["ts_utc"]), columns)


def _keys(value: Any) -> str:
    return f"keys {sorted(value)}"[:120] if isinstance(value, dict) else type(value).__name__


def _numbers(where: str, name: str, values: list[Any]) -> NDArray[np.float64]:
    kinds = {float, int, type(None)} if name in OPTIONAL else {float, int}
    if set(map(type, values)) <= kinds:
        try:
            # NumPy reads None as NaN.
            numbers = np.array(values, dtype=np.float64)
        except OverflowError:
            numbers = np.array([_clipped(value) for value in values], dtype=np.float64)
    else:
        numbers = np.array(
            [_clipped(value) if type(value) in kinds else np.inf for value in values]
        )
    wrong = np.abs(numbers) >= LARGEST
    if wrong.any():
        row = int(np.argmax(wrong))
        raise RequestError(
            f"{where}: {name} {row + 1} is no finite number, got {str(values[row])[:40]!r}; "
            "expected one. Send no bar for a minute without trades."
        )
    return numbers


def _clipped(value: float | None) -> float:
    if value is None:
        return np.nan
    return float(value) if abs(value) < LARGEST else np.inf


def _stamps(where: str, values: list[Any]) -> NDArray[np.int64]:
    stamps = _plain(values)
    if stamps is None:
        # Times of other forms are rare; those of the plain one need no pandas.
        import pandas as pd

        texts = [value if type(value) is str and value.isascii() else "" for value in values]
        times = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
        _check_times(where, values, times.isna(), "ISO times such as '2024-01-08T09:30:00Z'")
        # Before it is converted to nanoseconds, which end with the year 2262.
        outside = (times.year < 1990) | (times.year >= 2100)
        stamps = np.zeros(0, np.int64) if outside.any() else times.as_unit("ns").asi8
    else:
        outside = (stamps < EARLIEST) | (stamps >= LATEST)
    _check_times(where, values, outside, "times from 1990 to 2099")
    return stamps


def _check_times(where: str, values: list[Any], wrong: NDArray[np.bool_], rule: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise shape(f"{where}: ts_utc {row + 1}", repr(values[row])[:40], rule)


def _plain(values: list[str]) -> NDArray[np.int64] | None:
    """Nanoseconds of times of the form `_PLAIN`, None where one has another or is no time."""
    if set(map(type, values)) != {str} or set(map(len, values)) != {len(_PLAIN)}:
        return None
    try:
        text = np.frombuffer("".join(values).encode("ascii"), np.uint8).reshape(-1, len(_PLAIN))
    except UnicodeEncodeError:
        return None
    form = np.frombuffer(_PLAIN.encode(), np.uint8)
    digit = form == ord("0")
    numbers = text[:, digit] - np.uint8(ord("0"))
    if (text[:, ~digit] != form[~digit]).any() or (numbers > 9).any():
        return None
    tens = numbers[:, ::2].astype(np.int64) * 10 + numbers[:, 1::2]
    century, year, month, day, hour, minute, second = tens.T
    if ((hour > 23) | (minute > 59) | (second > 59) | (month < 1) | (month > 12)).any():
        return None
    months = (100 * century + year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - first
    if ((day < 1) | (day > length)).any():
        return None
    seconds = (first + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second
    return seconds * 1_000_000_000


def read(body: bytes | str) -> Any:
    """What a request's JSON holds.

    Raises BodyError for numbers that are not JSON's and for a name that stands twice, ValueError or
    RecursionError for other text.
    """
    return json.loads(body, parse_constant=_constant, object_pairs_hook=_once)


def _constant(name: str) -> NoReturn:
    raise BodyError(
        f"request: {name} is not JSON, got it as a number; expected finite numbers. Send no bar "
        "for a minute without trades."
    )


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(members)
    if len(content) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in content if names.count(name) > 1)
        raise BodyError(f"request: a name twice, got {twice[:20]!r}; expected each once.")
    return content
