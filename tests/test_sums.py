"""Rolling primitives against pandas, and that no value knows where its history starts."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bqx.features.families.cross_pair.currency_peers import peers
from bqx.features.rolling import four_sums, multivariate, products, row_sums, trailing, weighted
from bqx.features.rolling import sums as rolling
from bqx.features.rolling.component import component
from bqx.features.rolling.volatility import over_before
from bqx.features.sources import bqx, pseudo_bars

Array = NDArray[np.float64]

# Values on a coarse grid around a level, so that ties and flat windows are common; NaN holes.
LEVEL = 100.0
SERIES = st.lists(
    st.one_of(st.integers(-4, 4).map(lambda k: LEVEL + 0.25 * k), st.just(np.nan)),
    min_size=1,
    max_size=90,
).map(lambda values: np.array(values, dtype=np.float64))
WINDOWS = st.integers(1, 25)
MINUTES = st.integers(0, 10_000)


def means(x: Array, window: int, minute: int) -> Array:
    return np.column_stack(rolling.mean_std(x, window, minute, 0))


def ends(x: Array, window: int, minute: int) -> Array:
    return np.column_stack(rolling.extremes(x + 0.5, x, window))


def smooth(x: Array, window: int, minute: int) -> Array:
    return weighted.ewm_mean(x, 2.0 / (window + 1.0), window, window, minute)[:, None]


PRIMITIVES: dict[str, Callable[[Array, int, int], Array]] = {
    "extremes": ends,
    "power_sums": four_sums.power_sums,
    "mean_std": means,
    "trend_sums": four_sums.trend_sums,
    "ewm_mean": smooth,
}


def beside_squares(x: Array, window: int, minute: int) -> Array:
    sums = products.square_and_product_sums(np.sqrt(np.abs(x)), x, window, minute)
    return np.column_stack(sums)


IN_LANES = {
    "mean_std": PRIMITIVES["mean_std"],
    "ewm_mean": smooth,
    "mean": lambda x, window, minute: products.mean(x, window, minute)[:, None],
    "shift_sums": lambda x, window, minute: np.column_stack(products.shift_sums(x, window, minute)),
    "products": beside_squares,
    "total": lambda x, window, minute: trailing.total(x, window, minute)[:, None],
    "power_sums": four_sums.power_sums,
    "trend_sums": four_sums.trend_sums,
    "z_score": lambda x, window, minute: trailing.z_score(x, window, minute)[:, None],
}


@given(MINUTES, st.integers(1, 500))
def test_first_block_is_the_first_multiple(first_minute: int, size: int) -> None:
    row = rolling.first_block(first_minute, size)
    assert 0 <= row < size
    assert (first_minute + row) % size == 0


@given(SERIES, WINDOWS)
def test_extremes_are_those_of_pandas(x: Array, window: int) -> None:
    high = x + np.arange(len(x)) % 3
    top, bottom = rolling.extremes(high, x, window)
    np.testing.assert_array_equal(top, pd.Series(high).rolling(window).max())
    np.testing.assert_array_equal(bottom, pd.Series(x).rolling(window).min())


@given(SERIES, st.integers(2, 25), MINUTES, st.sampled_from([0, 1]))
def test_mean_and_deviation_are_those_of_pandas(
    x: Array, window: int, minute: int, ddof: int
) -> None:
    mean, std = rolling.mean_std(x, window, minute, ddof)
    # Each window on its own: pandas' running moments keep rounding from rows long gone.
    whole = pd.Series(x).rolling(window)
    np.testing.assert_allclose(mean, whole.apply(np.mean, raw=True), rtol=1e-14)
    expected = whole.apply(lambda values: np.std(values - values[0], ddof=ddof), raw=True)
    np.testing.assert_allclose(std, expected, rtol=1e-12, atol=1e-15)
    flat = (whole.max() == whole.min()).to_numpy()
    assert (std[flat] == 0.0).all()


@given(SERIES, WINDOWS, MINUTES)
def test_power_sums_are_sums_of_powers(x: Array, window: int, minute: int) -> None:
    sums = four_sums.power_sums(x, window, minute)
    for row in range(len(x)):
        values = x[max(0, row - window + 1) : row + 1]
        if len(values) < window or np.isnan(values).any():
            assert np.isnan(sums[row, :4]).all()
            continue
        r = sums[row, 4]
        assert r in values
        np.testing.assert_allclose(
            sums[row, :4], [((values - r) ** p).sum() for p in (1, 2, 3, 4)], rtol=1e-13
        )


@given(SERIES, WINDOWS, MINUTES)
def test_trend_sums_are_sums_about_the_middle(x: Array, window: int, minute: int) -> None:
    sums = four_sums.trend_sums(x, window, minute)
    u = np.arange(window) - 0.5 * (window - 1)
    for row in range(len(x)):
        values = x[max(0, row - window + 1) : row + 1]
        if len(values) < window or np.isnan(values).any():
            assert np.isnan(sums[row, :4]).all()
            continue
        d = values - sums[row, 4]
        expected = [d.sum(), (u * d).sum(), (u * u * d).sum(), (d * d).sum()]
        np.testing.assert_allclose(sums[row, :4], expected, rtol=1e-11, atol=1e-10)


@given(SERIES, st.integers(1, 25), st.integers(1, 25), MINUTES, st.floats(0.05, 0.95))
def test_exponential_mean_starts_from_the_oldest_of_its_run_in(
    x: Array, run_in: int, rows: int, minute: int, alpha: float
) -> None:
    min_rows = min(rows, run_in)
    found = weighted.ewm_mean(x, alpha, run_in, min_rows, minute)
    age = 0
    for row, value in enumerate(x):
        age = 0 if np.isnan(value) else age + 1
        if age < min_rows or age == 0:
            assert np.isnan(found[row])
            continue
        level = x[row - min(age, run_in) + 1]
        for late in x[row - min(age, run_in) + 2 : row + 1]:
            level += alpha * (late - level)
        assert found[row] == pytest.approx(level, rel=1e-14)


def test_exponential_mean_is_that_of_pandas_but_for_the_run_in() -> None:
    x = LEVEL + np.random.default_rng(4).normal(0.0, 1.0, 2_000).cumsum()
    span, run_in = 26, 260
    found = weighted.ewm_mean(x, 2.0 / (span + 1.0), run_in, run_in, 77)
    endless = pd.Series(x).ewm(span=span, adjust=False).mean().to_numpy()
    assert np.isnan(found[: run_in - 1]).all()
    # The share of the start that is left after ten spans is (25 / 27) ** 259 = 2.2e-9.
    left = (1.0 - 2.0 / 27.0) ** (run_in - 1)
    assert left < 1e-8
    gap = np.abs(found - endless)[run_in - 1 :].max()
    assert 0.0 < gap < left * np.ptp(x)


@pytest.mark.parametrize("name", PRIMITIVES)
@given(x=SERIES, window=WINDOWS, minute=MINUTES, data=st.data())
def test_no_value_knows_where_its_history_starts(
    name: str, x: Array, window: int, minute: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(x) - 1))
    stop = data.draw(st.integers(start + 1, len(x)))
    whole = PRIMITIVES[name](x, window, minute)[start:stop]
    part = PRIMITIVES[name](x[start:stop], window, minute + start)
    np.testing.assert_array_equal(part[window - 1 :], whole[window - 1 :])
    # A reference value may be known before the window is full; nothing else is.
    assert np.isnan(part[: window - 1, 0]).all()


@pytest.mark.parametrize("name", PRIMITIVES)
@given(x=SERIES, window=WINDOWS, minute=MINUTES, data=st.data())
def test_nan_reaches_its_windows_and_no_further(
    name: str, x: Array, window: int, minute: int, data: st.DataObject
) -> None:
    whole = np.nan_to_num(x, nan=LEVEL)
    hole = data.draw(st.integers(0, len(x) - 1))
    holed = whole.copy()
    holed[hole] = np.nan
    before = PRIMITIVES[name](whole, window, minute)
    after = PRIMITIVES[name](holed, window, minute)
    rows = np.arange(len(x))
    touched = (rows >= hole) & (rows < hole + window)
    np.testing.assert_array_equal(after[~touched], before[~touched])
    assert np.isnan(after[touched, 0]).all()


@pytest.mark.parametrize("window", [1, 2, 7, 8, 9, 15, 16, 50])
@pytest.mark.parametrize(
    "name", ["mean_std", "ewm_mean", "mean", "shift_sums", "products", "total"]
)
def test_blocks_side_by_side_have_the_bits_of_one_alone(name: str, window: int) -> None:
    rng, primitive = np.random.default_rng(window), IN_LANES[name]
    x = LEVEL + rng.normal(size=31 * window + 5)
    x[rng.integers(0, len(x), 3)] = np.nan, np.inf, 1e300
    for minute in (0, 3, window - 1):
        whole = primitive(x, window, minute)
        # Two blocks are too few for lanes, and so is what is not contiguous.
        alone = [primitive(x[: row + 1][-window:], window, minute + max(row - window + 1, 0))[-1]
                 for row in range(len(x))]  # fmt: skip
        np.testing.assert_array_equal(whole[window - 1 :], alone[window - 1 :])
        strided = np.column_stack([x, x])[:, 0]
        np.testing.assert_array_equal(primitive(strided, window, minute), whole)


@given(SERIES, SERIES, WINDOWS, MINUTES, st.data())
def test_sums_of_last_rows_have_the_bits_of_one_series_in_all_its_rows(
    x: Array, y: Array, window: int, minute: int, data: st.DataObject
) -> None:
    both = np.column_stack([x[: len(y)], y[: len(x)]])
    since = data.draw(st.integers(0, len(both)))
    last = both, window, minute, since
    totals = trailing.totals(both, window, minute)
    np.testing.assert_array_equal(row_sums.last_totals(*last), totals[since:])
    for k, column in enumerate(both.T.copy()):
        total, reference = products.shift_sums(column, window, minute)
        demeaned = (column - reference) - total / window
        np.testing.assert_array_equal(row_sums.last_demeaned(*last)[:, k], demeaned[since:])


@pytest.mark.parametrize("columns", [3, 7, 28])
def test_components_of_last_rows_have_the_bits_of_all_rows(columns: int) -> None:
    x = np.random.default_rng(columns).normal(size=(400, columns))
    x[190, 1] = np.nan
    start = np.ones(columns)
    every = component(x, 60, 7, start, 0, centred=True)
    assert np.isfinite(every[-1]).all()
    for since in (1, 52, 53, 113, 120, 249, 250, 301, 398, 399):
        last = component(x, 60, 7, start, since, centred=True)
        np.testing.assert_array_equal(last[since:], every[since:])


@given(SERIES, WINDOWS)
def test_bqx_is_its_definition(x: Array, window: int) -> None:
    found = bqx(x, window)
    series = pd.Series(x)
    sums = sum((series.shift(k) - series) / series for k in range(1, window + 1))
    np.testing.assert_allclose(found, sums, rtol=1e-12, atol=1e-15)


@given(SERIES, st.integers(1, 8))
def test_pseudo_bars_are_trailing(x: Array, size: int) -> None:
    series = pd.Series(x)
    whole = series.rolling(size).count() == size
    expected = np.column_stack(
        [
            series.shift(size - 1).where(whole),
            series.rolling(size).max(),
            series.rolling(size).min(),
            series.where(whole),
        ]
    )
    np.testing.assert_array_equal(pseudo_bars(x, size), expected)


def test_deviations_keep_their_digits_beside_a_jump() -> None:
    # A jump of 1e6 deviations a block away must leave the windows that do not hold it alone.
    rng = np.random.default_rng(9)
    x = LEVEL + 1e-4 * rng.normal(size=3_000)
    x[1_500] += 100.0
    std = rolling.mean_std(x, 20, 3, 1)[1]
    exact = pd.Series(x).rolling(20).apply(lambda v: np.std(v - v[0], ddof=1), raw=True)
    far = np.ones(3_000, dtype=bool)
    far[1_500:1_520] = False
    np.testing.assert_allclose(std[far], exact[far], rtol=1e-11)
    np.testing.assert_allclose(std[~far], exact[~far], rtol=1e-12)


def test_differences_within_a_bar_are_its_logarithms() -> None:
    rng = np.random.default_rng(0)
    opened = 10.0 ** rng.uniform(-4.0, 4.0, 5_000)
    sizes = 10.0 ** rng.uniform(-15.0, -1.0, (5_000, 3))
    others = opened[:, None] * np.exp(np.where(rng.random((5_000, 3)) < 0.5, sizes, -sizes))
    others[7], others[9, 1] = opened[7], np.nan
    ohlc = np.column_stack([opened, others])
    found = over_before(ohlc, opened)
    np.testing.assert_array_equal(found[7, 1:], 0.0)
    assert np.isnan(found[[0, 9], [0, 2]]).all()
    assert np.isnan(found).sum() == 2
    before = np.concatenate([[np.nan], opened[:-1]])
    ratios = np.column_stack([opened / before, others / opened[:, None]])
    expected = np.log(ratios.astype(np.longdouble)).astype(np.float64)
    np.testing.assert_allclose(found, expected, rtol=5e-16, atol=0.0)


@pytest.mark.parametrize(("rows", "columns"), [(5, 4), (59, 5), (60, 13), (500, 13), (333, 18)])
@pytest.mark.parametrize("minute", [0, 7, 59])
def test_correlations_abreast_have_the_bits_of_one_column(
    rows: int, columns: int, minute: int
) -> None:
    rng = np.random.default_rng(rows)
    x = 1e-4 * rng.normal(size=(rows, columns))
    x[rng.random(x.shape) < 0.002] = np.nan
    x[100:260, 2], x[150:230, 0] = 0.5, 1.5  # flat
    x[:, -1] = x[:, 0]
    for window in (15, 60):
        alone = multivariate.correlations(x, window, minute)
        abreast = multivariate.correlations_abreast(x, window, minute)
        np.testing.assert_array_equal(abreast, alone)
        assert np.isfinite(abreast).any() or rows < window


def test_a_pair_is_beside_the_mean_of_its_peers_correlations() -> None:
    x = np.random.default_rng(0).normal(size=(400, 13)).cumsum(axis=0)
    found, alone = peers(x, 3, 60), multivariate.correlations(x, 60, 3)
    expected = np.column_stack([alone[:, :6].mean(axis=1), alone[:, 6:].mean(axis=1)])
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-15)
