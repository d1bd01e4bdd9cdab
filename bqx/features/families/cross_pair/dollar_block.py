"""How a pair moves with the dollar pairs, and how these move together.

The dollar pairs are turned to rise with the dollar wherever several are put together. Moves are
one-row log returns, in the BQX domain one-row changes of BQX_15.
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.families.cross_pair.dollar_covariance import MEMORY, products_of, together
from bqx.features.rolling import panels
from bqx.features.rolling.comoments import correlation
from bqx.features.rolling.multivariate import correlations, cross_sums
from bqx.features.rolling.panels import MAJORS
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import FLAG, SIGNED, Family, Output, Source, read
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

_WINDOW = 20
"""Returns behind the dollar pairs' covariance."""

_BASIS_POINTS = 1e4
_DECOUPLED = 0.2


@kernel
def with_majors(x: F, first_minute: int, window: int) -> F:
    """Correlation with each dollar pair: (T, 6) -> (T, 5)."""
    return correlations(x, window, first_minute)


@kernel
def market(x: F, first_minute: int, window: int) -> F:
    """Variance that the dollar explains, the rest, and whether it explains little: (T, 2) -> (T, 3)

    Columns: the pair's moves and the mean of the dollar pairs'. NaN where either stands still.
    """
    rows = len(x)
    out = np.full((rows, 3), np.nan)
    sums = cross_sums(x, window, first_minute)
    for row in range(rows):
        own, dollar, product = sums[row]
        if dollar > 0.0 and own > 0.0:
            explained = min(product * product / dollar, own)
            out[row, 0] = explained / (window - 1.0)
            out[row, 1] = (own - explained) / (window - 1.0)
        share = correlation(own, dollar, product)
        if not np.isnan(share):
            out[row, 2] = 1.0 if abs(share) < _DECOUPLED else 0.0
    return out


@kernel
def decoupled(x: F, first_minute: int, window: int) -> F:
    """Whether the dollar explains little: (T, 2) -> (T, 1)."""
    return market(x, first_minute, window)[:, 2:]


def _majors(series: panels.Series) -> panels.OfPairs:
    return panels.beside(series, lambda pair: MAJORS)


def _market(series: panels.Series) -> panels.OfPairs:
    def make(bars: Bars) -> F:
        return panels.stack(bars, series, MAJORS, panels.in_dollars(MAJORS)).mean(
            axis=1, keepdims=True
        )

    mean = panels.Series(f"dollar mean:{series.key}", make, series.reach, 1)
    return panels.columns(lambda pair: [panels.taken(series, pair), (mean, [0], [1.0])])


def _of_majors(bars: Bars) -> F:
    x = panels.stack(bars, panels.returns, MAJORS, panels.in_dollars(MAJORS))
    return np.asarray(products_of(x * _BASIS_POINTS, _WINDOW, bars.first_market_minute))


_COUNT = len(MAJORS) * (len(MAJORS) + 1) // 2 + 1
_of_majors_kept = panels.Series("dollar products", _of_majors, _WINDOW + 1, _COUNT)


def _together(bars: Bars) -> F:
    products, first = _of_majors_kept.every(bars), bars.first_market_minute
    return together(products, len(MAJORS), first, _WINDOW, panels.since(bars))


MAJORS_MOVES = (
    Source("rate", "rate", "1", 2, _majors(panels.returns), series="log returns"),
    Source("bqx", "bqx", "1", BQX_WINDOW + 2, _majors(panels.moves), series="BQX changes"),
)
"""Moves of the pair and of five dollar pairs."""

MARKET = (
    Source("rate", "rate", "1", 2, _market(panels.returns), series="log returns"),
    Source("bqx", "bqx", "1", BQX_WINDOW + 2, _market(panels.moves), series="BQX changes"),
)
"""Moves of the pair and the mean move of five dollar pairs."""

TOGETHER = Source("rate", "rate", "1", 2, panels.same("majors", _together))
"""Readings of the dollar pairs' covariance, the same for all pairs."""

_correlation = partial(family, table="correlation", laggable=False)


