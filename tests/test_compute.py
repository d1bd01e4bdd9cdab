"""One path from bars to features: order, subsets, slices, types."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from simulated import MARKET_PAIR

from bqx.features import catalog
from bqx.features.engine.compute import compute, table, warm_up
from bqx.features.engine.fitting import fit
from bqx.market import simulated
from bqx.market.bars import Bars, align, validate

FEATURES = catalog.profile("core")


@pytest.fixture(scope="module")
def whole(walk: Bars) -> NDArray[np.float64]:
    return compute(walk, FEATURES, np.float64)


def test_shape_type_and_memory_order(walk: Bars) -> None:
    values = compute(walk, FEATURES)
    assert values.shape == (len(walk), len(FEATURES))
    assert values.dtype == np.float32
    assert values.flags.f_contiguous  # a column is written and read at once


def test_float32_is_float64_rounded_once(walk: Bars, whole: NDArray[np.float64]) -> None:
    np.testing.assert_array_equal(compute(walk, FEATURES), whole.astype(np.float32))


def test_what_float32_cannot_hold_is_nan(clean: Bars) -> None:
    frame = clean.frame.assign(**{name: clean.frame[name] * 1e40 for name in
                                  ("open", "high", "low", "close")})  # fmt: skip
    mean = [catalog.FEATURES["rate_moments_mean_w20"]]
    huge = Bars("eurusd", frame, clean.baseline)
    assert np.isnan(compute(huge, mean)).all()
    assert np.isfinite(compute(huge, mean, np.float64)[19:]).all()


@pytest.mark.parametrize("seed", range(3))
def test_columns_come_in_the_order_asked_for(
    walk: Bars, whole: NDArray[np.float64], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(FEATURES))
    values = compute(walk, [FEATURES[i] for i in order], np.float64)
    np.testing.assert_array_equal(values, whole[:, order])


def test_a_subset_is_what_the_whole_holds(walk: Bars, whole: NDArray[np.float64]) -> None:
    for columns in ([0], [len(FEATURES) - 1], list(range(0, len(FEATURES), 7)), [5, 5]):
        values = compute(walk, [FEATURES[i] for i in columns], np.float64)
        np.testing.assert_array_equal(values, whole[:, columns])


def test_nothing_asked_nothing_computed(walk: Bars) -> None:
    assert compute(walk, []).shape == (len(walk), 0)
    assert warm_up([]) == 0


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 2_000), (333, 2_600), (901, 2_599), (1_024, 2_560)]
)
def test_a_slice_gives_the_same_values_after_its_warm_up(
    walk: Bars, whole: NDArray[np.float64], start: int, stop: int
) -> None:
    part = compute(walk.rows(start, stop), FEATURES, np.float64)
    for column, feature in enumerate(FEATURES):
        first = max(feature.lookback, 1) - 1
        np.testing.assert_array_equal(
            part[first:, column], whole[start + first : stop, column], err_msg=feature.name
        )
        assert np.isnan(part[:first, column]).all(), feature.name


def test_the_last_row_needs_the_warm_up_and_no_more(clean: Bars) -> None:
    assert warm_up(FEATURES) == max(feature.lookback for feature in FEATURES)
    last = compute(clean, FEATURES, np.float64)[-1]
    live = compute(clean.rows(len(clean) - warm_up(FEATURES), len(clean)), FEATURES, np.float64)[-1]
    np.testing.assert_array_equal(live, last)
    assert np.isfinite(live).mean() > 0.99


def test_inputs_are_left_alone(walk: Bars) -> None:
    before = walk.frame.copy(deep=True)
    compute(walk, FEATURES)
    pd.testing.assert_frame_equal(walk.frame, before)


def test_table_names_its_columns_and_rows(walk: Bars) -> None:
    some = FEATURES[10:14]
    frame = table(walk, some)
    assert list(frame.columns) == [feature.name for feature in some]
    assert frame.index.equals(walk.ts)
    assert (frame.dtypes == np.float32).all()
    np.testing.assert_array_equal(frame.to_numpy(), compute(walk, some))


def test_ten_thousand_minutes_do_not_depend_on_where_history_starts() -> None:
    """All features over five weeks with holes, weekends and both continents' clock changes."""
    frames = simulated.simulate("null", start="2024-03-03", days=35, seed=5).frames
    bars = align({pair: validate(frame, pair) for pair, frame in frames.items()})[MARKET_PAIR]
    features = catalog.profile("full")
    reach, length = warm_up(features), 1_000
    fits = fit(bars, features, np.arange(reach)).parameters
    expected = compute(bars, features, np.float64, fits=fits)
    places = np.arange(reach, len(bars) - length, length)
    starts = np.random.default_rng(0).choice(places, 10_000 // length, replace=False)
    for start in starts.tolist():
        part = bars.rows(start - reach + 1, start + length)
        found = compute(part, features, np.float64, last=length, fits=fits)
        same = (found == expected[start : start + length]) | np.isnan(found)
        same &= np.isnan(found) == np.isnan(expected[start : start + length])
        assert same.all(), [features[i].name for i in np.flatnonzero(~same.all(axis=0))]
