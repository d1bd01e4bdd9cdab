"""Bars in text: the layout of a file, its columns, and the line that is bad."""

import re
from dataclasses import dataclass
from math import isnan

import pyarrow as pa
from pyarrow import csv

from bqx.errors import BarError
from bqx.market.bars import RATES
from bqx.market.readers.times import DUKASCOPY, METATRADER, Source

_HEADERLESS = {
    r"\d{8} \d{6}(;)": ("time", *RATES, "volume"),
    r"\d{4}\.\d\d\.\d\d([,;\t])\d\d:\d\d": ("date", "time", *RATES, "volume"),
}

_TIME = ("tsutc", "utctime", "gmttime", "localtime", "timestamp", "datetime", "time", "date")
_VOLUME = ("tickvolume", "tickvol", "volume", "vol", "v")
_ASK_CLOSE = ("askc", "askclose", "closeask")
_SIDES = ("bid", "", "mid")
"""Names that a header may give a column, without case and punctuation, best first."""

WORDS = ("date", "time", "complete")
"""Columns that hold text; the others hold numbers."""

_MAY_BE_BLANK = ("volume", "spread", "points", "ask_close")


@dataclass(frozen=True)
class Layout:
    """How the lines of a file are laid out.

    ``columns`` : our name for each field of a line, "" for a field that is not read.
    ``header`` : lines above the first bar.
    ``source`` : what the header tells of the source; None leaves it to the shape of the times.
    """

    delimiter: str
    columns: tuple[str, ...]
    header: int
    source: Source | None = None


def layout_of(text: str, where: str) -> Layout:
    """Layout of a text file, told by its first lines.

    Raises
    ------
    BarError : no known layout, or a column is missing.
    """
    top = text[:20_000].splitlines()[:50]
    comments = next((n for n, line in enumerate(top) if not line.startswith("#")), len(top))
    first = top[comments] if comments < len(top) else ""
    delimiter = max("\t;,", key=first.count)
    headers = [name.strip().strip('"') for name in first.split(delimiter)]
    plains = [plain(name) for name in headers]
    if _first(plains, _TIME) is None:
        for pattern, columns in _HEADERLESS.items():
            for line in top[comments:]:
                if match := re.match(pattern, line):
                    return Layout(match[1], columns, comments)
    source = None
    if _first(plains, _VOLUME[:2]) is not None:
        source = METATRADER
    elif _first(plains, ("gmttime", "localtime")) is not None:
        source = DUKASCOPY
    return Layout(delimiter, columns_of(headers, source, where), comments + 1, source)


def columns(text: str, layout: Layout, where: str) -> pa.Table:
    """Read the columns of a text file: times and ``complete`` as text, the rest as float64.

    Raises
    ------
    BarError : a line with too few or too many fields, or without a number.
    """
    names = [name for name in layout.columns if name]
    try:
        rows = csv.read_csv(
            pa.BufferReader(_body(text).encode()),
            csv.ReadOptions(
                column_names=[name or f"_{i}" for i, name in enumerate(layout.columns)],
                skip_rows=layout.header,
            ),
            csv.ParseOptions(delimiter=layout.delimiter, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types={n: pa.string() if n in WORDS else pa.float64() for n in names},
                include_columns=names,
                null_values=["", "nan", "NaN"],
            ),
        )
    except pa.ArrowInvalid as error:
        _check_lines(text, layout, where)
        raise _no_table(where, str(error)) from error
    if any(rows[name].null_count for name in RATES):
        _check_lines(text, layout, where)
        raise _no_table(where, "a blank rate")
    return rows


def columns_of(headers: list[str], source: Source | None, where: str) -> tuple[str, ...]:
    """Our name for each column of a file, "" for one that is not read.

    Bid rates come before rates that name no side, and these before mid rates.

    Parameters
    ----------
    headers : names of the columns in the file.
    source : where the names show it; MetaTrader gives the spread in points.
    where : file named in errors.

    Raises
    ------
    BarError : no time, or a rate is missing.
    """
    plains = [plain(name) for name in headers]
    rates = {
        side: {r: _first(plains, (side + r, r + side, side + r[0])) for r in RATES}
        for side in _SIDES
    }
    side = max(_SIDES, key=lambda s: sum(index is not None for index in rates[s].values()))
    columns = {"time": _first(plains, _TIME), **rates[side], "volume": _first(plains, _VOLUME)}
    for name in RATES if columns["time"] is not None else ("time",):
        if columns[name] is None:
            raise BarError(
                f"{where}: no column for {name!r}, got {headers[:12]}; expected a file of "
                "HistData, MetaTrader, Dukascopy or OANDA, or a header with ts_utc, open, high, "
                "low, close. Name the columns so."
            )
    columns["complete"] = _first(plains, ("complete",))
    columns["points" if source is METATRADER else "spread"] = _first(plains, ("spread",))
    if side == "bid":
        columns["ask_close"] = _first(plains, _ASK_CLOSE)
    if plains[columns["time"] or 0] == "time":
        columns["date"] = _first(plains, ("date",))
    names = {index: name for name, index in columns.items()}
    return tuple(names.get(index, "") for index in range(len(headers)))


def plain(name: str) -> str:
    """Name of a column without case and punctuation.

    >>> plain("<TICKVOL>"), plain("Gmt time"), plain("bid_o")
    ('tickvol', 'gmttime', 'bido')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _first(plains: list[str], names: tuple[str, ...]) -> int | None:
    return next((plains.index(name) for name in names if name in plains), None)


def _no_table(where: str, got: str) -> BarError:
    return BarError(f"{where}: cannot be read as a table, got {got}; expected one bar a line.")


def _check_lines(text: str, layout: Layout, where: str) -> None:
    """Raise BarError for the first line with a wrong number of fields or without a number."""
    lines = _body(text).splitlines()
    for number, line in enumerate(lines[layout.header :], layout.header + 1):
        fields = [field.strip('"') for field in line.split(layout.delimiter)]
        if len(fields) != len(layout.columns):
            raise BarError(
                f"{where} line {number:,}: {len(fields)} fields, got {line[:80]!r}; expected "
                f"{len(layout.columns)}. Complete or delete the line."
            )
        for name, field in zip(layout.columns, fields, strict=True):
            if name and name not in WORDS and not _is_number(field, name in _MAY_BE_BLANK):
                raise BarError(
                    f"{where} line {number:,}: {name} is no number, got {field[:40]!r}; expected "
                    "a number with a decimal point. Correct or delete the line."
                )


def _is_number(text: str, may_be_blank: bool) -> bool:
    try:
        number = float(text or "nan")
    except ValueError:
        return False
    return may_be_blank or not isnan(number)


def _body(text: str) -> str:
    # Windows programs may close a text with Ctrl-Z, interrupted ones with zero bytes.
    return text.rstrip("\r\n \x1a\0")
