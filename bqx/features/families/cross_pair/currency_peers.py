"""A pair among all twelve that share one of its currencies, turned as in ``correlation``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import panels
from bqx.features.rolling.multivariate import correlations, snapped
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.trailing import totals
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import Family, Output, Source

MEMORY = 240
"""Rows over which the mean correlation is watched."""


@kernel
def peers(x: F, first_minute: int, window: int) -> F:
    """Mean correlation with the six pairs of the base, of the quote, and the deviation of their
    mean over 240 rows: (T, 13) -> (T, 3).
    """
    rows = len(x)
    out = np.zeros((rows, 3))
    correlated = correlations(x, window, first_minute)
    for row in range(rows):
        for j in range(6):
            out[row, 0] += correlated[row, j] / 6.0
            out[row, 1] += correlated[row, j + 6] / 6.0
    both = (out[:, 0] + out[:, 1]) / 2.0
    out[:, 2] = mean_std(both, MEMORY, first_minute, 1)[1]
    return out


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
    Source("rate", "rate", "1", 2, panels.turned(panels.returns, 6, 6)),
    Source("bqx", "bqx", "1", BQX_WINDOW + 2, panels.turned(panels.moves, 6, 6)),
)
"""Moves of the pair and of the six other pairs of each of its currencies."""

_SHARE = ("1", -1.0, 1.0)

FAMILIES = (
    Family(
        "strength",
        "correlation",
        strength,
        {
            "base": Output("1", alias="rel_str_base", about="score among the base's pairs"),
            "quote": Output("1", alias="rel_str_quote", about="score among the quote's pairs"),
            "div_base": Output("1", 0.0, alias="div_base", about="deviation of the base's pairs"),
            "div_quote": Output(
                "1", 0.0, alias="div_quote", about="deviation of the quote's pairs"
            ),
            "div_cross_mom": Output(
                *_SHARE, alias="div_cross_mom", about="sign of a move that the peers do not share"
            ),
        },
        ((60,),),
        PEERS,
        "move over the window among those of all pairs that share a currency",
    ),
    Family(
        "peers",
        "correlation",
        peers,
        {
            "corr_base": Output(*_SHARE, alias="corr_base_pairs_{0}min"),
            "corr_quote": Output(*_SHARE, alias="corr_quote_pairs_{0}min"),
        },
        ((15,), (60,)),
        PEERS[:1],
        "mean correlation with the six pairs of a currency",
    ),
    Family(
        "peers_stability",
        "correlation",
        lambda x, first_minute, window: peers(x, first_minute, window)[:, 2:],
        {"": Output("1", 0.0, 1.1, alias="correlation_stability")},
        ((60,),),
        PEERS[:1],
        "deviation over 240 rows of the mean correlation with all pairs that share a currency",
        lookback=lambda window: window + MEMORY - 1,
    ),
)
