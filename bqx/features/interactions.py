"""A pair's BQX with those of its first two sisters, and of the pairs that lead it."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.bars import Bars
from bqx.features import panels
from bqx.features.joint import correlations, parabola, shifted
from bqx.features.rolling import mean_std
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import Family, Output, Source
from bqx.pairs import SISTERS

F = NDArray[np.float64]

WINDOWS = ((60,), (90,), (150,), (240,), (390,), (630,))
LAGS = ((1,), (3,), (5,), (7,), (10,), (15,))
LEADER_WINDOW = 60
"""Rows of a leader's BQX and of its trend."""

_OWN, _SISTERS = 1.5, 0.67
_DECOUPLED = -0.3


@njit(cache=True, error_model="numpy")
def products(x: F, first_minute: int, window: int) -> F:
    """Quadratic and linear term at the window's end, own times sister's: (T, 3) -> (T, 4)."""
    out = np.empty((len(x), 4))
    end = window - 1.0
    own = parabola(x[:, 0].copy(), window, first_minute)
    for k in range(2):
        other = parabola(x[:, 1 + k].copy(), window, first_minute)
        out[:, 2 * k] = own[:, 0] * (end * end) * (other[:, 0] * (end * end))
        out[:, 2 * k + 1] = own[:, 1] * end * (other[:, 1] * end)
    return out


@njit(cache=True, error_model="numpy")
def volatility(x: F, first_minute: int, window: int) -> F:
    """Deviation over the sister's, whether it is above 1.5, below 0.67: (T, 3) -> (T, 6)."""
    rows = len(x)
    out = np.full((rows, 6), np.nan)
    own = mean_std(x[:, 0].copy(), window, first_minute, 1)[1]
    for k in range(2):
        other = mean_std(x[:, 1 + k].copy(), window, first_minute, 1)[1]
        for row in range(rows):
            if other[row] > 0.0:
                value = own[row] / other[row]
                out[row, 3 * k] = value
                if not np.isnan(value):
                    out[row, 3 * k + 1] = 1.0 if value > _OWN else 0.0
                    out[row, 3 * k + 2] = 1.0 if value < _SISTERS else 0.0
    return out


@njit(cache=True, error_model="numpy")
def drift(x: F, first_minute: int, window: int) -> F:
    """Change of the correlation over a window's length, its size, and whether it is below -0.3:
    (T, 3) -> (T, 6).
    """
    rows = len(x)
    out = np.full((rows, 6), np.nan)
    found = correlations(x, window, first_minute)
    change = found - shifted(found, window)
    for row in range(rows):
        for k in range(2):
            value = change[row, k]
            if not np.isnan(value):
                out[row, 3 * k] = value
                out[row, 3 * k + 1] = abs(value)
                out[row, 3 * k + 2] = 1.0 if value < _DECOUPLED else 0.0
    return out


@njit(cache=True, error_model="numpy")
def lagged(x: F, first_minute: int, lag: int) -> F:
    """Values of ``lag`` rows ago: (T, 2)."""
    return shifted(x, lag)


def leaders(bars: Bars) -> tuple[str, ...]:
    """The two pairs that lead a pair: fitted on the training bars, else its first two sisters."""
    fitted = getattr(bars, "fitted", None) or {}
    return tuple(fitted.get("leaders", SISTERS[bars.pair][:2]))


def _momentum(bars: Bars, pair: str) -> F:
    return panels.momentum(bars, pair, LEADER_WINDOW)


def _quadratic(bars: Bars, pair: str) -> F:
    def make() -> F:
        x = panels.momentum(bars, pair)
        end = LEADER_WINDOW - 1.0
        return parabola(x, LEADER_WINDOW, bars.first_market_minute)[:, 0] * (end * end)

    return panels.shared(bars, f"quadratic:{pair}", make)


def _sisters(series: panels.Series) -> panels.Build:
    return lambda bars: panels.stack(bars, series, (bars.pair, *SISTERS[bars.pair][:2]))


def _leaders(series: panels.Series) -> panels.Build:
    return lambda bars: panels.stack(bars, series, leaders(bars))


SISTERS_BQX = Source("sisters", "cross", "1", BQX_WINDOW + 1, _sisters(panels.momentum))
"""BQX of the pair and its first two sisters."""

SISTERS_MOVES = Source("sisters", "cross", "1", BQX_WINDOW + 2, _sisters(panels.moves))
"""One-row changes of these."""

LEADERS = Source("leader", "cross", "1", LEADER_WINDOW + 1, _leaders(_momentum))
"""BQX over 60 rows of two leaders."""

LEADERS_TREND = Source("leader", "cross", "1", BQX_WINDOW + LEADER_WINDOW, _leaders(_quadratic))
"""Quadratic term over 60 rows of BQX_15 of two leaders."""

_TWO = (1, 2)


def _lead(name: str, alias: str, source: Source, about: str) -> Family:
    return Family(
        name,
        "cross_pair_lead_lag",
        lagged,
        {str(k): Output("1", alias=f"leader{k}_{alias}_lag{{0}}") for k in _TWO},
        LAGS,
        (source,),
        about,
        lookback=lambda lag: lag + 1,
        skips=lambda lag: lag,
        laggable=False,
    )


FAMILIES = (
    Family(
        "product",
        "cross_pair_momentum",
        products,
        {
            f"{term}_{k}": Output("1", alias=f"sister{k}_mom_product_w{{0}}_{term}")
            for k in _TWO
            for term in ("quad", "lin")
        },
        WINDOWS,
        (SISTERS_BQX,),
        "term of the quadratic trend of BQX at the window's end, times the sister's",
        laggable=False,
    ),
    Family(
        "volatility",
        "cross_pair_volatility",
        volatility,
        {
            f"{name}_{k}": Output("1", 0.0, hi, alias=f"sister{k}_{alias}_{{0}}", about=about)
            for k in _TWO
            for name, alias, hi, about in (
                ("ratio", "rel_vol", np.inf, "deviation of BQX's changes over the sister's"),
                ("high", "divergence_hi_flag", 1.0, "the ratio is above 1.5"),
                ("low", "divergence_lo_flag", 1.0, "the ratio is below 0.67"),
            )
        },
        ((30,), (60,)),
        (SISTERS_MOVES,),
        "volatility against the sister's",
        laggable=False,
    ),
    Family(
        "drift",
        "cross_pair_correlation_drift",
        drift,
        {
            f"{name}_{k}": Output("1", lo, hi, alias=f"sister{k}_{alias}_{{0}}", about=about)
            for k in _TWO
            for name, alias, lo, hi, about in (
                ("change", "corr_drift", -2.0, 2.0, "over a window's length"),
                ("size", "corr_drift_abs", 0.0, 2.0, "size of the change"),
                ("decoupling", "decoupling_flag", 0.0, 1.0, "the change is below -0.3"),
            )
        },
        ((60,), (240,)),
        (SISTERS_MOVES,),
        "change of the correlation of BQX's changes with the sister's",
        lookback=lambda window: 2 * window,
        laggable=False,
    ),
    _lead("bqx_w60", "bqx_w60", LEADERS, "a leader's BQX over 60 rows of so many rows ago"),
    _lead(
        "quad_term", "quad_term", LEADERS_TREND,
        "quadratic term over 60 rows of a leader's BQX_15 of so many rows ago",
    ),
)  # fmt: skip
