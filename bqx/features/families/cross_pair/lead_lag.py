"""A pair's BQX with those of its first two sisters, and that of the sisters that lead it."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import granger, panels
from bqx.features.rolling.multivariate import correlations, shifted
from bqx.features.rolling.quadratic import fit
from bqx.features.rolling.sums import F, mean_std
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars
from bqx.market.pairs import SISTERS

WINDOWS = ((60,), (90,), (150,), (240,), (390,), (630,))
LAGS = ((1,), (3,), (5,), (7,), (10,), (15,))
LEADER_WINDOW = 60
"""Rows of a leader's BQX and of its trend."""

_OWN, _SISTERS = 1.5, 0.67
_DECOUPLED = -0.3
_TWO = (1, 2)
_CANDIDATES = 5


@kernel
def products(x: F, first_minute: int, window: int) -> F:
    """Quadratic and linear term at the window's end, own times sister's: (T, 3) -> (T, 4)."""
    out = np.empty((len(x), 4))
    end = window - 1.0
    own = fit(x[:, 0].copy(), window, first_minute)
    for k in range(2):
        sister = fit(x[:, 1 + k].copy(), window, first_minute)
        out[:, 2 * k] = own[:, 0] * (end * end) * (sister[:, 0] * (end * end))
        out[:, 2 * k + 1] = own[:, 1] * end * (sister[:, 1] * end)
    return out


@kernel
def volatility(x: F, first_minute: int, window: int) -> F:
    """Deviation over the sister's, whether it is above 1.5, below 0.67: (T, 3) -> (T, 6)."""
    rows = len(x)
    out = np.full((rows, 6), np.nan)
    own = mean_std(x[:, 0].copy(), window, first_minute, 1)[1]
    for k in range(2):
        sister = mean_std(x[:, 1 + k].copy(), window, first_minute, 1)[1]
        for row in range(rows):
            if sister[row] > 0.0:
                value = own[row] / sister[row]
                out[row, 3 * k] = value
                if not np.isnan(value):
                    out[row, 3 * k + 1] = 1.0 if value > _OWN else 0.0
                    out[row, 3 * k + 2] = 1.0 if value < _SISTERS else 0.0
    return out


@kernel
def drift(x: F, first_minute: int, window: int) -> F:
    """Change of the correlation over a window's length, its size, and whether it is below -0.3:
    (T, 3) -> (T, 6).
    """
    rows = len(x)
    out = np.full((rows, 6), np.nan)
    correlated = correlations(x, window, first_minute)
    change = correlated - shifted(correlated, window)
    for row in range(rows):
        for k in range(2):
            value = change[row, k]
            if not np.isnan(value):
                out[row, 3 * k] = value
                out[row, 3 * k + 1] = abs(value)
                out[row, 3 * k + 2] = 1.0 if value < _DECOUPLED else 0.0
    return out


@kernel
def leading(x: F, first_minute: int, lag: int, parameters: F) -> F:
    """Readings of the leaders ``lag`` rows ago: (T, 16) -> (T, 4), see the outputs below."""
    rows, places = len(x), len(parameters)
    out = np.full((rows, 2 * places), np.nan)
    for k in range(places):
        if not np.isnan(parameters[k]):
            column = 1 + _CANDIDATES + int(parameters[k])
            for row in range(lag, rows):
                out[row, k] = x[row - lag, column]
                out[row, places + k] = x[row - lag, column + _CANDIDATES]
    return out


def choose(x: F, first_minute: int) -> F:
    """Places among the five sisters of the two that lead the pair: (T, 16) -> (2,).

    The returns' Granger tests decide, since values of BQX share most of their rows. NaN where fewer
    than two lead.
    """
    return granger.leaders(x[:, : 1 + _CANDIDATES], len(_TWO))


def _momentum(bars: Bars, pair: str) -> F:
    return panels.momentum(bars, pair, LEADER_WINDOW)


def _quadratic(bars: Bars, pair: str) -> F:
    def make() -> F:
        x = panels.momentum(bars, pair)
        end = LEADER_WINDOW - 1.0
        return fit(x, LEADER_WINDOW, bars.first_market_minute)[:, 0] * (end * end)

    return panels.shared(bars, f"quadratic:{pair}", make)


def _sisters(series: panels.Series) -> panels.Build:
    return lambda bars: panels.stack(bars, series, (bars.pair, *SISTERS[bars.pair][:2]))


def _candidates(bars: Bars) -> F:
    sisters = SISTERS[bars.pair]
    columns = [
        panels.stack(bars, panels.returns, (bars.pair, *sisters)),
        panels.stack(bars, _momentum, sisters),
        panels.stack(bars, _quadratic, sisters),
    ]
    return np.column_stack(columns)


SISTERS_BQX = Source("sisters", "cross", "1", BQX_WINDOW + 1, _sisters(panels.momentum))
"""BQX of the pair and its first two sisters."""

SISTERS_MOVES = Source("sisters", "cross", "1", BQX_WINDOW + 2, _sisters(panels.moves))
"""One-row changes of these."""

LEADERS = Source("leader", "cross", "1", LEADER_WINDOW + 1, _candidates)
"""Log returns of the pair and its five sisters; of these BQX over 60 rows, and the quadratic term
over 60 rows of BQX_15.
"""

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
    Family(
        "granger",
        "cross_pair_lead_lag",
        leading,
        {
            f"{name}_{k}": Output(
                "1", alias=f"leader{k}_{alias}_lag{{0}}", lookback=lookback,
                about=f"{about}, so many rows ago, of a sister that leads on the training rows",
            )
            for name, alias, lookback, about in (
                ("bqx", "bqx_w60", lambda lag: lag + 1, "BQX over 60 rows"),
                (
                    "quad", "quad_term", lambda lag: lag + BQX_WINDOW,
                    "quadratic term over 60 rows of BQX_15",
                ),
            )
            for k in _TWO
        },
        LAGS,
        (LEADERS,),
        "the two sisters that lead most clearly in Granger's tests of returns",
        skips=lambda lag: lag,
        laggable=False,
        fit=choose,
    ),
)  # fmt: skip
