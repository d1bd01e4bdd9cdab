"""Indicators on complete clock buckets, declared: see ``bucket_kernels`` for what they are.

Buckets of 5 and 15 minutes stand in the table ``multi_resolution``, those of 30 and 60 in
``multi_scale``.
"""

from collections.abc import Callable
from functools import partial

from bqx.features.declare import family
from bqx.features.families.technical import resampled_kernels as of
from bqx.features.families.technical import resampled_stated as stated
from bqx.features.rolling.comoments import BOTH
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, BQX_LINE, RATE, RATE_BARS
from bqx.features.spec import SIGNED, Family, Output, Source, read
from bqx.features.steps import Steps
from bqx.market.bars import Bars
from bqx.market.sessions import DAY


def _volume(bars: Bars) -> F:
    return bars.volume


def _spread(bars: Bars) -> F:
    return bars.spread


VOLUME = Source("volume", "rate", "tick", 1, _volume, series="volume")
"""Ticks in a bar, NaN where the feed has none."""

SPREAD = Source("spread", "rate", "quote", 1, _spread, series="the spread")
"""Spread of a bar in quote units, NaN where the feed has none."""

SHORT, LONG = "multi_resolution", "multi_scale"


def _window(size: int, n: int) -> int:
    return n * size


def _changes(size: int, n: int) -> int:
    return (n + 1) * size


def _ema_rows(size: int, *spans: int) -> int:
    return of.ema_run_in(max(spans)) * size


def _wilder_rows(size: int, n: int) -> int:
    return (of.wilder_run_in(n) + 1) * size


def _last_rows(size: int, n: int) -> int:
    return (n + 1) * size - 1


_resampled = partial(family, laggable=False)
_goes_on = partial(Steps, last=read, reads=lambda *window: 1, abreast=True)


def _one(
    kind: Callable[..., Family], output: Output, sizes: tuple[int, ...], *rest: int
) -> tuple[Family, ...]:
    """A family of one output on buckets of some sizes, in the tables of the sizes."""
    tables = {
        SHORT: tuple((size, *rest) for size in sizes if size < 30),
        LONG: tuple((size, *rest) for size in sizes if size >= 30),
    }
    return tuple(
        kind(outputs=output, table=table, windows=windows)
        for table, windows in tables.items()
        if windows
    )


_held = partial(_resampled, bucket=lambda size, *_: size)
_mean = partial(
    _held,
    "bucket_mean",
    of.sma,
    lookback=_window,
    title="Mean of {x} over {0}-minute buckets",
    formula="mean(x[{0}m], {1})",
)
_vol = partial(
    _held, "bucket_vol", lookback=_changes, title="Volatility of {x} in {0}-minute buckets"
)
_vol_of_rate = partial(_vol, of.vol, sources=RATE, formula="std(r[{0}m], {1})")
_vol_of_bqx = partial(_vol, of.vol_bqx, sources=BQX, formula="std(delta(x[{0}m], 1), {1})")
_ema = partial(
    _resampled,
    "bucket_ema",
    of.ema,
    lookback=_ema_rows,
    steps=_goes_on(stated.mean, rows=_ema_rows, begin=stated.begin_mean),
    title="Exponential mean of {x} over {0}-minute buckets",
    formula="ema(x[{0}m], {1})",
)
_rsi = partial(
    _resampled,
    "bucket_rsi",
    of.rsi,
    lookback=_wilder_rows,
    steps=_goes_on(stated.strength, rows=_wilder_rows, begin=stated.begin_strength),
    title="Relative strength index of {x} in {0}-minute buckets",
    formula="RSI(x[{0}m], {1})",
)
_macd = partial(
    _resampled,
    "bucket_macd",
    of.macd,
    lookback=_ema_rows,
    steps=_goes_on(stated.difference, rows=_ema_rows, begin=stated.begin_difference),
    title="MACD line of {x} in {0}-minute buckets",
    formula="ema(x[{0}m], {1}) - ema(x[{0}m], {2})",
)
_atr = partial(
    _resampled,
    "bucket_atr",
    of.atr,
    lookback=_wilder_rows,
    steps=_goes_on(stated.average_range, rows=_wilder_rows, begin=stated.begin_range),
    title="Average true range of {x} in {0}-minute buckets",
    formula="wilder(TR[{0}m], {1})",
)
_width = partial(
    _held,
    "bucket_width",
    lookback=_window,
    title="Bollinger band width of {x} in {0}-minute buckets",
)
_width_of_rate = partial(
    _width, of.width, sources=RATE, formula="4 std0(x[{0}m], {1}) / mean(x[{0}m], {1})"
)
_width_of_bqx = partial(_width, of.width_bqx, sources=BQX, formula="4 std0(x[{0}m], {1})")

