"""A window that moves minute by minute gives the batch's values, bit for bit."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bqx.errors import BarError, ParameterError
from bqx.features import catalog
from bqx.features.engine import fitting
from bqx.features.engine.compute import compute
from bqx.features.engine.live_window import LiveWindow
from bqx.features.spec import Family, Feature, Output, Source
from bqx.market import bars as bar_frames
from bqx.market import sessions, simulated
from bqx.market.bars import COLUMNS, Bars
from bqx.market.pairs import PAIRS

PAIRS_HERE = ("eurgbp", "eurusd", "gbpusd")
Frames = dict[str, pd.DataFrame]


def planted(name: str, build: Callable[[Bars], NDArray[np.float64]], lookback: int) -> Feature:
    source = Source(name, "cross", "1", lookback, build)
    return Family(
        "planted", "planted", lambda x, first: x.reshape(-1, 1), {"": Output("1")}, ((),),
        (source,), name, lookback=lambda: 1,
    ).features()[0]  # fmt: skip


def peers(bars: Bars) -> NDArray[np.float64]:
    assert bars.panel is not None
    columns = [PAIRS.index(pair) for pair in PAIRS_HERE]
    return bars.panel.derived("peers", lambda: bars.panel.index[:, columns].sum(axis=1))


def carried(bars: Bars) -> NDArray[np.float64]:
    return bars.frame["filled"].rolling(30).sum().to_numpy(np.float64)


def traded(bars: Bars) -> NDArray[np.float64]:
    return (bars.frame["volume"] * bars.frame["spread"]).rolling(4).max().to_numpy(np.float64)


FEATURES = (
    *(feature for feature in catalog.profile() if not feature.fit_key),
    planted("peers", peers, 1),
    planted("carried", carried, 30),
    planted("traded", traded, 4),
)


@pytest.fixture(scope="module")
def frames() -> Frames:
    """From a Wednesday over a weekend with a clock change, with holes of every length."""
    made = simulated.simulate("null", PAIRS_HERE, "2024-03-06", days=9, seed=3).frames
    rng = np.random.default_rng(3)
    out = {}
    for pair, frame in made.items():
        kept = rng.random(len(frame)) > 0.01
        for start in rng.integers(100, len(frame) - 100, 12):
            kept[start : start + rng.integers(2, 22)] = False
        frame = frame.assign(
            volume=rng.integers(0, 90, len(frame)), spread=rng.integers(1, 5, len(frame)) * 1e-5
        )
        out[pair] = bar_frames.validate(frame[kept], pair)
    return out


@pytest.fixture(scope="module")
def history(frames: Frames) -> dict[str, Bars]:
    return bar_frames.align(frames)


def bars_at(frames: Frames, ts: pd.Timestamp) -> dict[str, dict[str, float]]:
    return {
        pair: frame.loc[ts, list(COLUMNS)].to_dict()
        for pair, frame in frames.items()
        if ts in frame.index
    }


def until(frames: Frames, ts: pd.Timestamp) -> dict[str, Bars]:
    """The batch's bars when nothing after ``ts`` is known."""
    known = {pair: frame.loc[:ts] for pair, frame in frames.items()}
    first = min(frame.index[0] for frame in known.values())
    since, now = sessions.epoch_minutes(pd.DatetimeIndex([first, ts]))
    return bar_frames.join(
        {
            pair: Bars(
                pair,
                bar_frames.to_grid(frame, int(since), int(now)),
                bar_frames.baseline(frames[pair]),
            )
            for pair, frame in known.items()
        }
    )


LONG = tuple(f for f in FEATURES if f.lookback > 1_500)


