"""The mood of the market in BQX: who leads, risk on or off, and the term structure of BQX.

BQX keeps its sign: it is positive when a rate has fallen.
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.families.cross_pair.dollar_block import with_majors
from bqx.features.rolling import panels, parity
from bqx.features.rolling.ago import changes
from bqx.features.rolling.multivariate import correlations, shifted, snapped
from bqx.features.rolling.panels import DOLLAR_PAIRS
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.trailing import z_score, zone
from bqx.features.sources import BQX_WINDOW, momentum
from bqx.features.spec import FLAG, SIGNED, Family, Output, Source, read
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

TERMS = (15, 30, 45, 60, 75)
"""Windows of the term structure."""

MEMORY = 240
"""Rows among which the slope of the term structure is placed."""

_CLUSTER = 0.5


@kernel
def slope(x: F, first_minute: int, window: int) -> F:
    """Term structure from BQX over 15 and 60 rows, each a row's mean: (T, 2) -> (T, 3).

    Slope, whether it is negative, and its score among the last values.
    """
    out = np.empty((len(x), 3))
    out[:, 0] = (x[:, 0] - x[:, 1]) / 45.0
    for row in range(len(x)):
        out[row, 1] = np.nan if np.isnan(out[row, 0]) else 1.0 if x[row, 0] < x[row, 1] else 0.0
    out[:, 2] = z_score(out[:, 0].copy(), window, first_minute)
    return out


@kernel
def curvature(x: F, first_minute: int) -> F:
    """Quadratic term over the minutes of values at 15, 30, .. 75: (T, 5) -> (T, 1)."""
    second = 2.0 * (x[:, 0] + x[:, 4]) - (x[:, 1] + x[:, 3]) - 2.0 * x[:, 2]
    return (second / (14.0 * 15.0 * 15.0)).reshape(-1, 1)


@kernel
def leading(x: F, first_minute: int, window: int) -> F:
    """Correlation of column 1 with column 0 of 5 and of 15 rows ago, and whether the first beats
    that of column 0 with column 1 of 5 rows ago: (T, 2) -> (T, 3).
    """
    rows = len(x)
    out = np.full((rows, 3), np.nan)
    three = np.empty((rows, 3))
    three[:, 0], three[:, 1], three[:, 2] = x[:, 1], shifted(x[:, 0], 5), shifted(x[:, 0], 15)
    out[:, :2] = correlations(three, window, first_minute)
    three[:, 0], three[:, 1] = x[:, 0], shifted(x[:, 1], 5)
    back = correlations(three, window, first_minute)[:, 0]
    for row in range(rows):
        if not np.isnan(out[row, 0] + back[row]):
            out[row, 2] = 1.0 if out[row, 0] > back[row] else 0.0
    return out


@kernel
def mood(x: F, first_minute: int, window: int) -> F:
    """1 risk-on, -1 risk-off, 0 neither, from a score beyond half a deviation: (T,) -> (T, 1)."""
    out = z_score(x, window, first_minute).reshape(-1, 1)
    for row in range(len(x)):
        out[row, 0] = zone(out[row, 0], -_CLUSTER, _CLUSTER)
    return out


@kernel
def breadth(x: F, first_minute: int, window: int) -> F:
    """Deviation across columns and size of their mean sign, each averaged: (T, C) -> (T, 2)."""
    rows, columns = x.shape
    std, sign = np.empty(rows), np.empty(rows)
    for row in range(rows):
        mean = x[row].mean()
        std[row] = np.sqrt(((x[row] - mean) ** 2).sum() / (columns - 1.0))
        net = 0.0
        for j in range(columns):
            net += np.sign(snapped(x[row, j]))
        sign[row] = np.nan if np.isnan(mean) else abs(net) / columns
    out = np.empty((rows, 2))
    out[:, 0] = np.maximum(mean_std(std, window, first_minute, 0)[0], 0.0)
    out[:, 1] = mean_std(sign, window, first_minute, 0)[0]
    out[:, 1] = np.minimum(np.maximum(out[:, 1], 0.0), 1.0)
    return out


def _terms(windows: tuple[int, ...], change: bool) -> panels.Build:
    def build(bars: Bars) -> F:
        columns = [momentum(bars, window) / window for window in windows]
        if change:
            columns = [changes(column, 1) for column in columns]
        return np.column_stack(columns)

    return build


def _leading(bars: Bars) -> F:
    x = panels.stack(bars, panels.moves, ("eurusd", "gbpusd"))
    return leading(x, bars.first_market_minute, 60)


def _mood(bars: Bars) -> F:
    of = (panels.momentum(bars, pair) for pair in ("audusd", "nzdusd", "usdchf", "usdjpy"))
    aud, nzd, chf, jpy = of
    # BQX falls when a rate rises.
    return mood((-aud - nzd) / 2.0 - (chf + jpy) / 2.0, bars.first_market_minute, DAY)


def _breadth(bars: Bars) -> F:
    x = panels.stack(bars, panels.momentum, DOLLAR_PAIRS, panels.in_dollars(DOLLAR_PAIRS))
    return breadth(x, bars.first_market_minute, 20)


def _eurusd_triangle(bars: Bars) -> F:
    x = parity.eurusd_momentum_residual.every(bars)[:, 0].copy()
    return np.column_stack([x, z_score(x, 20, bars.first_market_minute)])


ENDS = Source("bqx", "bqx", "1", 61, _terms((15, 60), False))
"""BQX over 15 and over 60 rows, each divided by its window."""

CURVE = Source("bqx", "bqx", "1", 76, _terms(TERMS, False))
"""BQX over 15 to 75 rows, each divided by its window."""

TERM_MOVES = Source("bqx", "bqx", "1", 62, _terms((60, 15, 30, 45), True))
"""One-row changes of BQX over 60 rows and over shorter windows."""

_correlation = partial(family, table="correlation", laggable=False)
_SAME = ", the same for all pairs"


def _shared(
    name: str,
    outputs: Output | dict[str, Output],
    *,
    build: panels.Build,
    lookback: int,
    window: int,
    about: str,
) -> Family:
    """A family whose source has made the values for all pairs."""
    shared = panels.same(name, build)
    source = Source("bqx", "bqx", "1", lookback, shared, series="BQX")
    return _correlation(name, read, outputs, sources=source, windows=window, about=about + _SAME)


_STRUCTURE = described(
    {
        "slope": Output(
            "1/min",
            alias="term_slope_bqx",
            lookback=lambda w: 1,
            spanned_by=("bqx_backward_return_w15", "bqx_backward_return_w60"),
        ),
        "inversion": Output(*FLAG, alias="term_inversion_flag", lookback=lambda w: 1),
        "steepness_z": Output("1", alias="term_steepness_z"),
    },
    """
