"""Granger's tests against statsmodels, and the leaders that they choose."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from statsmodels.tsa.stattools import grangercausalitytests

from bqx.features.catalog import join
from bqx.features.engine.compute import compute
from bqx.features.engine.fitting import fit
from bqx.features.families.cross_pair import lead_lag
from bqx.features.rolling.granger import DEPTH, leaders, statistic
from bqx.market.bars import Bars, Panel
from bqx.market.pairs import PAIRS, SISTERS

Array = NDArray[np.float64]
FITTED = tuple(f for f in join(lead_lag.FAMILIES).values() if f.fit_key)
KEY = "leader_granger"


def led(rows: int, weights: tuple[float, ...], seed: int) -> Array:
    """Moves of about 1e-4: the first series follows the others of four rows ago."""
    x = np.random.default_rng(seed).normal(size=(rows, 1 + len(weights)))
    x[4:, 0] += x[:-4, 1:] @ np.array(weights)
    return 1e-4 * x


@pytest.mark.parametrize("weight", [0.0, 0.03, 0.4])
@pytest.mark.parametrize("rows", [600, 40_000])
def test_the_test_is_that_of_statsmodels(rows: int, weight: float) -> None:
    x = led(rows, (weight,), seed=rows)
    tests = grangercausalitytests(1e4 * x, [DEPTH])[DEPTH][0]
    expected, probability, *_ = tests["ssr_ftest"]
    np.testing.assert_allclose(statistic(x), (expected, probability), rtol=1e-8)


def test_rows_with_a_hole_among_them_are_left_out() -> None:
    x = led(2_000, (0.1,), seed=1)
    x[700, 0] = x[1_200:1_230] = np.nan
    windows = np.lib.stride_tricks.sliding_window_view(1e4 * x, DEPTH + 1, axis=0)
    windows = windows[~np.isnan(windows).any(axis=(1, 2))]
    own, other = windows[:, 0, :DEPTH], windows[:, 1, :DEPTH]
    whole = sm.OLS(windows[:, 0, DEPTH], sm.add_constant(np.hstack([own, other]))).fit()
    alone = sm.OLS(windows[:, 0, DEPTH], sm.add_constant(own)).fit()
    expected, probability, _ = whole.compare_f_test(alone)
    np.testing.assert_allclose(statistic(x), (expected, probability), rtol=1e-8)


def test_the_clearest_leaders_come_first() -> None:
    x = led(20_000, (0.0, 0.1, 0.0, 0.3, 0.2), seed=2)
    np.testing.assert_array_equal(leaders(x, 2), [3.0, 4.0])
    np.testing.assert_array_equal(leaders(x[:, [0, 1, 2]], 2), [1.0, np.nan])
    np.testing.assert_array_equal(leaders(x[::-1, [0, 1, 2]], 2), [np.nan, np.nan])


@pytest.mark.parametrize("nothing", [np.nan, 0.0])
def test_absent_and_flat_series_lead_nothing(nothing: float) -> None:
    x = led(5_000, (0.2, 0.2), seed=3)
    x[:, 1] = nothing
    np.testing.assert_array_equal(leaders(x, 2), [1.0, np.nan])
    x[:, 0] = nothing
    assert np.isnan(leaders(x, 2)).all()
    assert np.isnan(leaders(x[:0], 2)).all()
    assert np.isnan(leaders(led(400, (0.5,), seed=4), 2)).all()


@pytest.fixture(scope="module")
def following(smooth: Bars) -> Bars:
    """A pair whose returns follow those of its fifth sister, seven rows later."""
    assert smooth.panel is not None
    moves = np.diff(np.log(smooth.panel.closes), axis=0, prepend=np.nan)
    own = PAIRS.index(smooth.pair)
    moves[7:, own] += 0.5 * moves[:-7, PAIRS.index(SISTERS[smooth.pair][4])]
    closes = smooth.panel.closes[0] * np.exp(np.nancumsum(moves, axis=0))
    return replace(smooth, panel=Panel(closes, smooth.panel.baselines))


def test_leaders_are_learnt_from_the_training_rows_alone(following: Bars) -> None:
    rows = np.arange(500, 9_000)
    fits = fit(following, FITTED, rows)
    assert fits.parameters[KEY][0] == 4.0
    assert following.panel is not None
    closes = following.panel.closes.copy()
    closes[rows[-1] + 1 :] = closes[rows[-1] + 1 :][::-1]
    changed = replace(following, panel=Panel(closes, following.panel.baselines))
    again = fit(changed, FITTED, rows).parameters[KEY]
    np.testing.assert_array_equal(again, fits.parameters[KEY])
    values = compute(following, FITTED, fits=fits.parameters)
    assert np.isfinite(values[200:]).all()


def test_without_a_leader_there_is_no_value(smooth: Bars) -> None:
    one = {KEY: np.array([2.0, np.nan])}
    values = dict(zip([f.output for f in FITTED], compute(smooth, FITTED, fits=one).T, strict=True))
    assert np.isfinite(values["bqx_1"][200:]).all()
    assert np.isnan(values["bqx_2"]).all()
    assert np.isnan(values["quad_2"]).all()
    alone = replace(smooth, panel=None)
    assert np.isnan(fit(alone, FITTED, np.arange(5_000)).parameters[KEY]).all()
