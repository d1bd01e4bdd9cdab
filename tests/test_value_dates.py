"""Value dates against QuantLib: its calendars and its count of days, ten years, 28 pairs."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from bqx.market import value_dates
from bqx.market.pairs import CURRENCIES, PAIRS, base, quote

ql: Any = pytest.importorskip("QuantLib")

FIRST, LAST = date(2015, 1, 1), date(2025, 1, 1)
CALENDARS = {
    "USD": ql.UnitedStates(ql.UnitedStates.FederalReserve),
    "EUR": ql.TARGET(),
    "GBP": ql.UnitedKingdom(),
    "JPY": ql.Japan(),
    "CHF": ql.Switzerland(),
    "AUD": ql.Australia(),
    "NZD": ql.NewZealand(),
    "CAD": ql.Canada(),
}


def weekdays() -> list[date]:
    days = [FIRST + timedelta(n) for n in range((LAST - FIRST).days)]
    return [day for day in days if day.weekday() < 5]


def numbered(days: list[date]) -> np.ndarray[Any, Any]:
    return np.array(days, "datetime64[D]").astype(np.int64)


def of(day: date) -> Any:
    return ql.Date(day.day, day.month, day.year)


@pytest.mark.parametrize("currency", CURRENCIES)
def test_holidays_are_those_of_quantlib(currency: str) -> None:
    ours = np.concatenate([value_dates.holidays_of(currency, y) for y in range(2015, 2025)])
    closed = [day for day in weekdays() if CALENDARS[currency].isHoliday(of(day))]
    theirs = set(numbered(closed).tolist())
    assert set(ours[(ours + 3) % 7 < 5].tolist()) == theirs
    assert len(theirs) > 40


@pytest.mark.parametrize("pair", PAIRS)
def test_value_dates_are_those_of_quantlib(pair: str) -> None:
    both = ql.JointCalendar(CALENDARS[base(pair)], CALENDARS[quote(pair)])
    lag = 1 if pair == "usdcad" else 2
    days = weekdays()
    spots = [both.advance(of(day), lag, ql.Days) for day in days]
    theirs = numbered([date(d.year(), d.month(), d.dayOfMonth()) for d in spots])
    np.testing.assert_array_equal(value_dates.spot(pair, numbered(days)), theirs)
    # Nights are what the value date moves on by, from one day to the next, and none is lost.
    nights = value_dates.nights(pair, numbered(days[1:]))
    np.testing.assert_array_equal(nights, np.diff(theirs))
    assert nights.min() >= 0
    assert nights.sum() == theirs[-1] - theirs[0]


def test_three_nights_are_not_always_wednesday_s() -> None:
    days = weekdays()
    nights = value_dates.nights("eurusd", numbered(days))
    weekday = np.array([day.weekday() for day in days])
    triple = np.bincount(weekday[nights == 3], minlength=5)
    # The row of a trading day holds what the day before rolled over.
    assert triple.argmax() == 3
    assert 0 < triple.sum() - triple[3] < 0.2 * triple.sum()
    assert set(np.unique(nights)) >= {0, 1, 2, 3, 4}
