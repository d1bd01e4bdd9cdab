"""Prices of one file: each with its unit, where it was read, when, and how good that is."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from bqx.errors import ParameterError
from bqx.files import read_json

FILE = Path(__file__).with_name("prices.json")

Evidence = Literal["quoted", "estimated", "remembered", "written"]
"""``quoted`` : a price list or a page that quotes it; ``written`` : as the documents have it."""
Table = Literal["aws", "documents"]


@dataclass(frozen=True)
class Price:
    """USD of one ``unit``; a share has the unit ``1``."""

    name: str
    usd: float
    unit: str
    source: str
    read: str
    evidence: Evidence


@cache
def prices(table: Table, path: Path = FILE) -> dict[str, Price]:
    """Prices of a table by name.

    Raises ParameterError for a price without source and date, or one that is no price.
    """
    out = {}
    for row in read_json(path)[table]:
        price = Price(**row)
        if not (price.usd >= 0.0 and price.source and price.read and price.unit):
            raise ParameterError(
                f"{path}: {price.name}: no price, got {price.usd} of {price.source!r}; expected a "
                "number from 0 on, its source and its date."
            )
        out[price.name] = price
    return out


def price(name: str, table: Table = "aws") -> float:
    """USD of a unit.

    Raises ParameterError for a name without a price.
    """
    by_name = prices(table)
    if name not in by_name:
        raise ParameterError(
            f"price: none, got {name!r}; expected one of {', '.join(by_name)}. "
            f"Add it to {FILE.name}."
        )
    return by_name[name].usd