slope: Slope of the term structure of BQX
    (BQX(15) / 15 - BQX(60) / 60) / 45
inversion: Flag of an inverted term structure of BQX
    BQX(15) / 15 < BQX(60) / 60
steepness_z: Z-score of the slope of the term structure of BQX
    z((BQX(15) / 15 - BQX(60) / 60) / 45, {0})
""",
)
_LED = "corr(delta(B[gbpusd], 1)[t], delta(B[eurusd], 1)[t-{lag}], {{0}})"
_LEADING = {
    **{
        f"lag_corr_{lag}": Output(
            *SIGNED,
            alias=f"bqx_eur_gbp_lag_corr_{lag}",
            lookback=lambda w, lag=lag: w + lag,
            title=f"Correlation of gbpusd's BQX changes with eurusd's {lag} rows ago",
            formula=_LED.format(lag=lag),
        )
        for lag in (5, 15)
    },
    "leads": Output(
        *FLAG,
        alias="bqx_eur_leads_gbp_flag",
        lookback=lambda w: w + 5,
        title="Flag of eurusd leading gbpusd in BQX",
        formula="corr(g[t], e[t-5], {0}) > corr(e[t], g[t-5], {0}), e, g BQX changes",
    ),
}
_SEVEN = "p in seven dollar pairs"
_BREADTH = described(
    {
        "dispersion": Output("1", 0.0, alias="momentum_dispersion_{0}"),
        "synchrony": Output(*FLAG, alias="momentum_synchrony_{0}"),
    },
    f"""