def _with_majors(source: Source, windows: tuple[int, ...], count: int, prefix: str) -> Family:
    outputs = {
        pair: Output(
            *SIGNED,
            alias=f"{prefix.format(pair[:3], pair[3:])}_{{0}}",
            title=f"Correlation of {{x}} with those of {pair}",
            formula=f"corr(x, x[{pair}], {{0}})",
        )
        for pair in MAJORS[:count]
    }
    about = "correlation of moves with a dollar pair's; 1 for the pair itself"
    return _correlation("with", with_majors, outputs, sources=source, windows=windows, about=about)


_MARKET = """
systematic: Variance of {x} that the dollar explains
    corr(x, d, {0})^2 var(x, {0}), d mean of majors
idiosyncratic: Variance of {x} that the dollar does not explain
    (1 - corr(x, d, {0})^2) var(x, {0}), d mean of majors
"""


def _market_family(source: Source, prefix: str) -> Family:
    names = ("systematic", "idiosyncratic")
    outputs = {name: Output("1", 0.0, alias=f"{prefix}_var_{name}") for name in names}
    return _correlation(
        "dollar",
        market,
        described(outputs, _MARKET),
        sources=source,
        windows=60,
        about="moves against the mean of five dollar pairs",
    )


_TOGETHER = described(
    {
        "cov_determinant": Output("bp^10", 0.0, alias="cov_determinant_{0}"),
        "cov_trace": Output("bp^2", 0.0, alias="cov_trace_{0}"),
        "cov_eigenvalue_max": Output("bp^2", 0.0, alias="cov_eigenvalue_max_{0}"),
        "cov_eigenvalue_ratio": Output(*FLAG, alias="cov_eigenvalue_ratio_{0}"),
        "corr_regime": Output(
            "1", 0.0, 2.0, alias="corr_regime_{0}", lookback=lambda w: w + DAY - 1
        ),
        "corr_breakout": Output(
            *FLAG, alias="corr_breakout_flag", lookback=lambda w: w + MEMORY - 1
        ),
        "avg_pairwise_corr": Output(*SIGNED, alias="avg_pairwise_corr_{0}"),
        "corr_dispersion": Output("1", 0.0, 1.1, alias="corr_dispersion_{0}"),
    },
    """
cov_determinant: Determinant of the dollar pairs' covariance
    det(cov(r in bp of five dollar pairs, {0}))
cov_trace: Trace of the dollar pairs' covariance
    trace(cov(r in bp of five dollar pairs, {0}))
cov_eigenvalue_max: Largest eigenvalue of the dollar pairs' covariance
    max(eig(cov(r in bp of five dollar pairs, {0})))
cov_eigenvalue_ratio: Share of the largest eigenvalue of the dollar pairs' covariance
    max(eig(K)) / trace(K), K = cov(r of five dollar pairs, {0})
corr_regime: Regime of the dollar pairs' mean correlation within a day
    tercile(mean(corr(r[p], r[q], {0}), p < q), 1440)
corr_breakout: Flag of an unusual mean correlation of the dollar pairs
    |z(mean(corr(r[p], r[q], {0}), p < q), 240)| > 2
avg_pairwise_corr: Mean correlation of the dollar pairs
    mean(corr(r[p], r[q], {0}), p < q)
corr_dispersion: Dispersion of the dollar pairs' correlations
    std(corr(r[p], r[q], {0}), p < q)
""",
)

FAMILIES = (
    _with_majors(MAJORS_MOVES[0], (20, 60), 5, "corr_{}_{}"),
    _with_majors(MAJORS_MOVES[1], (20,), 5, "bqx_corr_{}{}"),
    _with_majors(MAJORS_MOVES[1], (60,), 2, "bqx_corr_{}{}"),
    _market_family(MARKET[0], "resid"),
    _market_family(MARKET[1], "bqx"),
    _correlation(
        "dollar",
        decoupled,
        {"decoupled": Output(*FLAG, alias="momentum_decoupling_flag")},
        sources=MARKET[1],
        windows=20,
        title="Flag of {x} decoupled from the dollar",
        formula="|corr(x, d, {0})| < 0.2, d mean of five dollar pairs",
    ),
    _correlation(
        "majors",
        read,
        _TOGETHER,
        sources=TOGETHER,
        windows=_WINDOW,
        about="returns of five dollar pairs together, the same for all pairs",
    ),
)
