"""What a file's name says: its pair and the side of its rates."""

import re
from pathlib import Path
from typing import cast

from bqx.errors import BarError
from bqx.market.declared import Side
from bqx.market.pairs import CURRENCIES, PAIRS

_CURRENCY = "|".join(CURRENCIES)
_NAMED = re.compile(rf"({_CURRENCY})[^A-Z0-9]{{0,3}}({_CURRENCY})")
_NAMED_BESIDE = re.compile(
    rf"(?<![A-Z])(?:({_CURRENCY})[^A-Z0-9]?([A-Z]{{3}})|([A-Z]{{3}})[^A-Z0-9]?({_CURRENCY}))"
    "(?![A-Z]{2})"
)
"""Two of the eight currencies, and one of them with another's three letters."""
_SIDE = re.compile(r"(?<![a-z])(bid|ask|mid)(?![a-z])", re.IGNORECASE)


def pairs_in(path: Path) -> list[str]:
    """Pairs named in a file's name."""
    joined = re.findall(rf"({_CURRENCY})[^A-Z0-9]?({_CURRENCY})", Path(path).name.upper())
    return sorted({(base + quote).lower() for base, quote in joined} & set(PAIRS))


def pair_of(path: Path) -> str:
    """Pair named in a file's name.

    >>> pair_of(Path("DAT_ASCII_GBPUSD_M1_2018.csv")), pair_of(Path("EUR_USD-2018.parquet"))
    ('gbpusd', 'eurusd')

    Raises
    ------
    BarError : the name holds none of the 28 pairs, or several.
    """
    names = pairs_in(path)
    if len(names) != 1:
        raise BarError(
            f"{Path(path).name}: the name does not tell the pair, got {names or 'none'}; expected "
            "one of the 28 pairs, as in 'eurusd.csv' or 'EUR_USD-2018.zip'. Rename the file."
        )
    return names[0]


def named_in(symbol: str) -> str:
    """Pair that a vendor's symbol names, be it none of the 28; "" where it names none.

    >>> [named_in(s) for s in ("C:EURUSD", "eur_usd", "EUR/USD", "EURUSDm", "USDMXN.a", "EUR")]
    ['eurusd', 'eurusd', 'eurusd', 'eurusd', 'usdmxn', '']
    """
    upper = symbol.upper()
    for pattern in (_NAMED, _NAMED_BESIDE):
        if match := pattern.search(upper):
            return "".join(filter(None, match.groups())).lower()
    return ""


def check_symbols(symbols: dict[str, str], pair: str, where: str) -> None:
    """Raise BarError where the symbols in a file, each with its first place, name another pair."""
    named = {symbol: name for symbol in symbols if (name := named_in(symbol))}
    if len(set(named.values())) > 1:
        raise BarError(
            f"{where}: bars of several pairs, got the symbols {', '.join(map(repr, named))[:80]}; "
            f"expected those of {pair} alone. Split the file by pair, into a file of each pair's "
            "name."
        )
    for symbol, name in named.items():
        if name != pair:
            raise BarError(
                f"{where} {symbols[symbol]}: a symbol of another pair, got {symbol!r}; expected "
                f"{pair}, as which the file is read. Rename the file, or correct the column."
            )


def side_of(path: Path) -> Side:
    """Side named in a file's name, "" for none or several.

    >>> side_of(Path("EURUSD_Candlestick_1_M_ASK_04.06.2023.csv")), side_of(Path("basket.csv"))
    ('ask', '')
    """
    sides = {side.lower() for side in _SIDE.findall(Path(path).name)}
    return cast("Side", sides.pop()) if len(sides) == 1 else ""
