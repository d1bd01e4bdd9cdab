"""One-minute rows against complete clock buckets, and 5-minute buckets against 15-minute ones.

A trend is the sign of the least-squares slope of 10 values (of 8 buckets of 15 minutes), a
volatility the deviation of 20 moves, and its regime the tercile among those of a day. BQX takes
changes where the rate takes log returns.
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import Windows, family
from bqx.features.families.technical.resampled import LONG, SHORT
from bqx.features.families.technical.scale_regimes import (
    VOL,
    begin,
    bqx_goes_on,
    rate_goes_on,
    regimes,
    regimes_of_bqx,
)
from bqx.features.rolling import resampled
from bqx.features.rolling.products import mean
from bqx.features.rolling.sums import F, largest, mean_std
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.sources import BQX, RATE
from bqx.features.spec import FLAG, Family, Output, Source, read
from bqx.features.steps import Steps
from bqx.market.sessions import DAY

MEAN, COARSE = 10, 8
"""Values behind a mean or trend, and a trend of 15-minute buckets."""


@kernel
def _trend(x: F, n: int, size: int, need: int, first_minute: int) -> tuple[F, F]:
    """Mean of the last ``n`` buckets and their correlation with time, on the rows: two (T,)."""
    y, first = resampled.closes(x, size, first_minute), first_minute // size
    lean = resampled.slope(y, n, first)[1]
    means = resampled.carried(mean(y, n, first), x, need, size, first_minute)
    return means, resampled.carried(lean, x, need, size, first_minute)


@kernel
def trends(x: F, first_minute: int, size: int) -> F:
    """Means and trends of rows against those of buckets: (T, 3), see the outputs."""
    rows, need = len(x), MEAN * size
    out = np.full((rows, 3), np.nan)
    means, leans = _trend(x, MEAN, size, need, first_minute)
    largest_close = largest(np.abs(resampled.closes(x, size, first_minute)), MEAN)
    sizes = resampled.carried(largest_close, x, need, size, first_minute)
    # There is no value before the buckets have theirs.
    late = need - MEAN
    own_means, own_leans = _trend(x[late:], MEAN, 1, MEAN, first_minute + late)
    for row in range(late, rows):
        fine, wide = own_leans[row - late], leans[row]
        if abs(means[row]) > ROUNDING * sizes[row]:
            out[row, 0] = own_means[row - late] / means[row]
        if not np.isnan(fine + wide):
            out[row, 1] = resampled.direction(fine) == resampled.direction(wide)
            out[row, 2] = resampled.strong(fine, MEAN) * resampled.strong(wide, MEAN) < 0.0
    return out


@kernel
def _volatilities(x: F, first_minute: int, size: int, plain: bool) -> F:
    rows, need = len(x), (VOL + 1) * size
    out = np.full((rows, 2), np.nan)
    move = resampled.moves(resampled.closes(x, size, first_minute), plain)
    coarse = resampled.carried(resampled.volatility(move, VOL), x, need, size, first_minute)
    minute = resampled.moves(x, plain)
    long = mean_std(minute, VOL * size, first_minute, 1)[1]
    late = need - VOL
    vol = resampled.volatility(minute[late:], VOL)
    for row in range(late, rows):
        if coarse[row] > 0.0:
            out[row, 0] = vol[row - late] / coarse[row]
        square = coarse[row] * coarse[row]
        out[row, 1] = square / (square + size * long[row] * long[row])
    return out


@kernel
def volatilities(x: F, first_minute: int, size: int) -> F:
    """Volatility of the rate's rows against that of its buckets: (T, 2), see the outputs."""
    return _volatilities(x, first_minute, size, False)


@kernel
def volatilities_of_bqx(x: F, first_minute: int, size: int) -> F:
    """Volatility of BQX's rows against that of its buckets: (T, 2), see the outputs."""
    return _volatilities(x, first_minute, size, True)


@kernel
def cascade(x: F, first_minute: int, fine: int, coarse: int) -> F:
    """Buckets of 5 minutes against buckets of 15: (T, 4), see the outputs."""
    out = np.full((len(x), 4), np.nan)
    need = COARSE * coarse
    means, leans = _trend(x, MEAN, fine, need, first_minute)
    wide_means, wide_leans = _trend(x, COARSE, coarse, need, first_minute)
    own_leans = resampled.slope(x, MEAN, first_minute)[1]
    for row in range(len(x)):
        out[row, 0] = means[row] / wide_means[row]
        own, near = resampled.direction(own_leans[row]), resampled.direction(leans[row])
        wide = resampled.direction(wide_leans[row])
        if np.isnan(own + near + wide):
            continue
        out[row, 1], out[row, 2] = near == wide, own == near and near == wide and own != 0.0
        strong = resampled.strong(leans[row], MEAN) * resampled.strong(wide_leans[row], COARSE)
        out[row, 3] = strong < 0.0
    return out


def _rows(size: int) -> int:
    return (VOL + 1) * size