@pytest.mark.parametrize(
    ("start", "features"), [(1, FEATURES), (4_140, FEATURES), (9_800, LONG[::4])]
)
def test_every_minute_gives_what_the_batch_gives(
    frames: Frames, history: dict[str, Bars], start: int, features: tuple[Feature, ...]
) -> None:
    # Without a history, over a weekend, and where the longest windows are full.
    grid = history["eurusd"].ts
    window = LiveWindow.of(until(frames, grid[start - 1]), features)
    assert window.pairs == PAIRS_HERE
    checked = 0
    for step, ts in enumerate(grid[start : start + 200]):
        window.push(ts, bars_at(frames, ts))
        holed = len(bars_at(frames, ts)) < len(PAIRS_HERE)
        if step % 40 and not (holed and step % 5 == 0):
            continue
        assert window.minute == ts
        bars = until(frames, ts)
        expected = np.array([compute(bars[pair], features)[-1] for pair in PAIRS_HERE])
        np.testing.assert_array_equal(window.values(), expected, err_msg=str(ts))
        checked += 1
    assert checked >= 5
    assert start == 1 or np.isfinite(window.values()).any()


def test_thousands_of_minutes_fit_into_the_window(frames: Frames, history: dict[str, Bars]) -> None:
    grid = history["eurusd"].ts[:3_000]
    few = [feature for feature in FEATURES if 0 < feature.lookback <= 100][::9]
    window = LiveWindow(few, {pair: b.baseline for pair, b in history.items()})
    for ts in grid:
        window.push(ts, bars_at(frames, ts))
    assert len(window) == window.length <= 100  # the rows were moved many times to make room
    np.testing.assert_array_equal(
        window.values(),
        np.array([compute(until(frames, grid[-1])[pair], few)[-1] for pair in PAIRS_HERE]),
    )


def test_length_comes_from_the_catalog(history: dict[str, Bars]) -> None:
    assert LiveWindow.of(history, FEATURES).length == max(f.lookback for f in FEATURES)
    assert LiveWindow.of(history, FEATURES[:5]).length == max(f.lookback for f in FEATURES[:5])


