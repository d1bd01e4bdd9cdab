"""Features against statsmodels, PyWavelets, hmmlearn, scikit-learn and SciPy.

Bounds are shares of the largest magnitude, as in ``test_peers``.
"""

import numpy as np
import pytest
import pywt
import statsmodels.api as sm
from hmmlearn.hmm import GaussianHMM
from naive_regimes import FITS
from numpy.typing import NDArray
from scipy import signal, stats
from sklearn.decomposition import PCA
from statsmodels.regression.rolling import RollingOLS

from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.features.rolling import hmm, panels
from bqx.features.rolling.component import component
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY
from bqx.market.sessions import DAY

Array = NDArray[np.float64]


def ours(bars: Bars, *names: str) -> Array:
    return compute(bars, [catalog.FEATURES[name] for name in names], np.float64, fits=FITS)


def close(found: Array, expected: Array, tolerance: float) -> None:
    assert np.ptp(expected) > 0.0
    scale = np.abs(expected).max(axis=0)
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0.0, atol=tolerance)


# --- statsmodels ----------------------------------------------------------------------------


def test_trends_are_those_of_rolling_least_squares(clean: Bars) -> None:
    x, w = clean.index[:600], 60
    at = np.arange(len(x)) / w
    lines = RollingOLS(x, sm.add_constant(at), w).fit()
    curves = RollingOLS(x, sm.add_constant(np.column_stack([at, at * at])), w).fit()
    names = ("rate_quadratic_lin_slope_w60", "rate_quadratic_r2_w60", "rate_terms_r2_w60")
    found = ours(clean, *names)[w - 1 : len(x)]
    expected = np.column_stack([lines.params[:, 1] / w, curves.rsquared, curves.rsquared])
    close(found, expected[w - 1 :], 1e-8)


@pytest.mark.parametrize("row", [2_000, 7_777, 14_399])
def test_cointegration_is_engle_and_grangers_first_step(smooth: Bars, row: int) -> None:
    others, _ = panels.relatives(smooth.pair, True)
    day = slice(row - DAY, row + 1)  # with the row before the window
    own, *two = (panels.level(smooth, name)[day] for name in (smooth.pair, *others[:2]))
    fit = sm.OLS(own[1:], sm.add_constant(np.column_stack(two)[1:])).fit()
    every = own - fit.predict(sm.add_constant(np.column_stack(two)))
    speed = sm.OLS(np.diff(every), every[:-1]).fit().params[0]
    half_life = -np.log(2.0) / np.log1p(speed) if -1.0 < speed < 0.0 else np.nan
    expected = [every[-1], every[-1] / every[1:].std(ddof=1), half_life]
    names = [f"rate_cointegration_{name}_w1440" for name in ("residual", "z", "half_life")]
    found = ours(smooth.rows(row - DAY, row + 1), *names)[-1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# --- wavelets and spectra -------------------------------------------------------------------


def test_wavelets_are_those_of_pywavelets(clean: Bars) -> None:
    x, count = clean.index[:2_600], 79
    # Its taps run the other way, and it closes the ends to a ring.
    levels = pywt.swt(x[::-1], "db4", level=3, norm=True, trim_approx=True)[::-1]
    for level, detail in enumerate(levels[:3], 1):
        energy = np.convolve(detail[::-1] ** 2, np.ones(count) / count, "valid")
        expected = np.sqrt(energy[300:-300])
        found = ours(clean, f"rate_wavelet_d{level}_energy")[:, 0]
        near = [
            np.allclose(found[300 + count - 1 + shift :][: len(expected)], expected, rtol=1e-8)
            for shift in range(-60, 60)
        ]
        assert sum(near) == 1


def test_spectra_are_those_of_scipy(clean: Bars) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(clean.index, 128)[::50]
    centred = windows - windows.mean(axis=1, keepdims=True)
    hann = signal.get_window("hann", 128, fftbins=False)
    frequency, power = signal.periodogram(
        centred, window=hann, detrend=False, scaling="spectrum", axis=1
    )
    frequency, power = frequency[1:], power[:, 1:]
    power[:, -1] *= 2.0  # a one-sided spectrum halves the last bin beside the others
    share = power / power.sum(axis=1, keepdims=True)
    names = [f"rate_spectrum_{name}" for name in ("dominant_freq", "dominant_power", "entropy")]
    found = ours(clean, *names)[127::50]
    expected = [frequency[share.argmax(axis=1)], share.max(axis=1), stats.entropy(share, axis=1)]
    close(found, np.column_stack(expected), 1e-8)


def test_moments_are_those_of_scipy(clean: Bars) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(clean.index, 120)[::40]
    expected = np.column_stack(
        [stats.skew(windows, axis=1, bias=False), stats.kurtosis(windows, axis=1, bias=False)]
    )
    names = ("rate_moments_skew_w120", "rate_moments_kurt_w120")
    close(ours(clean, *names)[119::40], expected, 1e-9)


# --- hidden states and components -----------------------------------------------------------


def model(parameters: Array) -> GaussianHMM:
    made = GaussianHMM(3, covariance_type="diag", init_params="", n_iter=500, tol=1e-3)
    made.startprob_ = parameters[:3] / parameters[:3].sum()
    made.transmat_ = parameters[3:12].reshape(3, 3)
    made.transmat_ /= made.transmat_.sum(axis=1, keepdims=True)
    made.means_, made.covars_ = parameters[12:15, None], parameters[15:, None]
    return made


def moves(bars: Bars) -> Array:
    return np.diff(np.log(bars.index), prepend=np.nan)


def test_filtered_states_are_the_last_of_hmmlearns_smoothed_ones(clean: Bars) -> None:
    x, peer = moves(clean), model(FITS["rate_hmm"])
    names = [f"rate_hmm_{state}_w120" for state in ("calm", "trend", "shock")]
    found = ours(clean, *names)
    for row in range(200, len(x), 150):
        expected = peer.predict_proba(x[row - 119 : row + 1, None])[-1]
        np.testing.assert_allclose(found[row], expected, atol=1e-9)


def test_a_fit_is_as_likely_as_hmmlearns(clean: Bars) -> None:
    x = 1e4 * moves(clean)[1:]
    found = model(hmm.learn(x, 0))
    peer = model(hmm.learn(x, 0))
    peer.means_ = np.array([[0.0], [0.1], [-0.1]])
    peer.covars_ = x.var() * np.array([[0.3], [1.0], [3.0]])
    peer.transmat_ = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    peer.fit(x[:, None])
    # Nats a row; ours has to start from the stationary distribution, which costs one row's.
    assert found.score(x[:, None]) / len(x) > peer.score(x[:, None]) / len(x) - 1e-3


def test_components_are_those_of_scikit_learn(smooth: Bars) -> None:
    pairs = LIQUIDITY[:7]
    x = panels.stack(smooth, panels.returns, pairs)[-1_500:]
    first = np.ones(len(pairs))
    found = component(x, DAY, 0, first, 0, centred=True)
    for row in (1_440, 1_470, 1_499):
        peer = PCA(1).fit(x[row - DAY + 1 : row + 1])
        loadings = peer.components_[0] * np.sign(peer.components_[0] @ first)
        np.testing.assert_allclose(found[row, :-1], loadings, atol=1e-9)
        np.testing.assert_allclose(found[row, -1], peer.explained_variance_ratio_[0], rtol=1e-9)
