"""Indicators on complete clock buckets, declared: see ``bucket_kernels`` for what they are.

Buckets of 5 and 15 minutes stand in the table ``multi_resolution``, those of 30 and 60 in
``multi_scale``.
"""

from collections.abc import Callable

from bqx.features.families.technical import resampled_kernels as of
from bqx.features.rolling.comoments import BOTH
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, BQX_LINE, RATE, RATE_BARS
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars
from bqx.market.sessions import DAY


def _volume(bars: Bars) -> F:
    return bars.volume


def _spread(bars: Bars) -> F:
    return bars.spread


VOLUME = Source("volume", "rate", "tick", 1, _volume)
"""Ticks in a bar, NaN where the feed has none."""

SPREAD = Source("spread", "rate", "quote", 1, _spread)
"""Spread of a bar in quote units, NaN where the feed has none."""

SHORT, LONG = "multi_resolution", "multi_scale"


def _one(
    name: str, kernel: Callable[..., F], output: Output, sizes: tuple[int, ...], rest: int,
    source: Source, lookback: Callable[..., int], about: str, spans: tuple[int, ...] = (),
) -> tuple[Family, ...]:  # fmt: skip
    """A family of one output, in the table of its sizes."""
    return tuple(
        Family(
            name, table, kernel, {"": output},
            tuple((size, rest, *spans) for size in group), (source,), about, lookback=lookback,
            laggable=False,
        )
        for table, group in (
            (SHORT, tuple(size for size in sizes if size < 30)),
            (LONG, tuple(size for size in sizes if size >= 30)),
        )
        if group
    )  # fmt: skip


def _window(size: int, n: int) -> int:
    return n * size


def _changes(size: int, n: int) -> int:
    return (n + 1) * size


def _ema_rows(size: int, *spans: int) -> int:
    return of.ema_run_in(max(spans)) * size


def _wilder_rows(size: int, n: int) -> int:
    return (of.wilder_run_in(n) + 1) * size


_ALL = (5, 15, 30, 60)
_HALF_HOURS = (30, 60)
_MEAN = "mean of the last complete buckets"
_MOVES = "deviation of the moves of the last complete buckets"
_EMA = "exponential mean of complete buckets"
_RSI = "relative strength index of complete buckets, Wilder"
_MACD = "difference of two exponential means of complete buckets"
_ATR = "average true range of complete buckets, Wilder"
_WIDTH = "distance between the Bollinger bands of complete buckets"

