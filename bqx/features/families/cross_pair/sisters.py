"""A pair's five sisters, and the triangle that it closes with two others."""

from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling import panels, parity
from bqx.features.rolling.abreast_sums import cross_of, cross_with
from bqx.features.rolling.comoments import correlation
from bqx.features.rolling.multivariate import cross_sums, shifted
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.trailing import z_score
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import FLAG, SIGNED, Family, Output, Source, read
from bqx.features.steps import Steps
from bqx.market.pairs import SISTERS
from bqx.market.sessions import DAY

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
    return _of_sums(cross_sums(x, window, first_minute))


@kernel
def _against_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `against` gives of a row (2, P), from the states of the rows before: (2, P)."""
    sums = np.empty((3, x.shape[1]))
    cross_with(x, minute, window, state, sums)
    return _of_sums(sums.T).T


@kernel
def _of_sums(sums: F) -> F:
    """Correlation and slope of cross sums: (T, 3) -> (T, 2)."""
    out = np.full((len(sums), 2), np.nan)
    for row in range(len(sums)):
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


@kernel
def aligned(x: F, first_minute: int) -> F:
    """Whether both columns have one sign: (T, 2) -> (T, 1)."""
    out = np.empty((len(x), 1))
    for row in range(len(x)):
        same = np.sign(x[row, 0]) == np.sign(x[row, 1])
        out[row, 0] = np.nan if np.isnan(x[row, 0] + x[row, 1]) else 1.0 if same else 0.0
    return out


def _sister(rank: int) -> Source:
    build = panels.beside(panels.returns, lambda pair: (SISTERS[pair][rank - 1],))
    return Source(f"sister{rank}", "cross", "1", 2, build, series=f"sister {rank}")


_cross_pair = partial(family, table="cross_pair", laggable=False)


def _of(rank: int) -> tuple[Family, ...]:
    alias, declare = f"sister{rank}", partial(_cross_pair, sources=_sister(rank))
    return (
        declare(
            "return_lag",
            lagged,
            Output("1", alias=alias + "_return_lag_{0}"),
            windows=(1, 5, 15),
            title="Earlier log return of {x}",
            formula="r[sister, t-{0}]",
            lookback=lambda lag: lag + 1,
            skips=lambda lag: lag,
        ),
        declare(
            "vol",
            volatility,
            Output("1", 0.0, alias=alias + "_vol_{0}"),
            windows=30,
            title="Volatility of {x}",
            formula="std(r[sister], {0})",
        ),
        declare(
            "against",
            against,
            {
                "corr": Output(
                    *SIGNED,
                    alias=alias + "_corr_{0}",
                    title="Correlation with {x}",
                    formula="corr(r, r[sister], {0})",
                ),
                "beta": Output(
                    "1",
                    alias=alias + "_beta_{0}",
                    title="Slope on {x}",
                    formula="beta(r, r[sister], {0})",
                ),
            },
            windows=60,
            about="one-row log returns against the sister's",
            steps=Steps(
                _against_goes_on,
                read,
                rows=lambda window: window,
                reads=lambda window: 1,
                begin=partial(cross_of, 2),
                abreast=True,
            ),
        ),
    )


TRIANGLE = Source("triangle", "cross", "1", DAY, panels.own(parity.residual), series="the triangle")
"""Log parity error of the pair's triangle, demeaned over 1,440 rows."""

TRIANGLE_BQX = Source(
    "triangle_bqx",
    "cross",
    "1",
    BQX_WINDOW + DAY,
    panels.own(parity.momentum_residual),
    series="the triangle's BQX",
)
"""BQX of the triangle's direct pair less those of its legs, demeaned over 1,440 rows."""

BOTH = Source(
    "triangle",
    "cross",
    "1",
    TRIANGLE_BQX.lookback,
    panels.columns(
        lambda pair: [
            panels.taken(parity.residual, pair),
            panels.taken(parity.momentum_residual, pair),
        ]
    ),
)
"""Both residuals."""


_RESIDUAL: tuple[tuple[Any, ...], ...] = (
    ("level", 1, "Parity error of {x}", "e[t] - mean(e, 1440)"),
    ("z_20", 20, "Z-score of the parity error of {x}", "z(e - mean(e, 1440), 20)"),
    ("change_5", 6, "Five-row change of the parity error of {x}", "delta(e - mean(e, 1440), 5)"),
    ("vol_30", 30, "Deviation of the parity error of {x}", "std(e - mean(e, 1440), 30)", 0.0),
)
_ERRORS = {"triangle": "e = ln(ac / (ab bc))", "triangle_bqx": "e = B[ac] - B[ab] - B[bc]"}


def _triangle(source: Source, aliases: tuple[str, ...]) -> Family:
    return _cross_pair(
        "resid",
        residual,
        {
            name: Output(
                "1",
                *bounds,
                alias=alias,
                lookback=lambda rows=rows: rows,
                title=title,
                formula=f"{formula}, {_ERRORS[source.key]}",
            )
            for alias, (name, rows, title, formula, *bounds) in zip(
                aliases, _RESIDUAL, strict=False
            )
        },
        sources=source,
        about="parity error of the pair's triangle, demeaned over 1,440 rows; none where a rate "
        "was made from the others",
    )


FAMILIES = (
    *(declared for rank in RANKS for declared in _of(rank)),
    _triangle(
        TRIANGLE, ("tri_resid_level", "tri_resid_z_20", "tri_resid_change_5", "tri_resid_vol_30")
    ),
    _triangle(TRIANGLE_BQX, ("tri_bqx_resid", "tri_bqx_resid_z_20", "tri_bqx_change_5")),
    _cross_pair(
        "aligned",
        aligned,
        Output(*FLAG, alias="tri_alignment_flag"),
        sources=BOTH,
        title="Agreement of the triangle's parity errors of rate and BQX",
        formula="sign(level(triangle)) = sign(level(triangle's BQX))",
        lookback=lambda: 1,
    ),
)
