"""A pair among the pairs that share its base or its quote.

Their series are turned so that all rise when the pair's own does for a reason of the shared
currency. ``_1`` and ``_2`` are the two most liquid of them. The rate domain reads one-row log
returns, and log rates where levels are asked for; the BQX domain one-row changes of BQX_15, since
its levels overlap, and its levels.
"""

from functools import partial
from typing import Any

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.families.cross_pair.among_relatives import (
    MEMORY,
    begin,
    begin_over_time,
    goes_on,
    over_time_goes_on,
    relatives,
    relatives_over_time,
)
from bqx.features.families.cross_pair.best_lead import LEADS
from bqx.features.rolling import panels
from bqx.features.rolling.abreast_sums import cross_of
from bqx.features.rolling.regression import (
    regress,
    regress_goes_on,
    regression_of,
    residual_goes_on,
    residual_on_one,
)
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import z_score
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import SIGNED, Output, Source, read
from bqx.features.steps import Steps
from bqx.market.sessions import DAY


@kernel
def spread(x: F, first_minute: int, window: int) -> F:
    """Score of the level's distance from the first relative of the base: (T, 1)."""
    return z_score(x[:, 0] - x[:, 1], window, first_minute).reshape(-1, 1)


@kernel
def cointegration(x: F, first_minute: int, window: int) -> F:
    """Level regressed on those of two relatives of the base: (T, 3), see ``regress``."""
    return regress(x, window, first_minute)


@kernel
def cointegration_of_one(x: F, first_minute: int, window: int) -> F:
    """Level regressed on that of the first relative of the base: (T, 1)."""
    own, relative = x[:, 0].copy(), x[:, 1].copy()
    return residual_on_one(own, relative, window, first_minute).reshape(-1, 1)


@kernel
def _one_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `cointegration_of_one` gives of a row (3, P), from the states before it: (1, P)."""
    return residual_goes_on(x[:2], minute, window, state)


RELATIVES = (
    Source("rate", "rate", "1", 2, panels.turned(panels.returns, 2, 2), series="log returns"),
    Source(
        "bqx", "bqx", "1", BQX_WINDOW + 2, panels.turned(panels.moves, 2, 2), series="BQX changes"
    ),
)
"""Moves of the pair and of two relatives on either side."""

LEVELS = (
    Source("rate", "rate", "1", 1, panels.turned(panels.level, 2, 0), series="the log rate"),
    Source("bqx", "bqx", "1", BQX_WINDOW + 1, panels.turned(panels.momentum, 2, 0), series="BQX"),
)
"""Levels of the pair and of two relatives of its base."""

_SIDES = ("base", "quote")
_PEERS = "mean(corr(x, x[{side} k], {{0}}), k = 1, 2)"


def _of_sides(name: str, noun: str, formula: str, *bounds: float, **more: Any) -> dict[str, Output]:
    """A reading of the mean correlation with the relatives of the base, and of the quote."""
    return {
        f"{name}_{side}": Output(
            "1",
            *bounds,
            alias=f"{name}_{side}_{{0}}min",
            title=f"{noun} of {{x}} with {side} relatives",
            formula=formula.format(_PEERS.format(side=side)),
            **more,
        )
        for side in _SIDES
    }


_NOW = described(
    {
        **{
            f"corr_{side}_{k}": Output(
                *SIGNED,
                alias=f"corr_{side}_{{0}}min_{k}",
                title=f"Correlation of {{x}} with {side} relative {k}",
                formula=f"corr(x, x[{side} {k}], {{0}})",
            )
            for side in _SIDES
            for k in (1, 2)
        },
        **_of_sides(
            "delta_corr",
            "Change of the mean correlation",
            "delta({}, {{0}})",
            -2.0,
            2.0,
            lookback=lambda w: 2 * w,
        ),
        "lead_lag": Output(
            *SIGNED,
            alias="lead_lag_{0}min",
            lookback=lambda w: w + 2 * LEADS,
            about="in fifths of five rows; positive where the relatives lead",
        ),
        "vol_ratio": Output("1", 0.0, alias="vol_ratio_{0}min"),
    },
    """
lead_lag: Lead of the relatives' mean over {x}
    argmax(corr(x[t-5], m[t-5-k], {0}), k in -5..5) / 5, m mean of relatives
vol_ratio: Deviation of {x} over the relatives' mean deviation
    std(x, {0}) / mean(std(x[k], {0}), k in relatives)