FAMILIES = (
    *_one("bucket_mean", of.sma, Output("{u}", alias="rate_idx_{0}m_sma_{1}"), (5, 30, 60), 10,
          RATE, _window, _MEAN),
    *_one("bucket_mean", of.sma, Output("{u}", alias="rate_idx_{0}m_sma_{1}"), (15,), 8,
          RATE, _window, _MEAN),
    *_one("bucket_mean", of.sma, Output("{u}", alias="bqx_{0}m_sma_{1}"), (5, 30, 60), 10,
          BQX, _window, _MEAN),
    *_one("bucket_mean", of.sma, Output("{u}", alias="bqx_{0}m_sma_{1}"), (15,), 8,
          BQX, _window, _MEAN),
    *_one("bucket_vol", of.vol, Output("1", 0.0, alias="rate_idx_{0}m_vol_{1}"), (5, 30, 60), 20,
          RATE, _changes, _MOVES),
    *_one("bucket_vol", of.vol, Output("1", 0.0, alias="rate_idx_{0}m_vol_{1}"), (15,), 12,
          RATE, _changes, _MOVES),
    *_one("bucket_vol", of.vol_bqx, Output("1", 0.0, alias="bqx_{0}m_vol_{1}"), (5, 30, 60), 20,
          BQX, _changes, _MOVES),
    *_one("bucket_vol", of.vol_bqx, Output("1", 0.0, alias="bqx_{0}m_vol_{1}"), (15,), 12,
          BQX, _changes, _MOVES),
    *_one("bucket_ema", of.ema, Output("{u}", alias="rate_idx_{0}m_ema_{1}"), _HALF_HOURS, 20,
          RATE, _ema_rows, _EMA),
    *_one("bucket_ema", of.ema, Output("{u}", alias="bqx_{0}m_ema_{1}"), _HALF_HOURS, 20,
          BQX, _ema_rows, _EMA),
    *_one("bucket_rsi", of.rsi, Output("%", 0.0, 100.0, alias="rsi_{0}m_{1}"), _ALL, 14,
          RATE, _wilder_rows, _RSI),
    *_one("bucket_rsi", of.rsi, Output("%", 0.0, 100.0, alias="bqx_rsi_{0}m_{1}"), _HALF_HOURS, 14,
          BQX, _wilder_rows, _RSI),
    *_one("bucket_macd", of.macd, Output("{u}", alias="macd_{0}m"), _ALL, 12,
          RATE, _ema_rows, _MACD, (26,)),
    *_one("bucket_macd", of.macd, Output("{u}", alias="bqx_macd_{0}m"), _HALF_HOURS, 12,
          BQX, _ema_rows, _MACD, (26,)),
    *_one("bucket_atr", of.atr, Output("{u}", 0.0, alias="atr_{0}m_{1}"), (5, 30, 60), 14,
          RATE_BARS, _wilder_rows, _ATR),
    *_one("bucket_atr", of.atr, Output("{u}", 0.0, alias="bqx_atr_{0}m_{1}"), _HALF_HOURS, 14,
          BQX_LINE, _wilder_rows, _ATR),
    *_one("bucket_width", of.width, Output("1", 0.0, alias="bb_width_{0}m"), _HALF_HOURS, 20,
          RATE, _window, _WIDTH + " over the middle"),
    *_one("bucket_width", of.width_bqx, Output("1", 0.0, alias="bqx_bb_width_{0}m"), _HALF_HOURS,
          20, BQX, _window, _WIDTH),
    Family(
        "bucket_state", SHORT, of.states,
        {
            "return": Output("1", alias="return_{0}m_lag_1", lookback=lambda size: 2 * size,
                             about="log return of the last complete bucket"),
            "vol_regime": Output("1", 0.0, 2.0, alias="vol_regime_{0}m",
                                 lookback=lambda size: 20 * size + DAY,
                                 about="tercile of volatility among those of a day"),
            "trend_regime": Output("1", -1.0, 1.0, alias="trend_regime_{0}m",
                                   lookback=lambda size: 10 * size,
                                   about="sign of the slope of 10 where its t reaches two, else 0"),
            "jumps": Output("1", 0.0, 12.0, alias="jump_count_{0}m_12",
                            lookback=lambda size: size + DAY,
                            about="returns among 12 beyond three deviations of a day's"),
        },
        ((5,),), (RATE,), "state of complete buckets",
        laggable=False,
    ),
    Family(
        "bucket_shape", LONG, of.shape,
        {
            "slope_10": Output("{u}/bar", alias="bqx_{0}m_slope_10",
                               lookback=lambda size: 10 * size, about="slope of 10, a bucket"),
            "z_20": Output("1", alias="bqx_{0}m_z_20", about="last of 20 less mean, in deviations"),
            "range_20": Output("{u}", 0.0, alias="bqx_{0}m_range_20", about="range of 20"),
            "autocorr_20": Output("1", -1.0, 1.0, alias="bqx_{0}m_autocorr_20",
                                  lookback=lambda size: 21 * size,
                                  about="correlation of 20 with those before"),
        },
        tuple((size,) for size in _HALF_HOURS), (BQX,), "shape of complete buckets of BQX",
        lookback=lambda size: 20 * size,
        laggable=False,
    ),
    Family(
        "bucket_joint", SHORT, of.joint,
        {
            "var_ratio": Output("1", 0.0, alias="var_ratio_{0}m_bqx_idx",
                                about="variance of BQX changes over that of returns"),
            "correlation": Output("1", -1.0, 1.0, alias="xcorr_{0}m_idx_bqx",
                                  about="of BQX changes and returns"),
        },
        ((5, 20),), (BOTH,), "complete buckets of both domains", lookback=_changes,
        laggable=False,
    ),
    Family(
        "bucket_mean", SHORT, of.per_bucket, {"": Output("{u}", 0.0, alias="volume_{0}m_sma_{1}")},
        ((5, 10),), (VOLUME,), "mean volume of the last complete buckets",
        lookback=lambda size, n: (n + 1) * size - 1,
        laggable=False,
    ),
    Family(
        "bucket_mean", SHORT, of.per_row, {"": Output("{u}", 0.0, alias="spread_{0}m_mean_{1}")},
        ((5, 10),), (SPREAD,), "mean spread over the last complete buckets",
        lookback=lambda size, n: (n + 1) * size - 1,
        laggable=False,
    ),
)  # fmt: skip
