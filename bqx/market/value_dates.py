"""Value dates of spot trades: when what was traded today is paid, by both currencies' holidays.

A trade settles on the second day after it on which both currencies settle, USDCAD on the first.
Days are trading days, which end at 17:00 New York, as days since 1970-01-01. A cross is taken to
settle without New York, through which it is not paid.
"""

from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bqx.market import pairs

Days = NDArray[np.int64]

SETTLEMENT = 2
"""Days from a trade to its value date."""
FRIDAY = 4
NEXT_DAY = ("usdcad",)
"""Pairs whose value date is a day after the trade."""

_COUNTRIES: dict[str, tuple[tuple[str, str | None, tuple[str, ...]], ...]] = {
    "USD": (("US", None, ("public",)),),
    "GBP": (("GB", "ENG", ("public",)),),
    "JPY": (("JP", None, ("public", "bank")),),
    # Zurich's, and Berchtold's day, on which no bank of it opens.
    "CHF": (("CH", "ZH", ("public",)), ("CH", "BE", ("public",))),
    "AUD": (("AU", "NSW", ("public", "bank")),),
    "NZD": (("NZ", "WGN", ("public",)),),
    "CAD": (("CA", "ON", ("public", "optional", "government")),),
}
"""Country, part of it and kinds of holidays that close each currency's payments."""
_SYSTEMS = {"EUR": "ECB"}
"""Payment systems whose own holidays count."""


@cache
def holidays_of(currency: str, year: int) -> Days:
    """Days of a year on which payments in a currency are closed, beside weekends."""
    # It takes long to import, and only those who hold positions overnight need it.
    import holidays

    if currency in _SYSTEMS:
        calendars = [holidays.financial_holidays(_SYSTEMS[currency], years=year)]
    else:
        calendars = [
            holidays.country_holidays(country, subdiv=part, years=year, categories=kinds)
            for country, part, kinds in _COUNTRIES[currency]
        ]
    closed = {
        day
        for calendar in calendars
        for day, name in calendar.items()
        if not _is_open(currency, day, name)
    }
    days = np.array(sorted(closed), "datetime64[D]").astype(np.int64)
    return days[_year(days) == year]


def _is_open(currency: str, day: date, name: str) -> bool:
    """Whether payments are made on a holiday: on Canada's Easter Monday, and where offices close on
    a Friday for a Saturday, which the Federal Reserve does not."""
    if currency == "USD":
        return name.endswith("(observed)") and day.weekday() == FRIDAY
    return currency == "CAD" and name == "Easter Monday"


def _year(days: Days) -> Days:
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def settling(pair: str, first: int, last: int) -> Days:
    """Days from first to last on which both currencies of a pair settle."""
    days = np.arange(first, last + 1)
    years = range(int(_year(days[:1])[0]), int(_year(days[-1:])[0]) + 1)
    currencies = (pairs.base(pair), pairs.quote(pair))
    closed = [holidays_of(currency, year) for currency in currencies for year in years]
    is_weekend = (days + 3) % 7 >= 5
    return days[~is_weekend & ~np.isin(days, np.concatenate(closed))]


def spot(pair: str, days: Days) -> Days:
    """Value date of a trade on each of some days.

    >>> friday = np.array(["2024-01-05"], "datetime64[D]").astype(np.int64)
    >>> [str(spot(pair, friday).astype("datetime64[D]")[0]) for pair in ("eurusd", "usdcad")]
    ['2024-01-09', '2024-01-08']
    """
    if not len(days):
        return days
    # No two weeks are without five days on which all settle.
    settles = settling(pair, int(days.min()), int(days.max()) + 21)
    lag = 1 if pair in NEXT_DAY else SETTLEMENT
    return settles[np.searchsorted(settles, days, side="right") + lag - 1]


def nights(pair: str, days: Days) -> Days:
    """Nights by which the value date moves on at the 17:00 that opens each of some trading days.

    It is 0 where a holiday keeps the date of the day before, and several where it is passed over.

    >>> week = np.arange("2024-04-29", "2024-05-04", dtype="datetime64[D]").astype(np.int64)
    >>> nights("eurusd", week).tolist(), nights("eurjpy", week).tolist()
    ([2, 1, 0, 3, 1], [0, 5, 0, 1, 0])
    """
    before = days - np.where((days + 3) % 7 == 0, 3, 1)
    return spot(pair, days) - spot(pair, before)
