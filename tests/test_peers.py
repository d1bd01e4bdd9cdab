"""Features against other people's code: TA-Lib, pandas and numpy.polyfit.

TA-Lib's recursions run from the first bar of all, ours from the first of a run-in of ten spans:
what is left of the start after it is below 3e-9, times the spread of the values averaged. Where
a peer's result comes from running sums its own rounding sets the bound. Bounds are shares of the
largest magnitude; rows are compared from twice the longest run-in on.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.typing import NDArray

from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.features.sources import bqx
from bqx.market.bars import Bars

Array = NDArray[np.float64]
Hlc = tuple[Array, Array, Array]

WARM = 1_100

RECURSION = 1e-7
"""A share of 3e-9 of the start is left, a few times where means are nested or divided."""

RUNNING = 1e-10
"""TA-Lib and pandas add and subtract levels of 100 in running sums: 1e-14 against 1e-3."""

POWERS = 1e-5
"""pandas rolls third and fourth powers, in which the rounding of rows long gone stays."""

EXACT = 1e-12


def ours(bars: Bars, name: str) -> Array:
    return compute(bars, [catalog.FEATURES[name]], np.float64)[WARM:, 0]


def agree(found: Array, expected: Array, tolerance: float) -> None:
    expected = np.asarray(expected)[WARM:]
    assert np.isfinite(found).all()
    assert np.ptp(found) > 0.0
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=tolerance * np.abs(expected).max())


@pytest.fixture(scope="module")
def hlc(clean: Bars) -> Hlc:
    """High, low, close of the rate index."""
    high, low, close = (clean.ohlc[:, i].copy() for i in (1, 2, 3))
    return high, low, close


@pytest.fixture(scope="module")
def momentum(clean: Bars) -> Array:
    """(T,) BQX, NaN in its warm-up."""
    return bqx(clean.index.copy(), 15)


def tail(call: Callable[..., Array], x: Array, *args: float) -> Array:
    """A TA-Lib function on the rows of a series that begins with NaN."""
    start = int(np.argmax(~np.isnan(x)))
    return np.concatenate([np.full(start, np.nan), call(x[start:], *args)])


@pytest.mark.parametrize("n", [14, 21])
def test_rsi(clean: Bars, hlc: Hlc, momentum: Array, n: int) -> None:
    agree(ours(clean, f"rate_rsi_w{n}"), talib.RSI(hlc[2], n), RECURSION)
    agree(ours(clean, f"bqx_rsi_w{n}"), tail(talib.RSI, momentum, n), RECURSION)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_macd(clean: Bars, hlc: Hlc, momentum: Array, column: int) -> None:
    name = f"macd_{('line', 'signal', 'histogram')[column]}_w12_26_9"
    for source, x in (("rate", hlc[2]), ("bqx", momentum)):
        agree(
            ours(clean, f"{source}_{name}"),
            tail(lambda y: talib.MACD(y, 12, 26, 9)[column], x),
            RECURSION,
        )


def test_stochastic_and_williams(clean: Bars, hlc: Hlc) -> None:
    k, d = talib.STOCHF(*hlc, fastk_period=14, fastd_period=3)
    agree(ours(clean, "rate_stochastic_k_w14_3"), k, EXACT)
    agree(ours(clean, "rate_stochastic_d_w14_3"), d, EXACT)
    agree(ours(clean, "rate_stochastic_williams_r_w14_3"), talib.WILLR(*hlc, 14), EXACT)


def test_cci(clean: Bars, hlc: Hlc) -> None:
    agree(ours(clean, "rate_cci_w20"), talib.CCI(*hlc, 20), RUNNING)


def test_roc(clean: Bars, hlc: Hlc) -> None:
    agree(ours(clean, "rate_roc_w12"), talib.ROC(hlc[2], 12), EXACT)


def test_atr(clean: Bars, hlc: Hlc) -> None:
    expected = talib.ATR(*hlc, 14)
    agree(ours(clean, "rate_atr_w14"), expected, RECURSION)
    agree(ours(clean, "rate_atr_pct_w14"), talib.NATR(*hlc, 14), RECURSION)


@pytest.mark.parametrize(
    ("output", "peer"), [("plus_di", talib.PLUS_DI), ("minus_di", talib.MINUS_DI),
                         ("adx", talib.ADX)]
)  # fmt: skip
def test_directional(clean: Bars, hlc: Hlc, output: str, peer: Callable[..., Array]) -> None:
    expected = peer(*hlc, 14)
    agree(ours(clean, f"rate_directional_{output}_w14"), expected, RECURSION)


@pytest.mark.parametrize("window", [20, 50])
@pytest.mark.parametrize("source", ["rate", "bqx"])
def test_bollinger(clean: Bars, momentum: Array, source: str, window: int) -> None:
    x = clean.index if source == "rate" else momentum
    start = int(np.argmax(~np.isnan(x)))
    peer = talib.BBANDS(x[start:], window, 2.0, 2.0)
    padded = [np.concatenate([np.full(start, np.nan), band]) for band in peer]
    reach = ours(clean, f"{source}_bollinger_upper_w{window}") - ours(
        clean, f"{source}_bollinger_middle_w{window}"
    )
    agree(reach, padded[0] - padded[1], RUNNING)
    agree(ours(clean, f"{source}_bollinger_middle_w{window}"), padded[1], RUNNING)


@pytest.mark.parametrize("window", [20, 50, 120])
@pytest.mark.parametrize("source", ["rate", "bqx"])
def test_moments(clean: Bars, momentum: Array, source: str, window: int) -> None:
    x = pd.Series(clean.index if source == "rate" else momentum)
    # Without its level, which pandas would carry through the powers.
    centred = (x - x.mean()).rolling(window)
    agree(ours(clean, f"{source}_moments_std_w{window}"), centred.std(), RUNNING)
    agree(ours(clean, f"{source}_moments_skew_w{window}"), centred.skew(), POWERS)
    agree(ours(clean, f"{source}_moments_kurt_w{window}"), centred.kurt(), POWERS)


@pytest.mark.parametrize("window", [15, 60, 90])
@pytest.mark.parametrize("source", ["rate", "bqx"])
def test_quadratic_trend(clean: Bars, momentum: Array, source: str, window: int) -> None:
    x = clean.index if source == "rate" else momentum
    minutes = np.arange(window)
    names = ("a2_norm", "a1_norm", "b_norm", "resid_norm", "lin_slope", "r2")
    found = np.column_stack(
        [ours(clean, f"{source}_quadratic_{name}_w{window}") for name in names]
    )[::40]
    expected = []
    for row in range(WARM, len(x), 40):
        y = x[row - window + 1 : row + 1]
        a2, a1, b = np.polyfit(minutes, y, 2)
        resid = y - np.polyval([a2, a1, b], minutes)
        sigma = y.std(ddof=1)
        r2 = 1.0 - (resid @ resid) / ((y - y.mean()) @ (y - y.mean()))
        expected.append(
            [a2 / sigma, a1 / sigma, (b - y.mean()) / sigma, resid[-1] / sigma,
             np.polyfit(minutes, y, 1)[0], r2]
        )  # fmt: skip
    scale = np.abs(expected).max(axis=0)
    # polyfit solves on the level of 100: condition 1e2 times 1e-16 times 100 over sigma of 1e-2.
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0.0, atol=1e-9)
