"""What the names of a file's columns say: which is which, the side, the spread's unit, the zone."""

import re
from dataclasses import dataclass

from bqx.errors import BarError
from bqx.market.bars import RATES
from bqx.market.declared import Side, SpreadUnit, option
from bqx.market.readers.times import DUKASCOPY, FXCM, METATRADER, METATRADER_FRAME, Source

_UTC_TIME = ("tsutc", "utctime", "timeutc", "datetimeutc", "gmttime")
_TIME = (*_UTC_TIME, "localtime", "timestamp", "datetime", "time", "date", "t")
_DATE = ("date", "dtyyyymmdd")
_VOLUME = ("tickvolume", "tickvol", "volume", "vol", "v", "tickqty")
_SPREADS: dict[str, SpreadUnit] = {"spread": "", "spreadpips": "pips", "spreadpoints": "points"}
_SYMBOLS = ("symbol", "ticker", "instrument", "pair", "currencypair", "ccypair", "fxpair", "sym")
_SIDES: tuple[Side, ...] = ("bid", "", "ask", "mid")
"""Sides whose rates a header may name, best first."""

_ZONES = {"EET": "Europe/Athens", "CET": "Europe/Berlin", "GMT": "UTC", "UTC": "UTC"}
"""Clocks of the zones that JForex writes behind the name of the time."""

MARKS = {"complete": ("false", "0"), "filled": ("true", "1")}
"""Columns that mark rows which are no bars, and by what: OANDA's open candles, and the minutes of
a run's own bars that carry the last close."""
WORDS = ("date", "time", "symbol", *MARKS)
"""Columns that hold text; the others hold numbers."""


@dataclass(frozen=True)
class Columns:
    """Columns of a file, told by their names.

    ``names`` : our name for each column, "" for one that is not read.
    ``source`` : what they tell of the source; None leaves it to the shape of the times.
    ``zone`` : clock that the name of the time says, "" for none.
    ``side`` : side that the names of the rates say, "" for none.
    ``spread_unit`` : what they tell of the spread's unit, "" for nothing.
    """

    names: tuple[str, ...]
    source: Source | None = None
    zone: str = ""
    side: Side = ""
    spread_unit: SpreadUnit = ""


def columns_of(headers: list[str], where: str) -> Columns:
    """Columns of a file with these headers.

    Bid rates come before rates that name no side, and these before ask and mid rates.

    Raises
    ------
    BarError : no time, a rate is missing, or one of the columns stands twice.
    """
    named = [re.fullmatch(r"\s*(.*?)\s*\((.+)\)\s*", name) for name in headers]
    plains = [
        plain(match[1] if match else name) for match, name in zip(named, headers, strict=True)
    ]
    rates = {side: _rates(plains, side) for side in _SIDES}
    side = max(_SIDES, key=lambda s: sum(index is not None for index in rates[s].values()))
    time = _first(plains, _TIME)
    indices = {"time": time, **rates[side], "volume": _first(plains, _VOLUME)}
    for name in RATES if time is not None else ("time",):
        if indices[name] is None:
            raise _no_column(name, headers, where)
    indices |= {mark: _first(plains, (mark,)) for mark in MARKS}
    indices["symbol"] = _first(plains, _SYMBOLS)
    indices["spread"] = _first(plains, tuple(_SPREADS))
    if side == "bid":
        indices["ask_close"] = _rates(plains, "ask")["close"]
    if time is not None and plains[time] == "time":
        indices["date"] = _first(plains, _DATE)
    by_index = {index: name for name, index in indices.items()}
    same = [header.strip().lower() for header in headers]
    for index in sorted(index for index in by_index if index is not None):
        if same.count(same[index]) > 1:
            raise BarError(
                f"{where}: a column stands twice, got {headers[index]!r} in {headers}; expected "
                "each once. Remove or rename one."
            )
    stamp = named[time or 0]
    source = _source(headers, plains, is_zoned=stamp is not None)
    spread = indices["spread"]
    unit: SpreadUnit = "" if spread is None else _SPREADS[plains[spread]]
    if not unit and source in (METATRADER, METATRADER_FRAME):
        unit = "points"
    return Columns(
        tuple(by_index.get(index, "") for index in range(len(headers))),
        source,
        _zone(plains[time or 0], stamp[2] if stamp else ""),
        side,
        unit,
    )


def _no_column(name: str, headers: list[str], where: str) -> BarError:
    if len(headers) == 1:
        marks = re.findall(r"[^\w.<>()\"-]", headers[0])
        mark = max(marks, key=marks.count, default="")
        got = f"{headers[0][:80]!r}" + f" with {mark!r} between" * (marks.count(mark) > 2)
        expected = "columns separated by comma, semicolon, tab or |, with ts_utc, open, high, low, "
        mend = "Separate and name the columns so"
    else:
        got = str(headers[:12])
        expected = (
            "a file of HistData, MetaTrader, Dukascopy, FXCM or OANDA, or a header with ts_utc, "
            "open, high, low, "
        )
        mend = "Name the columns so"
    return BarError(
        f"{where}: no column for {name!r}, got {got}; expected {expected}close. {mend}, or remove "
        "it from the folder."
    )


def plain(name: str) -> str:
    """Name of a column without case and punctuation.

    >>> plain("<TICKVOL>"), plain("Gmt time"), plain("bid_o")
    ('tickvol', 'gmttime', 'bido')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def is_time(name: str) -> bool:
    """Whether a column of this name holds times."""
    return plain(re.sub(r"\(.*\)", "", name)) in (*_TIME, *_DATE)


def _rates(plains: list[str], side: Side) -> dict[str, int | None]:
    return {r: _first(plains, (side + r, r + side, side + r[0])) for r in RATES}


def _source(headers: list[str], plains: list[str], *, is_zoned: bool) -> Source | None:
    if _first(plains, _VOLUME[:2]) is not None:
        # The program writes <TICKVOL>, the Python interface tick_volume, whose times are a frame's.
        return METATRADER if any("<" in name for name in headers) else METATRADER_FRAME
    if is_zoned or _first(plains, ("gmttime", "localtime")) is not None:
        return DUKASCOPY
    if {"bidopen", "askclose", "datetime"} <= set(plains):
        return FXCM
    return None


def _zone(time: str, said: str) -> str:
    if time in _UTC_TIME:
        return "UTC"
    offset = re.fullmatch(r"(?:GMT|UTC)([+-]\d{1,2})", said.upper())
    return f"UTC{offset[1]}" if offset else _ZONES.get(said.upper(), "")


def _first(plains: list[str], names: tuple[str, ...]) -> int | None:
    return next((plains.index(name) for name in names if name in plains), None)


def ask_alone(where: str, side: str) -> BarError:
    """Error of a file whose rates are not bid."""
    return BarError(
        f"{where}: rates of the {side} side alone, got no bid; expected bid rates, since costs add "
        f"the spread to them. Add the BID file beside it, or pass {option('side', side)}."
    )
