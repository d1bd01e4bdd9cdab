"""Other people's code for what families compute, on the same series: the time of a value.

A peer may be slower by its nature where it recomputes each window; it then runs on a share of the
rows. None gives exactly what the family gives: its values are counted as its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pywt
from hmmlearn.hmm import GaussianHMM
from numpy.typing import NDArray
from scipy import signal
from statsmodels.regression.rolling import RollingOLS
from talib import abstract

from bqx.features.sources import bqx
from bqx.market.bars import Bars

Array = NDArray[np.float64]
Windows = Callable[[Array], object]


@dataclass(frozen=True)
class Series:
    """What peers read: of the rate index in points, and BQX without its warm-up."""

    close: Array
    high: Array
    low: Array
    volume: Array
    spread: Array
    bqx: Array
    panel: Array

    @staticmethod
    def of(bars: Bars) -> "Series":
        """The series of a pair."""
        assert bars.panel is not None
        high, low, close = (np.ascontiguousarray(bars.ohlc[:, i]) for i in (1, 2, 3))
        filled = bars.frame.ffill().bfill()
        return Series(
            *(pd.Series(x).ffill().bfill().to_numpy() for x in (close, high, low)),
            filled["volume"].to_numpy(np.float64),
            filled["spread"].to_numpy(np.float64),
            bqx(bars.index, 15)[15:],
            bars.panel.index,
        )


@dataclass(frozen=True)
class Peer:
    """``work`` gives ``values`` values a row, on one of ``share`` rows."""

    name: str
    values: int
    work: Callable[[Series], object]
    share: int = 1


def _pandas(window: int, *names: str) -> Callable[[Series], object]:
    def work(s: Series) -> None:
        rolling = pd.Series(s.close).rolling(window)
        for name in names:
            getattr(rolling, name)()

    return work


def _polars(window: int, *names: str) -> Callable[[Series], object]:
    def work(s: Series) -> None:
        import polars  # installed for benchmarks alone, which every run of tests collects

        series = polars.Series(s.close)
        for name in names:
            getattr(series, f"rolling_{name}")(window)

    return work


def _bottleneck(window: int, *names: str) -> Callable[[Series], object]:
    def work(s: Series) -> None:
        import bottleneck

        for name in names:
            getattr(bottleneck, f"move_{name}")(s.close, window)

    return work


def _each(window: int, share: int, call: Windows) -> Callable[[Series], object]:
    def work(s: Series) -> None:
        windows = np.lib.stride_tricks.sliding_window_view(s.close, window)
        for row in windows[: len(windows) // share]:
            call(row)

    return work


def _talib(*names: str, **options: Any) -> Callable[[Series], object]:
    def work(s: Series) -> None:
        inputs = {"close": s.close, "high": s.high, "low": s.low, "volume": s.volume}
        for name in names:
            abstract.Function(name)(inputs, **options)

    return work


def _ols(window: int, share: int) -> Callable[[Series], object]:
    def work(s: Series) -> None:
        y = s.close[: len(s.close) // share]
        at = np.arange(len(y)) % window * 1.0
        RollingOLS(y, np.column_stack([np.ones(len(y)), at, at * at]), window).fit()

    return work


def _filter(s: Series) -> None:
    model = GaussianHMM(3, init_params="")
    model.startprob_, model.transmat_ = np.full(3, 1 / 3), np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    moves = np.diff(np.log(s.close))[: len(s.close) // 10, None]
    model.means_ = np.zeros((3, 1))
    model.covars_ = moves.var() * np.array([[0.1], [1.0], [9.0]])
    model.predict_proba(moves)


def _autocorrelation(s: Series) -> None:
    pd.Series(s.close).rolling(60).corr(pd.Series(s.close).shift())


def _correlate(count: int, window: int) -> Callable[[Series], object]:
    def work(s: Series) -> None:
        frame = pd.DataFrame(np.diff(np.log(s.panel[:, : count + 1]), axis=0))
        for column in range(1, count + 1):
            frame[0].rolling(window).corr(frame[column])

    return work


def _buckets(s: Series) -> None:
    index = pd.date_range("2024-01-01", periods=len(s.close), freq="min")
    last = pd.Series(s.close, index=index).resample("5min").last().rolling(10).mean()
    last.reindex(index, method="ffill")


def _vwap(s: Series) -> None:
    frame = pd.DataFrame({"flow": s.close * s.volume, "volume": s.volume}).rolling(60).sum()
    frame["flow"] / frame["volume"]


def _hann(row: Array) -> None:
    signal.periodogram(row, window="hann")


def _components(row: Array) -> None:
    np.linalg.svd(np.lib.stride_tricks.sliding_window_view(row, 60))


def _wavelets(s: Series) -> None:
    pywt.swt(s.close[: len(s.close) // 8 * 8], "db4", level=3)


MOMENTS = ("mean", "std", "skew", "kurt", "min", "max")

PEERS: dict[tuple[str, str], tuple[Peer, ...]] = {
    ("quadratic", "rate"): (
        Peer("statsmodels RollingOLS", 4, _ols(60, 20), 20),
        Peer("numpy.polyfit", 3, _each(60, 400, lambda y: np.polyfit(np.arange(60.0), y, 2)), 400),
    ),
    ("moments", "rate"): (
        Peer("pandas", 6, _pandas(120, *MOMENTS)),
        Peer("polars", 5, _polars(120, "mean", "std", "skew", "min", "max")),
        Peer("bottleneck", 4, _bottleneck(120, "mean", "std", "min", "max")),
    ),
    ("autocorr", "rate"): (
        Peer("pandas", 1, _autocorrelation),
    ),
    ("distribution", "return"): (Peer("pandas", 2, _pandas(60, "skew", "kurt")),),
    ("order", "rate"): (
        Peer("pandas", 1, lambda s: pd.Series(s.close[::10]).rolling(60).quantile(0.25), 10),
        Peer("bottleneck", 2, _bottleneck(60, "median", "rank")),
    ),
    ("bollinger", "rate"): (
        Peer("TA-Lib", 3, _talib("BBANDS", timeperiod=20)),
        Peer("pandas", 2, _pandas(20, "mean", "std")),
    ),
    ("rsi", "rate"): (Peer("TA-Lib", 1, _talib("RSI", timeperiod=14)),),
    ("macd", "rate"): (Peer("TA-Lib", 3, _talib("MACD")),),
    ("roc", "rate"): (Peer("TA-Lib", 1, _talib("ROC", timeperiod=12)),),
    ("stochastic", "rate"): (Peer("TA-Lib", 3, _talib("STOCHF", "WILLR")),),
    ("cci", "rate"): (Peer("TA-Lib", 1, _talib("CCI", timeperiod=20)),),
    ("directional", "rate"): (
        Peer("TA-Lib", 4, _talib("ADX", "DX", "PLUS_DI", "MINUS_DI", timeperiod=14)),
    ),
    ("atr", "rate"): (Peer("TA-Lib", 2, _talib("ATR", "NATR", timeperiod=14)),),
    ("momentum", "rate"): (Peer("TA-Lib", 1, _talib("MOM", timeperiod=10)),),
    ("trix", "rate"): (Peer("TA-Lib", 1, _talib("TRIX", timeperiod=15)),),
    ("ultimate", "rate"): (Peer("TA-Lib", 1, _talib("ULTOSC")),),
    ("donchian", "rate"): (
        Peer("TA-Lib", 2, _talib("MAX", "MIN", timeperiod=20)),
        Peer("bottleneck", 2, _bottleneck(20, "max", "min")),
    ),
    ("accumulation", "rate"): (Peer("TA-Lib", 2, _talib("OBV", "AD")),),
    ("flow_index", "rate"): (Peer("TA-Lib", 1, _talib("MFI", timeperiod=14)),),
    ("sma", "rate"): (
        Peer("TA-Lib", 1, _talib("SMA", timeperiod=50)),
        Peer("bottleneck", 1, _bottleneck(50, "mean")),
        Peer("polars", 1, _polars(50, "mean")),
    ),
    ("ema", "rate"): (
        Peer("TA-Lib", 1, _talib("EMA", timeperiod=50)),
        Peer("pandas", 1, lambda s: pd.Series(s.close).ewm(span=50, adjust=False).mean()),
    ),
    ("historical_volatility", "rate"): (Peer("TA-Lib", 1, _talib("STDDEV", timeperiod=20)),),
    ("fibonacci", "rate"): (
        Peer("TA-Lib", 2, _talib("MAX", "MIN", timeperiod=100)),
        Peer("pandas", 2, _pandas(100, "max", "min")),
    ),
    ("lag", "rate"): (
        Peer("pandas", 60, lambda s: [pd.Series(s.close).shift(k) for k in range(1, 61)]),
    ),
    ("past", "rate"): (Peer("bottleneck", 4, _bottleneck(60, "max", "min", "mean", "std")),),
    ("parabola", "rate"): (Peer("statsmodels RollingOLS", 4, _ols(60, 20), 20),),
    ("terms", "rate"): (Peer("statsmodels RollingOLS", 4, _ols(60, 20), 20),),
    ("vwap", "rate"): (Peer("pandas", 1, _vwap),),
    ("level", "spread"): (Peer("pandas", 3, _pandas(20, "mean", "std", "max")),),
    ("bucket_mean", "rate"): (Peer("pandas resample", 1, _buckets),),
    ("spectrum", "rate"): (Peer("scipy.signal.periodogram", 1, _each(128, 100, _hann), 100),),
    ("wavelet", "rate"): (
        Peer("PyWavelets", 4, _wavelets),
    ),
    ("ssa", "rate"): (Peer("numpy.linalg.svd", 3, _each(128, 400, _components), 400),),
    ("with", "rate"): (Peer("pandas", 5, _correlate(5, 20)),),
    ("relatives", "rate"): (Peer("pandas", 4, _correlate(4, 60)),),
    ("cointegration", "rate"): (Peer("statsmodels RollingOLS", 3, _ols(1_440, 10), 10),),
    ("xs", "panel"): (
        Peer("pandas", 28, lambda s: pd.DataFrame(s.panel[::10]).rank(axis=1), 10),
    ),
    ("hmm", "rate"): (Peer("hmmlearn (smoothed)", 3, _filter, 10),),
}  # fmt: skip
"""Peers by family and source."""