_STATES = {
    "return": Output(
        "1",
        alias="return_{0}m_lag_1",
        lookback=lambda size: 2 * size,
        title="Log return of the last complete {0}-minute bucket",
        formula="ln(x[{0}m] / x[{0}m, -1])",
    ),
    "vol_regime": Output(
        "1",
        0.0,
        2.0,
        alias="vol_regime_{0}m",
        lookback=lambda size: 20 * size + DAY,
        title="Volatility regime of {0}-minute buckets within a day",
        formula="tercile(std(r[{0}m], 20), 1440 / {0})",
    ),
    "trend_regime": Output(
        *SIGNED,
        alias="trend_regime_{0}m",
        lookback=lambda size: 10 * size,
        title="Trend regime of {0}-minute buckets",
        formula="sign(slope(x[{0}m], 10)) where its |t| >= 2, else 0",
    ),
    "jumps": Output(
        "1",
        0.0,
        12.0,
        alias="jump_count_{0}m_12",
        lookback=lambda size: size + DAY,
        title="Jumps among the last twelve {0}-minute buckets",
        formula="count(|r[{0}m]| > 3 std(r[{0}m], 1440 / {0}), 12)",
    ),
}
_SHAPE = {
    "slope_10": Output(
        "{u}/bar",
        alias="bqx_{0}m_slope_10",
        lookback=lambda size: 10 * size,
        title="Slope of BQX over ten {0}-minute buckets, per bucket",
        formula="slope(x[{0}m], 10)",
    ),
    "z_20": Output(
        "1",
        alias="bqx_{0}m_z_20",
        title="Z-score of BQX within twenty {0}-minute buckets",
        formula="z(x[{0}m], 20)",
    ),
    "range_20": Output(
        "{u}",
        0.0,
        alias="bqx_{0}m_range_20",
        title="Range of BQX over twenty {0}-minute buckets",
        formula="max(x[{0}m], 20) - min(x[{0}m], 20)",
    ),
    "autocorr_20": Output(
        *SIGNED,
        alias="bqx_{0}m_autocorr_20",
        lookback=lambda size: 21 * size,
        title="Autocorrelation of BQX over twenty {0}-minute buckets",
        formula="corr(x[{0}m], x[{0}m, -1], 20)",
    ),
}
_JOINT = {
    "var_ratio": Output(
        "1",
        0.0,
        alias="var_ratio_{0}m_bqx_idx",
        title="Variance of BQX changes over that of returns, {0}-minute buckets",
        formula="var(delta(B[{0}m], 1), {1}) / var(r[{0}m], {1})",
    ),
    "correlation": Output(
        *SIGNED,
        alias="xcorr_{0}m_idx_bqx",
        title="Correlation of BQX changes and returns, {0}-minute buckets",
        formula="corr(delta(B[{0}m], 1), r[{0}m], {1})",
    ),
}
_ALL, _MOST = (5, 15, 30, 60), (5, 30, 60)

