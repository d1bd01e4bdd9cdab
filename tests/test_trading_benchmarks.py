"""What is traded beside the forecasts."""

import numpy as np
import pandas as pd
import pytest

from bqx.learning import targets
from bqx.market import bars, sessions
from bqx.trading import benchmarks

MINUTES = sessions.grid(28_400_000, 28_403_000)


@pytest.fixture(scope="module")
def walk() -> bars.Bars:
    close = 1.1 + np.round(np.cumsum(np.random.default_rng(3).normal(0, 1e-4, 1_500)), 4)
    close[150:170] = np.nan
    frame = pd.DataFrame({"close": close}, index=sessions.timestamps(MINUTES[:1_500]))
    frame = frame.assign(open=close, high=close, low=close)
    return bars.Bars("eurusd", frame, 1.1)


@pytest.mark.parametrize("kind", ["delta", "level", "scaled"])
@pytest.mark.parametrize(("window", "horizon"), [(15, 30), (60, 15)])
def test_sides_are_what_their_names_say(
    walk: bars.Bars, kind: str, window: int, horizon: int
) -> None:
    target = targets.make(walk, window, horizon)
    sides = benchmarks.sides(walk, target, kind)
    assert tuple(sides) == benchmarks.NAMES
    assert all(side.dtype == np.int8 and len(side) == len(walk) for side in sides.values())
    assert not sides["martingale"].any()
    assert not sides["zero"].any()
    assert (sides["buy and hold"] == 1).all()
    close = walk.frame["close"]
    moved = np.sign(close - close.shift(horizon)).fillna(0)
    np.testing.assert_array_equal(sides["momentum sign"], moved)
    assert {-1, 0, 1} == set(sides["momentum sign"].tolist())


def test_the_known_part_of_a_delta_bets_on_reversal(walk: bars.Bars) -> None:
    """A fall makes BQX high; that BQX will come down is no news, but reads as a rise to come."""
    target = targets.make(walk, 15, 30)
    side = benchmarks.sides(walk, target, "delta")["known part only"]
    known = np.isfinite(target.current)
    np.testing.assert_array_equal(side[known], np.sign(target.current[known]))
    assert not side[~known].any()
    assert not benchmarks.sides(walk, target, "level")["known part only"].any()


def test_a_history_shorter_than_the_horizon_has_no_momentum(walk: bars.Bars) -> None:
    short = walk.rows(0, 10)
    sides = benchmarks.sides(short, targets.make(short, 15, 15), "delta")
    assert not sides["momentum sign"].any()
