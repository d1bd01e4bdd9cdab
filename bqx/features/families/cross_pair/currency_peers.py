"""A pair among all twelve that share one of its currencies, turned as in ``correlation``."""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling import panels
from bqx.features.rolling.multivariate import correlations_abreast, snapped
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.trailing import totals
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import SIGNED, Output, Source
from bqx.features.steps import Steps

MEMORY = 240
"""Rows over which the mean correlation is watched."""


@kernel
def peers(x: F, first_minute: int, window: int) -> F:
    """Mean correlation with the six pairs of the base and of the quote: (T, 13) -> (T, 2).

    To 1e-15: correlations are summed before they are divided by six.
    """
    rows = len(x)
    out = np.empty((2, rows))
    correlated = correlations_abreast(x, window, first_minute)
    for row in range(rows):
        of_base = of_quote = 0.0
        for j in range(6):
            of_base += correlated[row, j]
            of_quote += correlated[row, j + 6]
        out[0, row], out[1, row] = of_base / 6.0, of_quote / 6.0
    return out.T


@kernel
def _deviation(correlated: F, first_minute: int, window: int) -> F:
    both = (correlated[:, 0] + correlated[:, 1]) / 2.0
    return mean_std(both, MEMORY, first_minute, 1)[1].reshape(-1, 1)


@kernel
def stability(x: F, first_minute: int, window: int) -> F:
    """Deviation over 240 rows of the mean correlation with all peers: (T, 13) -> (T, 1)."""
    return _deviation(peers(x, first_minute, window), first_minute, window)


@kernel
def strength(x: F, first_minute: int, window: int) -> F:
    """The pair's move over the window among those of its peers: (T, 13) -> (T, 5).

    Scores against the six pairs of the base and of the quote, the deviations of the six, and the
    sign of a move that the mean of the twelve does not share.
    """
    rows = len(x)
    out = np.full((rows, 5), np.nan)
    total = totals(x, window, first_minute)
    for row in range(rows):
        for j in range(13):
            total[row, j] = snapped(total[row, j])
        all_moves = 0.0
        for side in range(2):
            peer = total[row, 1 + 6 * side : 7 + 6 * side]
            mean = 0.0
            for value in peer:
                mean += value - peer[0]
            all_moves += mean + 6.0 * peer[0]
            mean /= 6.0
            squares = 0.0
            for value in peer:
                squares += (value - peer[0] - mean) ** 2
            std = np.sqrt(squares / 5.0)
            out[row, 2 + side] = std
            if std > 0.0:
                out[row, side] = (total[row, 0] - peer[0] - mean) / std
        own = np.sign(total[row, 0])
        if not (np.isnan(own) or np.isnan(all_moves)):
            out[row, 4] = 0.0 if own == np.sign(snapped(all_moves)) else own
    return out


PEERS = (
    Source("rate", "rate", "1", 2, panels.turned(panels.returns, 6, 6), series="log returns"),
    Source(
        "bqx", "bqx", "1", BQX_WINDOW + 2, panels.turned(panels.moves, 6, 6), series="BQX changes"
    ),
)
"""Moves of the pair and of the six other pairs of each of its currencies."""

_SIDES = ("base", "quote")
_STRENGTH = {
    **{
        side: Output(
            "1",
            alias=f"rel_str_{side}",
            title=f"Strength of {{x}} among the {side}'s pairs",
            formula=f"(m - mean(m[k])) / std(m[k]), m = sum(x, {{0}}), k in {side} pairs",
        )
        for side in _SIDES
    },
    **{
        f"div_{side}": Output(
            "1",
            0.0,
            alias=f"div_{side}",
            title=f"Divergence of {{x}} across the {side}'s pairs",
            formula=f"std(sum(x[k], {{0}}), k in {side} pairs)",
        )
        for side in _SIDES
    },
    "div_cross_mom": Output(
        *SIGNED,
        alias="div_cross_mom",
        title="Direction of {x} that the peers do not share",
        formula="sign(m) if it differs from sign(mean(m[k])), else 0; m = sum(x, {0})",
    ),
}

_correlation = partial(family, table="correlation")

FAMILIES = (
    _correlation(
        "strength",
        strength,
        _STRENGTH,
        sources=PEERS,
        windows=60,
        about="move over the window among those of all pairs that share a currency",
    ),
    _correlation(
        "peers",
        peers,
        {
            f"corr_{side}": Output(
                *SIGNED,
                alias=f"corr_{side}_pairs_{{0}}min",
                title=f"Mean correlation with the {side}'s six other pairs",
                formula=f"mean(corr(x, x[k], {{0}}), k in {side} pairs)",
            )
            for side in _SIDES
        },
        sources=PEERS[:1],
        windows=(15, 60),
        about="mean correlation with the six pairs of a currency",
    ),
    _correlation(
        "peers_stability",
        stability,
        Output("1", 0.0, 1.1, alias="correlation_stability"),
        sources=PEERS[:1],
        windows=60,
        title="Deviation of the mean correlation with all peers",
        formula="std(mean(corr(x, x[k], {0}), k in peers), 240)",
        lookback=lambda window: window + MEMORY - 1,
        steps=Steps(peers, _deviation, rows=lambda window: window, reads=lambda window: MEMORY),
    ),
)