dispersion: Dispersion of BQX across dollar pairs
    mean(std(B[p], {_SEVEN}), {{0}})
synchrony: Synchrony of BQX across dollar pairs
    mean(|mean(sign(B[p]), {_SEVEN})|, {{0}})
""",
)
_DIVIDED = "term structure of BQX divided by its window"
_TERMS = tuple(f"bqx_backward_return_w{w}" for w in TERMS)
_EURUSD = described(
    {
        "resid": Output("1", alias="bqx_tri_resid_eurusd", lookback=lambda w: 1),
        "resid_z": Output("1", alias="bqx_tri_resid_z_{0}"),
    },
    """
resid: Parity error of eurusd's triangle in BQX
    e[t] - mean(e, 1440), e = B[eurusd] - B[leg 1] - B[leg 2]
resid_z: Z-score of the parity error of eurusd's triangle in BQX
    z(e - mean(e, 1440), {0}), e = B[eurusd] - B[leg 1] - B[leg 2]
""",
)

FAMILIES = (
    _correlation(
        "term_corr",
        with_majors,
        {
            f"corr_{w}_60": Output(
                *SIGNED,
                alias=f"bqx_corr_w{w}_w60",
                title=f"Correlation of changes of BQX over {w} and over 60 rows",
                formula=f"corr(delta(BQX({w}), 1), delta(BQX(60), 1), {{0}})",
            )
            for w in TERMS[:3]
        },
        sources=TERM_MOVES,
        windows=60,
        about="correlation of one-row changes of BQX over a short and over 60 rows",
    ),
    _correlation("term_structure", slope, _STRUCTURE, sources=ENDS, windows=MEMORY, about=_DIVIDED),
    _correlation(
        "term_structure",
        curvature,
        {"curvature": Output("1/min^2", alias="term_curvature_bqx", spanned_by=_TERMS)},
        sources=CURVE,
        about="quadratic term over the window, 15 to 75, of BQX divided by its window",
        title="Curvature of the term structure of BQX",
        formula="a2(BQX(w) / w on w), w = 15, 30, 45, 60, 75",
        lookback=lambda: 1,
    ),
    _shared(
        "eur_gbp", _LEADING, build=_leading, lookback=BQX_WINDOW + 2, window=60, about="who leads"
    ),
    _shared(
        "mood",
        Output(
            *SIGNED,
            alias="momentum_regime_cluster",
            title="Risk mood, 1 on and -1 off",
            formula="side(z(m, {0}), 0.5), m = -(B[aud] + B[nzd] + B[usdchf] + B[usdjpy]) / 2",
        ),
        build=_mood,
        lookback=BQX_WINDOW + 1,
        window=DAY,
        about="1 risk-on, -1 risk-off: aud and nzd against chf and jpy, all in dollars, beyond "
        "half a deviation from their mean",
    ),
    _shared(
        "breadth",
        _BREADTH,
        build=_breadth,
        lookback=BQX_WINDOW + 1,
        window=20,
        about="deviation and size of the mean sign of seven dollar pairs, averaged",
    ),
    _shared(
        "eurusd_triangle",
        _EURUSD,
        build=_eurusd_triangle,
        lookback=BQX_WINDOW + DAY,
        window=20,
        about="BQX of eurusd less those of its legs, demeaned over 1,440 rows",
    ),
)
