"""A pair's five sisters, and the triangle that it closes with two others."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import panels
from bqx.features.rolling.comoments import correlation
from bqx.features.rolling.multivariate import cross_sums, shifted
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.trailing import z_score
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars
from bqx.market.pairs import SISTERS

RANKS = (1, 2, 3, 4, 5)


@kernel
def lagged(x: F, first_minute: int, lag: int) -> F:
    """The last column ``lag`` rows ago: (T, 1)."""
    return shifted(x[:, -1:].copy(), lag)


@kernel
def volatility(x: F, first_minute: int, window: int) -> F:
    """Deviation of the last column: (T, 1)."""
    return mean_std(x[:, -1].copy(), window, first_minute, 1)[1].reshape(-1, 1)


@kernel
def against(x: F, first_minute: int, window: int) -> F:
    """Correlation with the sister, and the slope of the own returns on hers: (T, 2) -> (T, 2)."""
    out = np.full((len(x), 2), np.nan)
    sums = cross_sums(x, window, first_minute)
    for row in range(len(x)):
        own, sister, product = sums[row]
        out[row, 0] = correlation(own, sister, product)
        if sister > 0.0:
            out[row, 1] = product / sister
    return out


@kernel
def residual(x: F, first_minute: int) -> F:
    """Triangle residual: (T,) -> (T, 4) itself, its score over 20 rows, its change over 5, its
    deviation over 30.
    """
    out = np.empty((len(x), 4))
    out[:, 0] = x
    out[:, 1] = z_score(x, 20, first_minute)
    out[:, 2] = x - shifted(x, 5)
    out[:, 3] = mean_std(x, 30, first_minute, 1)[1]
    return out


def aligned(x: F, first_minute: int) -> F:
    """Whether both columns have one sign: (T, 2) -> (T, 1)."""
    same = (np.sign(x[:, :1]) == np.sign(x[:, 1:])).astype(np.float64)
    return np.where(np.isnan(x).any(axis=1, keepdims=True), np.nan, same)


def _sister(rank: int) -> Source:
    def build(bars: Bars) -> F:
        return panels.stack(bars, panels.returns, (bars.pair, SISTERS[bars.pair][rank - 1]))

    return Source(f"sister{rank}", "cross", "1", 2, build)


def _of(rank: int) -> tuple[Family, ...]:
    sources, name = (_sister(rank),), f"sister{rank}"
    return (
        Family(
            "return_lag", "cross_pair", lagged, {"": Output("1", alias=name + "_return_lag_{0}")},
            ((1,), (5,), (15,)), sources, "one-row log return of so many rows ago",
            lookback=lambda lag: lag + 1, skips=lambda lag: lag, laggable=False,
        ),
        Family(
            "vol", "cross_pair", volatility, {"": Output("1", 0.0, alias=name + "_vol_{0}")},
            ((30,),), sources, "deviation of one-row log returns", laggable=False,
        ),
        Family(
            "against", "cross_pair", against,
            {
                "corr": Output("1", -1.0, 1.0, alias=name + "_corr_{0}"),
                "beta": Output("1", alias=name + "_beta_{0}", about="slope on the sister"),
            },
            ((60,),), sources, "one-row log returns against the sister's", laggable=False,
        ),
    )  # fmt: skip


def _one(series: panels.Series) -> panels.Build:
    return lambda bars: series(bars, bars.pair)


TRIANGLE = Source("triangle", "cross", "1", panels.DAY, _one(panels.triangle_residual))
"""Log parity error of the pair's triangle, demeaned over 1,440 rows."""

TRIANGLE_BQX = Source(
    "triangle_bqx", "cross", "1", BQX_WINDOW + panels.DAY, _one(panels.triangle_momentum)
)
"""BQX of the triangle's direct pair less those of its legs, demeaned over 1,440 rows."""

BOTH = Source(
    "triangle", "cross", "1", TRIANGLE_BQX.lookback,
    lambda bars: np.column_stack([TRIANGLE.build(bars), TRIANGLE_BQX.build(bars)]),
)  # fmt: skip
"""Both residuals."""


def _triangle(source: Source, alias: str, level: str, count: int) -> Family:
    outputs = {
        "level": Output("1", alias=level, lookback=lambda: 1),
        "z_20": Output("1", alias=f"{level.removesuffix('_level')}_z_20", lookback=lambda: 20),
        "change_5": Output("1", alias=f"{alias}_change_5", lookback=lambda: 6),
        "vol_30": Output("1", 0.0, alias=f"{alias}_vol_30", lookback=lambda: 30),
    }
    return Family(
        "resid", "cross_pair", residual, dict(list(outputs.items())[:count]), ((),), (source,),
        "parity error of the pair's triangle, demeaned over 1,440 rows; none where a rate was made "
        "from the others", laggable=False,
    )  # fmt: skip


FAMILIES = (
    *(family for rank in RANKS for family in _of(rank)),
    _triangle(TRIANGLE, "tri_resid", "tri_resid_level", 4),
    _triangle(TRIANGLE_BQX, "tri_bqx", "tri_bqx_resid", 3),
    Family(
        "aligned", "cross_pair", aligned, {"": Output("1", 0.0, 1.0, alias="tri_alignment_flag")},
        ((),), (BOTH,), "both residuals have one sign", lookback=lambda: 1, laggable=False,
    ),
)  # fmt: skip
