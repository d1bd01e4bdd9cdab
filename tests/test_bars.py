"""Validation, the grid with its filled minutes and holes, and the rate index."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bqx.errors import BarError
from bqx.market import sessions
from bqx.market.bars import COLUMNS, RATES, Bars, Panel, align, baseline, to_grid, validate

OPENING = pd.Timestamp("2018-03-11 21:00", tz="UTC")
"""A Sunday opening on summer time."""


def walk(minutes: np.ndarray, seed: int = 3) -> pd.DataFrame:
    """Valid bars at epoch minutes, with volume and spread."""
    rng = np.random.default_rng(seed)
    close = 1.2 + np.cumsum(rng.normal(0, 1e-4, len(minutes)))
    start = close + rng.normal(0, 1e-4, len(minutes))
    return pd.DataFrame(
        {
            "open": start,
            "high": np.maximum(start, close) + 1e-5,
            "low": np.minimum(start, close) - 1e-5,
            "close": close,
            "volume": rng.integers(1, 50, len(minutes)).astype(float),
            "spread": rng.uniform(1e-5, 2e-4, len(minutes)),
        },
        index=sessions.timestamps(minutes),
    )


def at(ts: pd.Timestamp) -> int:
    return int(sessions.epoch_minutes(pd.DatetimeIndex([ts]))[0])


@pytest.fixture
def hour() -> pd.DataFrame:
    return walk(at(OPENING) + np.arange(60))


# validation


def test_valid_bars_come_back_unchanged(hour):
    pd.testing.assert_frame_equal(validate(hour, "x"), hour)


def test_the_schema_is_completed(hour):
    given_bars = hour[["close", "low", "high", "open"]].astype(np.float32).assign(note="n")
    given_bars.index = given_bars.index.tz_convert("Asia/Tokyo").as_unit("s").rename("when")
    got = validate(given_bars, "x")
    assert tuple(got.columns) == COLUMNS
    assert (got.dtypes == np.float64).all()
    assert got[["volume", "spread"]].isna().all(axis=None)
    pd.testing.assert_index_equal(got.index, hour.index)


BREAKS = {
    "nan rate": ("close", np.nan, "positive rates"),
    "infinite rate": ("high", np.inf, "positive rates"),
    "zero rate": ("low", 0.0, "positive rates"),
    "negative rate": ("open", -1.2, "positive rates"),
    "high below low": ("high", 1.0, "high >= low"),
    "low above the close": ("low", 1.2005, None),
    "close above the high": ("close", 1.3, "high as the largest rate"),
    "open below the low": ("open", 1.1, "low as the smallest rate"),
    "negative volume": ("volume", -1.0, "volume >= 0"),
    "infinite volume": ("volume", np.inf, "a finite one"),
    "negative spread": ("spread", -1e-5, "spread >= 0"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_each_broken_bar_is_named(hour, what):
    column, value, rule = BREAKS[what]
    hour.loc[hour.index[41], column] = value
    rule = rule or "high >= low|low as the smallest rate"
    place = re.escape(f"feed row 42 ({hour.index[41]}): ")
    with pytest.raises(BarError, match=f"^{place}.*; expected ({rule}).*1 such rows.*feed\\.$"):
        validate(hour, "feed")
    with pytest.raises(BarError, match=r"^feed line 1,042 \("):
        validate(hour, "feed", lines=np.arange(1001, 1061))


def test_the_digits_that_differ_are_shown(hour):
    hour.iloc[5, :4] = [134.9851, 134.9851, 134.9852, 134.9851]
    with pytest.raises(BarError, match=r"high 134\.9851 is below low 134\.9852"):
        validate(hour, "x")


def test_order_repeats_and_seconds(hour):
    swapped = hour.iloc[[0, 2, 1, 3]]
    with pytest.raises(BarError, match="x row 3 .*before the row above; expected ascending"):
        validate(swapped, "x")
    with pytest.raises(BarError, match="x row 2 .*repeats the row above; expected one bar"):
        validate(hour.iloc[[0, 0, 1]], "x")
    late = hour.set_axis(hour.index + pd.to_timedelta([0] * 59 + [30], unit="s"))
    with pytest.raises(BarError, match="x row 60 .*has seconds; expected whole minutes"):
        validate(late, "x")


def test_missing_columns_zone_and_rows(hour):
    with pytest.raises(BarError, match="x: column 'low' is missing, got .*'open', 'high'"):
        validate(hour.drop(columns="low"), "x")
    with pytest.raises(BarError, match="x: the index has no time zone, got datetime64"):
        validate(hour.tz_localize(None), "x")
    with pytest.raises(BarError, match="x: the index has no time zone, got int64"):
        validate(hour.reset_index(drop=True), "x")
    with pytest.raises(BarError, match="x: no bars, got 0 rows"):
        validate(hour[:0], "x")


def test_stray_bars_of_a_closed_market_go_many_are_an_error():
    minutes = at(OPENING) - 3 + np.arange(1_000)
    frame = walk(minutes)
    pd.testing.assert_frame_equal(validate(frame, "x"), frame[3:])
    with pytest.raises(BarError, match="x row 1 .*the market is closed.*clock of the file"):
        validate(walk(at(OPENING) - 30 + np.arange(1_000)), "x")


# the grid


def test_a_week_has_7200_rows_on_both_sides_of_a_clock_change():
    friday = pd.Timestamp("2018-03-02 22:00", tz="UTC")
    ends = walk(np.array([at(friday) - sessions.WEEK, at(OPENING) + 2 * sessions.WEEK]))
    grid = to_grid(ends)
    weeks = sessions.market_minutes(sessions.epoch_minutes(grid.index)) // sessions.WEEK
    np.testing.assert_array_equal(np.unique(weeks, return_counts=True)[1][:3], 7200)
    assert grid.index[7200] == pd.Timestamp("2018-03-04 22:00", tz="UTC")
    assert grid.index[14400] == OPENING
    assert grid.index[14399] == pd.Timestamp("2018-03-09 21:59", tz="UTC")


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 79), min_size=1, unique=True).map(sorted),
    st.integers(0, 20),
    st.booleans(),
)
def test_filling_agrees_with_a_loop(kept, max_fill, has_volume):
    # 40 minutes on each side of a weekend.
    minutes = sessions.grid(at(OPENING) - 3 * sessions.DAY, at(OPENING) + 39)[-80:]
    frame = walk(minutes)
    if not has_volume:
        frame["volume"] = np.nan
    grid = to_grid(frame.iloc[kept], int(minutes[0]), int(minutes[-1]), max_fill=max_fill)
    np.testing.assert_array_equal(sessions.epoch_minutes(grid.index), minutes)
    given_rows, want, filled = frame.to_numpy(), np.full((80, 6), np.nan), np.zeros(80, dtype=bool)
    for row in range(80):
        before = max((k for k in kept if k <= row), default=None)
        after = min((k for k in kept if k >= row), default=None)
        if before == row:
            want[row] = given_rows[row]
        elif before is not None and after is not None and after - before - 1 <= max_fill:
            filled[row] = True
            want[row, :4] = given_rows[before, 3]
            want[row, 4] = 0 if has_volume else np.nan
            want[row, 5] = given_rows[before, 5]
    np.testing.assert_array_equal(grid[list(COLUMNS)].to_numpy(), want)
    np.testing.assert_array_equal(grid["filled"], filled)


def test_a_hole_of_15_minutes_is_filled_and_one_of_16_is_not(hour):
    short = to_grid(hour.drop(hour.index[10:25]))
    assert short["filled"].sum() == 15
    assert short["close"].notna().all()
    long = to_grid(hour.drop(hour.index[10:26]))
    assert long["filled"].sum() == 0
    assert long["close"].isna().sum() == 16
    assert to_grid(hour.drop(hour.index[10:26]), max_fill=16)["filled"].sum() == 16


# the rate index


def test_the_baseline_is_the_first_close_at_or_after_a_time(hour):
    assert baseline(hour) == hour["close"].iloc[0]
    since = OPENING + pd.Timedelta(seconds=610)
    assert baseline(hour, since) == hour["close"].iloc[11]
    gap = to_grid(hour.drop(hour.index[5:40]))
    assert baseline(gap, hour.index[5]) == hour["close"].iloc[40]
    with pytest.raises(BarError, match="^baseline: no bar at or after 2018-03-12 00:00"):
        baseline(hour, pd.Timestamp("2018-03-12", tz="UTC"))


def test_the_index_is_the_close_against_one_baseline(hour):
    bars = Bars("eurusd", to_grid(hour), baseline(hour))
    assert len(bars) == 60
    assert bars.index[0] == 100.0
    np.testing.assert_allclose(bars.index, 100 * hour["close"] / hour["close"].iloc[0], rtol=1e-14)
    np.testing.assert_allclose(
        bars.ohlc, 100 * hour[list(RATES)].to_numpy() / bars.baseline, rtol=1e-14
    )
    np.testing.assert_array_equal(bars.close, hour["close"])
    np.testing.assert_array_equal(bars.minutes, at(OPENING) + np.arange(60))


def test_a_slice_keeps_the_baseline_and_the_market_minutes(hour):
    bars = Bars("eurusd", to_grid(hour), baseline(hour))
    part = bars.rows(20, 30)
    np.testing.assert_array_equal(part.index, bars.index[20:30])
    assert part.first_market_minute == bars.first_market_minute + 20
    assert part.first_market_minute % sessions.WEEK == 20
    pd.testing.assert_index_equal(part.ts, hour.index[20:30])


def test_pairs_are_aligned_from_the_first_bar_of_any_to_the_last():
    start = at(OPENING)
    frames = {
        "eurusd": walk(start + np.arange(10, 40), seed=1),
        "usdjpy": walk(start + np.arange(0, 25), seed=2),
    }
    got = align(frames)
    assert list(got) == ["eurusd", "usdjpy"]
    for pair, bars in got.items():
        assert bars.pair == pair
        np.testing.assert_array_equal(bars.minutes, start + np.arange(40))
        assert bars.baseline == frames[pair]["close"].iloc[0]
        assert not bars.frame["filled"].any()
    np.testing.assert_array_equal(np.isnan(got["eurusd"].close), np.arange(40) < 10)
    np.testing.assert_array_equal(np.isnan(got["usdjpy"].close), np.arange(40) >= 25)
    later = align(frames, since=OPENING + pd.Timedelta(minutes=20))
    assert later["usdjpy"].baseline == frames["usdjpy"]["close"].iloc[20]


def test_a_slice_is_given_though_another_thread_puts_its_own_in_its_place():
    class Replaced(dict):
        def __setitem__(self, rows, part):
            super().__setitem__(rows, part)
            self.clear()

    panel = Panel(np.arange(280.0).reshape(10, 28), np.ones(28), _slice=Replaced())
    np.testing.assert_array_equal(panel.rows(2, 5).closes, panel.closes[2:5])
