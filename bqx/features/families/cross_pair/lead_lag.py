"""A pair's BQX with those of its first two sisters, and that of the sisters that lead it."""

from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.cross_pair.beside_sisters import (
    begin_drift,
    begin_products,
    drift,
    drift_goes_on,
    products,
    products_go_on,
    volatility,
)
from bqx.features.rolling import granger, panels
from bqx.features.rolling.multivariate import by_column
from bqx.features.rolling.quadratic import fit
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import Output, Source, read
from bqx.features.steps import Steps
from bqx.market.pairs import SISTERS

WINDOWS = (60, 90, 150, 240, 390, 630)
LAGS = (1, 3, 5, 7, 10, 15)
LEADER_WINDOW = 60
"""Rows of a leader's BQX and of its trend."""

_TWO = (1, 2)
_CANDIDATES = 5


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


def leaders(pair: str, parameters: F) -> tuple[str | None, ...]:
    """Names of the sisters that lead a pair, by what `choose` has learnt; None where none does."""
    return tuple(None if np.isnan(k) else SISTERS[pair][int(k)] for k in parameters)


@kernel(nogil=True)
def _quadratic_of(x: F, window: int, first_minute: int) -> F:
    """Quadratic term of each column at the window's end: (T, C) -> (T, C)."""
    out, end = by_column(x), window - 1.0
    for k in range(len(out)):
        out[k] = fit(out[k], window, first_minute)[:, 0] * (end * end)
    return by_column(out)


_momentum = panels.momentum_over(LEADER_WINDOW)
_quadratic = panels.Series(
    "quadratic",
    lambda bars: _quadratic_of(
        panels.momentum.every(bars), LEADER_WINDOW, bars.first_market_minute
    ),
    BQX_WINDOW + LEADER_WINDOW,
)


def _sisters(series: panels.Series) -> panels.OfPairs:
    return panels.beside(series, lambda pair: SISTERS[pair][:2])


_candidates = panels.columns(
    lambda pair: [
        panels.taken(panels.returns, pair, *SISTERS[pair]),
        panels.taken(_momentum, *SISTERS[pair]),
        panels.taken(_quadratic, *SISTERS[pair]),
    ]
)


SISTERS_BQX = Source("sisters", "cross", "1", BQX_WINDOW + 1, _sisters(panels.momentum))
"""BQX of the pair and its first two sisters."""

SISTERS_MOVES = Source("sisters", "cross", "1", BQX_WINDOW + 2, _sisters(panels.moves))
"""One-row changes of these."""

LEADERS = Source(
    "leader",
    "cross",
    "1",
    LEADER_WINDOW + 1,
    _candidates,
    reach=BQX_WINDOW + LEADER_WINDOW,
)
"""Log returns of the pair and its five sisters; of these BQX over 60 rows, and the quadratic term
over 60 rows of BQX_15.
"""

_interaction = partial(family, laggable=False)
_go_on = partial(Steps, last=read, reads=lambda window: 1, abreast=True)


def _of_sisters(*rows: tuple[Any, ...]) -> dict[str, Output]:
    """Readings against the first and the second sister: name, alias, title, formula, bounds."""
    return {
        f"{name}_{k}": Output(
            "1",
            *bounds,
            alias=f"sister{k}_{alias}_{{0}}",
            title=title.format(k),
            formula=formula.replace("sister", f"sister{k}"),
        )
        for k in _TWO
        for name, alias, title, formula, *bounds in rows
    }


_RATIO = "std(delta(B, 1), {0}) / std(delta(B[sister], 1), {0})"
_DRIFT = "delta(corr(delta(B, 1), delta(B[sister], 1), {0}), {0})"
_PRODUCTS = {
    f"{short}_{k}": Output(
        "1",
        alias=f"sister{k}_mom_product_w{{0}}_{short}",
        title=f"Product of {noun} BQX terms with sister {k}",
        formula=f"{term}(B, {{0}}) {term}(B[sister{k}], {{0}}) ({{0}} - 1)^{power}",
    )
    for k in _TWO
    for short, noun, term, power in (("quad", "quadratic", "a2", 4), ("lin", "linear", "a1", 2))
}
_LEADING = {
    f"{name}_{k}": Output(
        "1",
        alias=f"leader{k}_{alias}_lag{{0}}",
        lookback=lookback,
        about="of a sister that leads on the training rows",
        title=f"{noun} of leader {k}, lagged",
        formula=formula.replace("leader", f"leader{k}"),
    )
    for name, alias, lookback, noun, formula in (
        ("bqx", "bqx_w60", lambda lag: lag + 1, "Hourly BQX", "BQX(60)[leader, t-{0}]"),
        (
            "quad",
            "quad_term",
            lambda lag: lag + BQX_WINDOW,
            "Quadratic term of BQX",
            "a2(B[leader], 60)[t-{0}] 59^2",
        ),
    )
    for k in _TWO
}

FAMILIES = (
    _interaction(
        "product",
        products,
        _PRODUCTS,
        table="cross_pair_momentum",
        sources=SISTERS_BQX,
        windows=WINDOWS,
        about="term of the quadratic trend of BQX at the window's end, times the sister's",
        steps=_go_on(products_go_on, rows=lambda window: window, begin=begin_products),
    ),
    _interaction(
        "volatility",
        volatility,
        _of_sisters(
            ("ratio", "rel_vol", "Volatility of BQX over sister {}'s", _RATIO, 0.0),
            (
                "high",
                "divergence_hi_flag",
                "Flag of volatility above sister {}'s",
                f"{_RATIO} > 1.5",
                0.0,
                1.0,
            ),
            (
                "low",
                "divergence_lo_flag",
                "Flag of volatility below sister {}'s",
                f"{_RATIO} < 0.67",
                0.0,
                1.0,
            ),
        ),
        table="cross_pair_volatility",
        sources=SISTERS_MOVES,
        windows=(30, 60),
        about="volatility against the sister's",
    ),
    _interaction(
        "drift",
        drift,
        _of_sisters(
            ("change", "corr_drift", "Drift of the correlation with sister {}", _DRIFT, -2.0, 2.0),
            (
                "size",
                "corr_drift_abs",
                "Size of the correlation's drift with sister {}",
                f"|{_DRIFT}|",
                0.0,
                2.0,
            ),
            (
                "decoupling",
                "decoupling_flag",
                "Flag of decoupling from sister {}",
                f"{_DRIFT} < -0.3",
                0.0,
                1.0,
            ),
        ),
        table="cross_pair_correlation_drift",
        sources=SISTERS_MOVES,
        windows=(60, 240),
        about="change of the correlation of BQX's changes with the sister's",
        lookback=lambda window: 2 * window,
        steps=_go_on(drift_goes_on, rows=lambda window: 2 * window, begin=begin_drift),
    ),
    _interaction(
        "granger",
        leading,
        _LEADING,
        table="cross_pair_lead_lag",
        sources=LEADERS,
        windows=LAGS,
        about="the two sisters that lead most clearly in Granger's tests of returns",
        skips=lambda lag: lag,
        fit=choose,
    ),
)