_RATE_MEAN, _BQX_MEAN = (
    Output("{u}", alias=f"{name}_{{0}}m_sma_{{1}}") for name in ("rate_idx", "bqx")
)
_RATE_VOL, _BQX_VOL = (
    Output("1", 0.0, alias=f"{name}_{{0}}m_vol_{{1}}") for name in ("rate_idx", "bqx")
)

FAMILIES = (
    *_one(partial(_mean, sources=RATE), _RATE_MEAN, _MOST, 10),
    *_one(partial(_mean, sources=RATE), _RATE_MEAN, (15,), 8),
    *_one(partial(_mean, sources=BQX), _BQX_MEAN, _MOST, 10),
    *_one(partial(_mean, sources=BQX), _BQX_MEAN, (15,), 8),
    *_one(_vol_of_rate, _RATE_VOL, _MOST, 20),
    *_one(_vol_of_rate, _RATE_VOL, (15,), 12),
    *_one(_vol_of_bqx, _BQX_VOL, _MOST, 20),
    *_one(_vol_of_bqx, _BQX_VOL, (15,), 12),
    *_one(partial(_ema, sources=RATE), Output("{u}", alias="rate_idx_{0}m_ema_{1}"), (30, 60), 20),
    *_one(partial(_ema, sources=BQX), Output("{u}", alias="bqx_{0}m_ema_{1}"), (30, 60), 20),
    *_one(partial(_rsi, sources=RATE), Output("%", 0.0, 100.0, alias="rsi_{0}m_{1}"), _ALL, 14),
    *_one(
        partial(_rsi, sources=BQX), Output("%", 0.0, 100.0, alias="bqx_rsi_{0}m_{1}"), (30, 60), 14
    ),
    *_one(partial(_macd, sources=RATE), Output("{u}", alias="macd_{0}m"), _ALL, 12, 26),
    *_one(partial(_macd, sources=BQX), Output("{u}", alias="bqx_macd_{0}m"), (30, 60), 12, 26),
    *_one(partial(_atr, sources=RATE_BARS), Output("{u}", 0.0, alias="atr_{0}m_{1}"), _MOST, 14),
    *_one(
        partial(_atr, sources=BQX_LINE), Output("{u}", 0.0, alias="bqx_atr_{0}m_{1}"), (30, 60), 14
    ),
    *_one(_width_of_rate, Output("1", 0.0, alias="bb_width_{0}m"), (30, 60), 20),
    *_one(_width_of_bqx, Output("1", 0.0, alias="bqx_bb_width_{0}m"), (30, 60), 20),
    _held(
        "bucket_state",
        of.states,
        _STATES,
        table=SHORT,
        sources=RATE,
        windows=5,
        about="state of complete buckets",
    ),
    _held(
        "bucket_shape",
        of.shape,
        _SHAPE,
        table=LONG,
        sources=BQX,
        windows=(30, 60),
        about="shape of complete buckets of BQX",
        lookback=lambda size: 20 * size,
    ),
    _held(
        "bucket_joint",
        of.joint,
        _JOINT,
        table=SHORT,
        sources=BOTH,
        windows=((5, 20),),
        about="complete buckets of both domains",
        lookback=_changes,
    ),
    _held(
        "bucket_mean",
        of.per_bucket,
        Output("{u}", 0.0, alias="volume_{0}m_sma_{1}"),
        table=SHORT,
        sources=VOLUME,
        windows=((5, 10),),
        title="Mean volume of {0}-minute buckets",
        formula="mean(sum(V[{0}m]), {1})",
        lookback=_last_rows,
    ),
    _held(
        "bucket_mean",
        of.per_row,
        Output("{u}", 0.0, alias="spread_{0}m_mean_{1}"),
        table=SHORT,
        sources=SPREAD,
        windows=((5, 10),),
        title="Mean spread over {0}-minute buckets",
        formula="mean(S[{0}m], {1})",
        lookback=_last_rows,
    ),
)
