"""Bars as of a time equal a loop over all that ever arrived, in memory and from a server."""

import numpy as np
import pandas as pd
import pytest
from postgres import fresh
from sqlalchemy import URL

from bqx.database import loads, reads, schema
from bqx.errors import BarError
from bqx.market import revisions
from bqx.market.bars import COLUMNS

MINUTE = 60_000_000_000
MONDAY = pd.Timestamp("2024-01-08", tz="UTC")


def history(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bars, when they became known, and a value, in the order of arrival.

    Few bars and few times, so that late, early, corrected, backfilled and repeated arrivals and
    versions of one time all come often.
    """
    count = int(rng.integers(0, 13))
    bars = rng.integers(0, 5, count)
    known = bars + 1 + rng.integers(0, 6, count)
    values = rng.integers(1, 9, count).astype(np.float64)
    if count > 2:
        again = rng.integers(0, count, 2)
        at = rng.integers(0, count, 2)
        bars[at], known[at], values[at] = bars[again], known[again], values[again]
    return bars, known, values


def by_loop(bars: np.ndarray, known: np.ndarray, values: np.ndarray, time: int) -> dict[int, float]:
    """Every bar that was known, with the value that was known last."""
    since: dict[int, int] = {}
    found: dict[int, float] = {}
    for bar, at, value in zip(bars.tolist(), known.tolist(), values.tolist(), strict=True):
        if at <= time and at >= since.get(bar, 0):
            since[bar], found[bar] = at, value
    return dict(sorted(found.items()))


def test_ten_thousand_histories_equal_a_loop() -> None:
    rng = np.random.default_rng(0)
    differ = late = 0
    for _ in range(10_000):
        bars, known, values = history(rng)
        for time in rng.integers(0, 12, 3).tolist():
            expected = by_loop(bars, known, values, time)
            rows = revisions.newest(bars, known, time)
            assert dict(zip(bars[rows].tolist(), values[rows].tolist(), strict=True)) == expected
            assert list(expected) == bars[rows].tolist()
            differ += expected != by_loop(bars, known, values, 99)
            late += len(expected) < len(set(bars.tolist()))
    assert differ > 3_000
    assert late > 3_000


def frame_of(bars: np.ndarray, known: np.ndarray, values: np.ndarray, start: int = 0):
    index = MONDAY + pd.to_timedelta(start + bars, "min")
    frame = pd.DataFrame(dict.fromkeys(COLUMNS, values), index=index)
    frame["known_at"] = MONDAY + pd.to_timedelta(start + known, "min")
    return frame


def test_frames_equal_the_loop_too() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        bars, known, values = history(rng)
        time = int(rng.integers(0, 12))
        found = revisions.as_of(frame_of(bars, known, values), MONDAY + pd.Timedelta(minutes=time))
        expected = by_loop(bars, known, values, time)
        assert found["close"].tolist() == list(expected.values())
        assert found.index.tolist() == [MONDAY + pd.Timedelta(minutes=b) for b in expected]
    newest = revisions.as_of(frame_of(bars, known, values))
    assert newest["close"].tolist() == list(by_loop(bars, known, values, 99).values())


def test_three_hundred_histories_equal_a_loop_on_a_server(server: URL) -> None:
    rng = np.random.default_rng(2)
    made = [history(rng) for _ in range(300)]
    with fresh(server) as engine:
        schema.create(engine, ["eurusd"])
        # Every history has minutes of its own; in a round each delivers its next bar.
        for turn in range(13):
            parts = [
                frame_of(*(column[turn : turn + 1] for column in each), start=20 * number)
                for number, each in enumerate(made)
                if len(each[0]) > turn
            ]
            if parts:
                loads.put_bars(engine, {"eurusd": pd.concat(parts)})
        for number, each in enumerate(made):
            since = MONDAY + pd.Timedelta(minutes=20 * number)
            for time in rng.integers(0, 12, 3).tolist():
                as_of = since + pd.Timedelta(minutes=time)
                found = reads.read_bars(
                    engine, "eurusd", since=since, until=since + pd.Timedelta("20min"), as_of=as_of
                )
                assert found["close"].tolist() == list(by_loop(*each, time).values())


def test_bars_are_known_at_their_ends_unless_said_otherwise() -> None:
    bars = frame_of(np.arange(3), np.arange(3), np.ones(3)).drop(columns="known_at")
    ends = revisions.with_known(bars)["known_at"]
    assert (ends == bars.index + pd.Timedelta("1min")).all()
    late = MONDAY + pd.Timedelta("3min")
    assert (revisions.with_known(bars, late)["known_at"] == late).all()
    with pytest.raises(BarError, match=r"known_at row 3: known before its end, got .* \(1 such"):
        revisions.with_known(bars, late - pd.Timedelta("1s"))
