"""Bars in text: the layout of a file, its columns, and the line that is bad."""

import re
from csv import reader
from dataclasses import dataclass, replace
from dataclasses import field as default
from io import StringIO
from itertools import islice
from math import isnan

import pyarrow as pa
from pyarrow import csv

from bqx.errors import BarError
from bqx.market.bars import RATES
from bqx.market.readers import headerless
from bqx.market.readers.columns import WORDS, Columns, columns_of, is_time, plain
from bqx.market.readers.headerless import is_number

DELIMITERS = "\t;,|"
"""What may stand between fields; of those that are equally frequent the first."""
POINTS = {".": "point", ",": "comma"}
_TYPES = dict.fromkeys(WORDS, pa.string()) | {"symbol": pa.dictionary(pa.int32(), pa.string())}
_LONGEST = 100_000
"""Characters of a line that are looked at."""
_MAY_BE_BLANK = ("volume", "spread", "ask_close")


@dataclass(frozen=True)
class Layout:
    """How the lines of a file are laid out.

    ``header`` : lines above the first bar; ``decimal`` : what stands before the fraction of a rate;
    ``symbols`` : what the header says of the pair, with its line.
    """

    delimiter: str
    header: int
    columns: Columns
    decimal: str = "."
    symbols: dict[str, str] = default(default_factory=dict)


def layout_of(text: str, where: str) -> Layout:
    """Layout of a text file, told by its first lines.

    Raises
    ------
    BarError : no known layout, a column is missing, or no header where one is needed.
    """
    top = text[:20_000].splitlines()[:50]
    comments = next((n for n, line in enumerate(top) if not line.startswith("#")), len(top))
    first = top[comments] if comments < len(top) else ""
    delimiter = max(DELIMITERS, key=first.count)
    headers = [name.strip().strip('"') for name in first.split(delimiter)]
    if headers[0] == "Price" and [line.split(",")[0] for line in top[1:3]] == [
        "Ticker",
        "Datetime",
    ]:
        symbols = dict.fromkeys(top[comments + 1].split(",")[1:], f"line {comments + 2}")
        named = columns_of(["Datetime", *headers[1:]], where)
        return Layout(delimiter, comments + 3, named, symbols=symbols)
    if is_ticks(first):
        raise BarError(
            f"{where}: ticks, got {first[:80]!r}; expected one-minute bars. Fetch the bars, or "
            "make them of the ticks."
        )
    if not any(map(is_time, headers)) and any(map(str.isdigit, first)):
        for line in top[comments:]:
            comma = max(DELIMITERS, key=line.count)
            if columns := headerless.columns_of(line, comma, where):
                return Layout(comma, comments, columns)
    return Layout(delimiter, comments + 1, columns_of(headers, where))


def is_ticks(text: str) -> bool:
    """Whether the first line of a text is a tick, or names bid and ask but no open.

    >>> is_ticks("20230604 170001123,1.070010,1.070040,0"), is_ticks("Gmt time,Ask,Bid,AskVolume")
    (True, True)
    """
    first = text.lstrip().partition("\n")[0]
    if re.match(rf'"?\d{{8}} \d{{9}}"?[{DELIMITERS}]', first):
        return True
    names = {plain(name) for name in re.split(f"[{DELIMITERS}]", first)}
    return {"bid", "ask"} <= names and not {"open", "bidopen", "bido"} & names


def columns(text: str, layout: Layout, where: str) -> pa.Table:
    """Read the columns of a text file: those of `columns.WORDS` as text, the rest as float64.

    Raises
    ------
    BarError : a line with too few or too many fields, or without a number.
    """
    names = [name for name in layout.columns.names if name]
    body = _body(text)
    first = next(islice(StringIO(body, newline=""), layout.header, None), "")
    if not first:
        raise BarError(f"{where}: no bars, got a header alone; expected one bar a line. Remove it.")
    layout = replace(layout, decimal=_decimal(first, layout))
    try:
        rows = csv.read_csv(
            pa.BufferReader(body.encode()),
            csv.ReadOptions(
                column_names=[name or f"_{i}" for i, name in enumerate(layout.columns.names)],
                skip_rows=layout.header,
            ),
            csv.ParseOptions(delimiter=layout.delimiter, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types={name: _TYPES.get(name, pa.float64()) for name in names},
                include_columns=names,
                decimal_point=layout.decimal,
                null_values=["", "nan", "NaN"],
            ),
        )
    except pa.ArrowInvalid as error:
        _check_lines(text, layout, where)
        raise _no_table(where, "lines that are not all split alike") from error
    if any(rows[name].null_count for name in RATES):
        _check_lines(text, layout, where)
        raise _no_table(where, "a blank rate")
    return rows


def _no_table(where: str, got: str) -> BarError:
    return BarError(f"{where}: cannot be read as a table, got {got}; expected one bar a line.")


def _check_lines(text: str, layout: Layout, where: str) -> None:
    """Raise BarError for the first line with a wrong number of fields or without a number."""
    lines = _body(text).splitlines()
    for number, line in enumerate(lines[layout.header :], layout.header + 1):
        fields = _fields(line, layout)
        if len(fields) != len(layout.columns.names):
            raise BarError(
                f"{where} line {number:,}: {len(fields)} fields, got {line[:80]!r}; expected "
                f"{len(layout.columns.names)}. Complete or delete the line."
            )
        for name, field in zip(layout.columns.names, fields, strict=True):
            if (
                name
                and name not in WORDS
                and not _is_number(field, layout.decimal, name in _MAY_BE_BLANK)
            ):
                other = is_number(field) and "Write all numbers with the same decimal mark."
                raise BarError(
                    f"{where} line {number:,}: {name} is no number, got {field[:40]!r}; expected "
                    f"a number with a decimal {POINTS[layout.decimal]}. "
                    f"{other or 'Correct or delete the line.'}"
                )


def _fields(line: str, layout: Layout) -> list[str]:
    """Fields of a line; a quoted one may hold what stands between them."""
    return next(reader([line[:_LONGEST]], delimiter=layout.delimiter), [""])


def _decimal(line: str, layout: Layout) -> str:
    """What stands before the fraction of a line's rates."""
    named = zip(layout.columns.names, _fields(line, layout), strict=False)
    rates = [field for name, field in named if name in RATES]
    has_comma = any(re.fullmatch(r"\d+,\d+", rate.strip()) for rate in rates)
    return "," if has_comma and not any("." in rate for rate in rates) else "."


def _is_number(text: str, decimal: str, may_be_blank: bool) -> bool:
    if decimal != ".":
        text = text.replace(".", "_").replace(decimal, ".")
    try:
        number = float(text or "nan")
    except ValueError:
        return False
    # What Python takes beside: 1_000, and the digits of other scripts.
    return text.isascii() and "_" not in text and (may_be_blank or not isnan(number))


def _body(text: str) -> str:
    # Windows programs may close a text with Ctrl-Z, interrupted ones with zero bytes.
    return text.rstrip("\r\n \x1a\0")