""",
)
_OVER_TIME = {
    **_of_sides("z_corr", "Z-score of the mean correlation", "z({}, 240)"),
    "corr_stability": Output(
        "1",
        0.0,
        1.1,
        alias="corr_stability_{0}min",
        title="Deviation of the mean correlation of {x} with relatives",
        formula="std(mean(corr(x, x[k], {0}), k in relatives), 240)",
    ),
}
_COINTEGRATION = described(
    {
        "residual": Output("1", alias="coint_residual"),
        "z": Output("1", alias="coint_zscore"),
        "half_life": Output("bar", 0.0, alias="coint_halflife", lookback=lambda w: w + 1),
    },
    """
residual: Cointegration residual of {x} on two base relatives
    x[t] - fit(x on x[base 1], x[base 2]; {0})
z: Cointegration residual of {x} in deviations
    e[t] / std(e, {0}), e = x - fit(x on x[base 1], x[base 2]; {0})
half_life: Half-life of the cointegration residual of {x}
    -ln 2 / ln phi, e[t] = phi e[t-1] over {0} rows
""",
)

_correlation = partial(family, table="correlation")
_relatives = partial(
    _correlation,
    "relatives",
    sources=RELATIVES,
    windows=(15, 30, 60),
    about="moves against two relatives of the base and of the quote",
)

_go_on = partial(Steps, last=read, reads=lambda window: 1, abreast=True)

FAMILIES = (
    _relatives(
        relatives,
        _NOW,
        steps=_go_on(goes_on, rows=lambda window: max(2 * window, window + 2 * LEADS), begin=begin),
    ),
    _relatives(
        relatives_over_time,
        _OVER_TIME,
        lookback=lambda window: window + MEMORY - 1,
        steps=_go_on(
            over_time_goes_on,
            rows=lambda window: window + MEMORY - 1,
            begin=begin_over_time,
        ),
    ),
    _correlation(
        "relative_spread",
        spread,
        {"z": Output("1", alias="spread_zscore_{0}min")},
        sources=LEVELS,
        windows=(15, 30, 60),
        title="Z-score of the gap of {x} to the first base relative",
        formula="z(x - x[base 1], {0})",
    ),
    _correlation(
        "cointegration",
        cointegration,
        _COINTEGRATION,
        sources=LEVELS,
        windows=DAY,
        about="level regressed on those of two relatives of the base",
        steps=_go_on(regress_goes_on, rows=lambda window: window + 1, begin=regression_of),
    ),
    _correlation(
        "cointegration_of_one",
        cointegration_of_one,
        {"residual": Output("1", alias="cointegration_residual")},
        sources=LEVELS[:1],
        windows=DAY,
        title="Cointegration residual of {x} on the first base relative",
        formula="x[t] - fit(x on x[base 1]; {0})",
        steps=_go_on(_one_goes_on, rows=lambda window: window, begin=partial(cross_of, 2)),
    ),
)

PROFILES = {
    "v1": {
        "corr_base_pairs_15min": "rate_peers_corr_base_w15",
        "corr_base_pairs_60min": "rate_peers_corr_base_w60",
        "corr_quote_pairs_15min": "rate_peers_corr_quote_w15",
        "corr_quote_pairs_60min": "rate_peers_corr_quote_w60",
        "relative_strength_vs_base_pairs": "rate_strength_base_w60",
        "relative_strength_vs_quote_pairs": "rate_strength_quote_w60",
        "base_pair_divergence": "rate_strength_div_base_w60",
        "quote_pair_divergence": "rate_strength_div_quote_w60",
        "triangular_arb_divergence": "triangle_resid_level",
        "cross_pair_momentum_divergence": "rate_strength_div_cross_mom_w60",
        "correlation_stability": "rate_peers_stability_w60",
        "lead_lag_indicator": "rate_relatives_lead_lag_w60",
        "cointegration_residual": "rate_cointegration_of_one_residual_w1440",
        "pair_spread_z_score": "rate_relative_spread_z_w60",
        "cross_pair_volatility_ratio": "rate_relatives_vol_ratio_w60",
    },
    "v3_idx": {"div_tri_arb": "triangle_resid_level"},
    "v3_bqx": {"div_tri_arb": "triangle_bqx_resid_level"},
}
"""Features that stand under another name, or in another table, in a document's list."""