def _regime_rows(size: int) -> int:
    return (VOL + DAY // size) * size


def _flag(alias: str, title: str, formula: str) -> Output:
    return Output(*FLAG, alias=alias, title=title, formula=formula)


_OPPOSITE = "slopes opposite and both |t| >= 2, slope(x, 10) and slope(x[{0}m], 10)"


def _trend_outputs(prefix: str, flag: str, lo: float) -> dict[str, Output]:
    return {
        "mean_ratio": Output(
            "1",
            lo,
            alias=prefix + "sma_1m_vs_{0}m_ratio",
            title="Mean of {x}, ten rows over ten {0}-minute buckets",
            formula="mean(x, 10) / mean(x[{0}m], 10)",
        ),
        "trend": _flag(
            prefix + "trend_1m_vs_{0}m_agreement",
            "Agreement of trend of {x}, rows and {0}-minute buckets",
            "sign(slope(x, 10)) = sign(slope(x[{0}m], 10))",
        ),
        "divergence": _flag(
            prefix + flag, "Strong opposite trends of {x}, rows and {0}-minute buckets", _OPPOSITE
        ),
    }


def _volatility(prefix: str, move: str, coarse: str) -> dict[str, Output]:
    fine, wide = f"std({move}, 20)", f"std({coarse}, 20)"
    long = f"{{0}} std({move}, 20 * {{0}})^2"
    return {
        "vol_ratio": Output(
            "1",
            0.0,
            alias=prefix + "vol_1m_vs_{0}m_ratio",
            title="Volatility of {x}, twenty rows over twenty {0}-minute buckets",
            formula=f"{fine} / {wide}",
        ),
        "dominance": Output(
            *FLAG,
            alias=prefix + "scale_{0}m_dominance",
            about="0.5 in a random walk",
            title="Share of {0}-minute bucket variance of {x}",
            formula=f"v / (v + {long}), v = {wide}^2",
        ),
    }


def _regime(prefix: str) -> dict[str, Output]:
    return {
        "regime": _flag(
            prefix + "regime_1m_vs_{0}m_agreement",
            "Agreement of volatility regime of {x}, rows and {0}-minute buckets",
            "tercile(vol(x, 20), 1440) = tercile(vol(x[{0}m], 20), 1440 / {0})",
        )
    }


_against = partial(
    family, "against", about="one-minute rows against complete buckets", laggable=False
)


def _against_of(
    sizes: Windows, *, table: str, source: Source, prefix: str, dominance: bool = True
) -> tuple[Family, ...]:
    """What stands in a table of rows against buckets of some sizes, for one domain."""
    declare = partial(_against, table=table, sources=source, windows=sizes)
    flag = "scale_{0}m_divergence_flag" if dominance else "scale_divergence_flag"
    if source is RATE:
        kernels, lo, moves = (volatilities, regimes), 0.0, ("r", "r[{0}m]")
        goes_on = rate_goes_on
    else:
        kernels, lo = (volatilities_of_bqx, regimes_of_bqx), -np.inf
        goes_on = bqx_goes_on
        moves = ("delta(x, 1)", "delta(x[{0}m], 1)")
    steps = Steps(goes_on, read, rows=_regime_rows, reads=lambda size: 1, begin=begin)
    volatility = _volatility(prefix, *moves)
    if not dominance:
        del volatility["dominance"]
    return (
        declare(trends, _trend_outputs(prefix, flag, lo), lookback=lambda size: MEAN * size),
        declare(kernels[0], volatility, lookback=_rows),
        declare(kernels[1], _regime(prefix), lookback=_regime_rows, steps=steps),
    )


_CASCADE = {
    "mean_ratio": Output(
        "1",
        0.0,
        alias="sma_{0}m_vs_{1}m_ratio",
        title="Mean of ten {0}-minute over eight {1}-minute buckets",
        formula="mean(x[{0}m], 10) / mean(x[{1}m], 8)",
    ),
    "trend": _flag(
        "trend_{0}m_vs_{1}m_agreement",
        "Agreement of trend of {0}-minute and {1}-minute buckets",
        "sign(slope(x[{0}m], 10)) = sign(slope(x[{1}m], 8))",
    ),
    "aligned": _flag(
        "scale_cascade_aligned",
        "One trend in rows, {0}-minute and {1}-minute buckets",
        "sign(slope(x, 10)) = sign(slope(x[{0}m], 10)) = sign(slope(x[{1}m], 8)) != 0",
    ),
    "diverged": _flag(
        "scale_cascade_diverged",
        "Strong opposite trends of {0}-minute and {1}-minute buckets",
        "slopes opposite and both |t| >= 2, slope(x[{0}m], 10) and slope(x[{1}m], 8)",
    ),
}

FAMILIES = (
    *_against_of(5, table=SHORT, source=RATE, prefix="", dominance=False),
    *_against_of((30, 60), table=LONG, source=RATE, prefix=""),
    *_against_of((30, 60), table=LONG, source=BQX, prefix="bqx_"),
    family(
        "cascade",
        cascade,
        _CASCADE,
        table=SHORT,
        sources=RATE,
        windows=((5, 15),),
        about="5-minute buckets against 15-minute ones",
        lookback=lambda fine, coarse: COARSE * coarse,
        laggable=False,
    ),
)