def test_values_are_float32_unless_asked_otherwise(history: dict[str, Bars]) -> None:
    some = FEATURES[:9]
    exact = LiveWindow.of(history, some, dtype=np.float64).values()
    values = LiveWindow.of(history, some).values()
    assert (values.dtype, exact.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(values, exact.astype(np.float32))
    np.testing.assert_array_equal(
        exact, [compute(history[pair], some, np.float64)[-1] for pair in PAIRS_HERE]
    )


def test_fitted_features_take_frozen_parameters(history: dict[str, Bars]) -> None:
    fitted = [feature for feature in catalog.profile() if feature.fit_key][::7]
    bars = {pair: each.rows(0, 5_000) for pair, each in history.items()}
    fits = {
        pair: fitting.fit(each, fitted, np.arange(3_000)).parameters for pair, each in bars.items()
    }
    values = LiveWindow.of(bars, fitted, fits=fits).values()
    expected = [compute(bars[pair], fitted, fits=fits[pair])[-1] for pair in PAIRS_HERE]
    np.testing.assert_array_equal(values, np.array(expected))
    assert np.isfinite(values).any()


@pytest.mark.parametrize(("hole", "carried_rows"), [(1, 1.0), (3, 3.0), (4, np.nan)])
def test_longer_holes_are_not_filled(
    history: dict[str, Bars], hole: int, carried_rows: float
) -> None:
    grid = history["eurusd"].ts
    steps = planted("steps", lambda bars: bars.frame["filled"].to_numpy(np.float64), 1)
    rate = planted("rate", lambda bars: bars.frame["close"].rolling(9).sum().to_numpy(), 9)
    window = LiveWindow([rate, steps, FEATURES[-2]], dict.fromkeys(PAIRS_HERE, 1.0), max_fill=3)
    full = dict.fromkeys(PAIRS_HERE, GOOD)
    for ts in grid[:40]:
        window.push(ts, full)
    for ts in grid[40 : 40 + hole]:
        window.push(ts, {})
        assert np.isnan(window.values()[:, 0]).all()
    window.push(grid[40 + hole], full)
    rates, newest, counts = window.values().T
    np.testing.assert_allclose(rates, np.full(3, 9 * 1.15 if hole <= 3 else np.nan), rtol=1e-6)
    np.testing.assert_array_equal(newest, 0.0)
    np.testing.assert_array_equal(counts, 0.0 if np.isnan(carried_rows) else carried_rows)


@pytest.fixture
def window(history: dict[str, Bars]) -> LiveWindow:
    return LiveWindow.of({p: b.rows(0, 600) for p, b in history.items()}, FEATURES[:3])


def test_minutes_come_once_and_in_order(window: LiveWindow, history: dict[str, Bars]) -> None:
    grid = history["eurusd"].ts
    before = window.values()
    for ts, message in (
        (grid[599], r"out of order, got a minute not after 2024-03-0"),
        (grid[10], "out of order"),
        (grid[601], r"missing, got one 1 too late; expected 2024-03-06 10:00"),
        (grid[600].tz_localize(None), "expected a whole minute in UTC"),
        (grid[600] + pd.Timedelta(seconds=1), "expected a whole minute in UTC"),
        (pd.Timestamp("2024-03-09 12:00", tz="UTC"), "the market is closed"),
    ):
        with pytest.raises(BarError, match=message):
            window.push(ts, {})
    np.testing.assert_array_equal(window.values(), before)
    window.push(grid[600], {})
    assert window.minute == grid[600]


def test_the_next_minute_after_friday_is_sunday(history: dict[str, Bars]) -> None:
    bars = history["eurusd"]
    friday = int(np.argmax(np.diff(bars.minutes) > 1))
    window = LiveWindow.of({p: b.rows(0, friday + 1) for p, b in history.items()}, FEATURES[:3])
    with pytest.raises(BarError, match="got one 1 too late; expected 2024-03-10 21:00"):
        window.push(bars.ts[friday + 2], {})
    window.push(bars.ts[friday + 1], {})
    assert window.minute == bars.ts[friday + 1]


GOOD = {"open": 1.1, "high": 1.2, "low": 1.0, "close": 1.15}


@pytest.mark.parametrize(
    ("bar", "message"),
    [
        ({"open": 1.1, "high": 1.2, "low": 1.0}, "'close' is missing, got open, high, low"),
        (GOOD | {"high": 1.12}, "no bar, got"),
        (GOOD | {"low": 1.16}, "no bar, got"),
        (GOOD | {"low": -1.0}, "no bar, got"),
        (GOOD | {"close": np.nan}, "no bar, got"),
        (GOOD | {"high": np.inf}, "no bar, got"),
        (GOOD | {"volume": -1.0}, "no bar, got"),
        (GOOD | {"spread": np.inf}, "no bar, got"),
    ],
)
def test_bad_bars_are_refused_and_leave_the_window_alone(
    window: LiveWindow, history: dict[str, Bars], bar: dict[str, float], message: str
) -> None:
    before = window.values()
    with pytest.raises(BarError, match=message):
        window.push(history["eurusd"].ts[600], {"eurusd": GOOD, "gbpusd": bar})
    np.testing.assert_array_equal(window.values(), before)
    window.push(history["eurusd"].ts[600], {"eurusd": GOOD, "gbpusd": GOOD})


def test_pairs_that_were_not_announced_are_refused(
    window: LiveWindow, history: dict[str, Bars]
) -> None:
    with pytest.raises(BarError, match="unknown pair, got 'audusd'; expected one of eurgbp"):
        window.push(history["eurusd"].ts[600], {"audusd": GOOD})
    with pytest.raises(ParameterError):
        LiveWindow(FEATURES[:3], {"eurxyz": 1.0})


def test_an_empty_window_has_no_values() -> None:
    window = LiveWindow(FEATURES[:3], {"eurusd": 1.1})
    for ask in (window.values, lambda: window.minute):
        with pytest.raises(BarError, match="no minute yet"):
            ask()
