"""Error correction: how far four groups of rates are from their relation of the last 1,440 rows.

A vector is the least-squares line, with a constant, of one level on the others over the trailing
1,440 rows, new in every row, so that nothing is fitted outside a row's lookback. Levels are log
rate indices, and BQX in its domain, where the residual has BQX's sign. The groups:

- triangle: eurusd on gbpusd and eurgbp. The three rates are an identity, so what is left is the
  parity error; NaN where one rate was made from the others (see ``parity.residual``).
- cluster: audusd on nzdusd.
- cross: eurusd on audusd, whose vector (1, -1) would be the rate euraud itself.
- majors: eurusd on gbpusd and audusd. Of it are the weights (the vector scaled to length 1, the
  dollar's leg left out), speed, score and half-life.

All pairs share the values.

Source: R. F. Engle and C. W. J. Granger, Co-integration and error correction, Econometrica 55
(1987).
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling import panels, parity
from bqx.features.rolling.multivariate import correlations, shifted
from bqx.features.rolling.products import products
from bqx.features.rolling.regression import regress, residual_on_one
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import COLLINEAR
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import FLAG, SIGNED, Output, Source, read
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

SPAN = 20
"""Rows of a velocity, and of the correlation of the two domains."""

# The level that is explained, and those that explain it.
TRIANGLE = ("eurusd", "gbpusd", "eurgbp")
CLUSTER = ("audusd", "nzdusd")
CROSS = ("eurusd", "audusd")
MAJORS = ("eurusd", "gbpusd", "audusd")


@kernel
def weights(x: F, window: int, first_minute: int) -> F:
    """Coefficients of column 0 less its least-squares line on columns 1 and 2, of length 1: (T, 3).

    NaN where a column is flat or the two are one.
    """
    rows = len(x)
    out = np.full((rows, 3), np.nan)
    four = np.zeros((rows, 4))
    four[:, :3] = x
    sums = products(four, window, first_minute)
    for row in range(rows):
        _, y1, y2, _, aa, ab, _, bb, _, _ = sums[row]
        det = aa * bb - ab * ab
        if det > COLLINEAR * aa * bb:
            c1, c2 = (ab * y2 - bb * y1) / det, (ab * y1 - aa * y2) / det
            length = np.sqrt(1.0 + c1 * c1 + c2 * c2)
            out[row, 0], out[row, 1], out[row, 2] = 1.0 / length, c1 / length, c2 / length
    return out


@kernel
def moving(x: F, span: int) -> F:
    """Change over ``span`` rows, change of that, and whether the size has shrunk: (T, 3)."""
    before, earlier = shifted(x, span), shifted(x, 2 * span)
    out = np.full((len(x), 3), np.nan)
    for row in range(len(x)):
        out[row, 0] = x[row] - before[row]
        out[row, 1] = out[row, 0] - (before[row] - earlier[row])
        if not np.isnan(out[row, 0]):
            out[row, 2] = abs(x[row]) < abs(before[row])
    return out


@kernel
def _agree(a: F, b: F) -> F:
    out = np.full(len(a), np.nan)
    for row in range(len(a)):
        if not np.isnan(a[row] + b[row]):
            out[row] = np.sign(a[row]) == np.sign(b[row])
    return out


LEVELS: dict[str, panels.Series] = {"rate": panels.level, "bqx": panels.momentum}


def _fitted(level: panels.Series) -> panels.Series:
    """(T, 9) of a domain: four residuals, then half-life and score of the majors', and weights."""

    def make(bars: Bars) -> F:
        first = bars.first_market_minute

        def fitted(group: tuple[str, ...]) -> F:
            return regress(panels.stack(bars, level, group), DAY, first)

        def on_one(group: tuple[str, ...]) -> F:
            return residual_on_one(*(level(bars, pair) for pair in group), DAY, first)

        built = np.isnan(parity.eurusd_residual.every(bars)[:, 0])
        majors = fitted(MAJORS)
        columns = [
            np.where(built, np.nan, fitted(TRIANGLE)[:, 0]),
            on_one(CLUSTER),
            on_one(CROSS),
            *majors.T,
            *weights(panels.stack(bars, level, MAJORS), DAY, first).T,
        ]
        return np.column_stack(columns)

    return panels.Series(f"error correction:{level.key}", make, level.reach + DAY, 9)


_FITTED = {domain: _fitted(level) for domain, level in LEVELS.items()}


def _ect(bars: Bars, domain: str) -> F:
    """(T, 12) of a domain, in the order of the outputs below."""
    fitted = _FITTED[domain].every(bars)
    speed = moving(fitted[:, 3].copy(), SPAN)
    parts = fitted[:, :4], speed[:, :2], fitted[:, 5:], fitted[:, 4:5], speed[:, 2:]
    return np.concatenate(parts, axis=1)


def _across(bars: Bars) -> F:
    rate, bqx = _ect(bars, "rate"), _ect(bars, "bqx")
    ect, other = rate[:, 3], bqx[:, 3]
    earlier = np.column_stack([other, shifted(ect.copy(), 1)])
    columns = [
        _agree(ect, other),
        np.abs(ect - other),
        *correlations(earlier, SPAN, bars.first_market_minute).T,
        rate[:, 10] - bqx[:, 10],
        _agree(rate[:, 4], bqx[:, 4]),
        rate[:, 11] * bqx[:, 11],
    ]
    return np.column_stack(columns)


def _of(domain: str) -> panels.OfPairs:
    return panels.same(f"ect:{domain}", lambda bars: _ect(bars, domain))


def _later(rows: int) -> Callable[..., int]:
    return lambda window: window + rows


_LEVELS_OF = {"rate": "ln I", "bqx": "B"}
_LINES = {
    "triangle": ("eurusd_triangle", "eurusd on gbpusd and eurgbp"),
    "cluster": ("audusd_cluster", "audusd on nzdusd"),
    "cross": ("euraud_cross", "eurusd on audusd"),
    "majors": ("usd_majors", "eurusd on gbpusd and audusd"),
}
_E = "e = residual({} of eurusd on gbpusd, audusd; {{0}})"
_MAJORS = (
    ("velocity", "coint_ect_velocity_{}_20", SPAN, "Speed of the error", "delta(e, 20)", "1"),
    (
        "accel",
        "coint_ect_accel_{}_20",
        2 * SPAN,
        "Acceleration of the error",
        "e[t] - 2 e[t-20] + e[t-40]",
        "1",
    ),
    (
        "half_life",
        "coint_half_life_{}",
        1,
        "Half-life of the error",
        "-ln 2 / ln phi(e)",
        "bar",
        0.0,
    ),
    ("weight_eur", "coint_vec_weight_{}_eur", 0, "Weight of eurusd", "v[1] / |v|", *FLAG),
    ("weight_gbp", "coint_vec_weight_{}_gbp", 0, "Weight of gbpusd", "v[2] / |v|", *SIGNED),
    ("weight_aud", "coint_vec_weight_{}_aud", 0, "Weight of audusd", "v[3] / |v|", *SIGNED),
    ("z_score", "coint_deviation_zscore_{}", 0, "Z-score of the error", "e[t] / std(e, {0})", "1"),
    (
        "inbound",
        "coint_regime_inbound_{}",
        SPAN,
        "Flag of a shrinking error",
        "|e[t]| < |e[t-20]|",
        *FLAG,
    ),
)


def _outputs(source: Source) -> dict[str, Output]:
    domain, level = {"rate": "idx", "bqx": "bqx"}[source.key], _LEVELS_OF[source.key]
    error, vector = _E.format(level), f"v = (1, -coefficients of {level}; {{0}})"
    residuals = {
        name: Output(
            "1",
            alias=f"coint_ect_{domain}_{alias}",
            title=f"Cointegration error of {line} in {{x}}",
            formula=f"residual({level} of {line}; {{0}})",
        )
        for name, (alias, line) in _LINES.items()
    }
    return residuals | {
        name: Output(
            unit,
            *bounds,
            alias=alias.format(domain),
            lookback=_later(later) if later else None,
            title=f"{noun} of the dollar majors' cointegration in {{x}}",
            formula=f"{formula}, {vector if 'weight' in name else error}",
        )
        for name, alias, later, noun, formula, unit, *bounds in _MAJORS
    }


_ERRORS = "e, g errors of I, B; {0}"
_ACROSS = (
    ("alignment", "ect_alignment_idx_bqx", 0, "Agreement of sign", "sign(e) = sign(g)", *FLAG),
    ("divergence", "ect_divergence_idx_bqx", 0, "Distance", "|e - g|", "1", 0.0),
    (
        "lead_lag",
        "ect_lead_lag_correlation_20",
        SPAN - 1,
        "Lagged correlation",
        "corr(e[t-1], g[t], 20)",
        *SIGNED,
    ),
    ("z_gap", "ect_zscore_gap_idx_bqx", 0, "Gap of z-scores", "e / std(e) - g / std(g)", "1"),
    (
        "velocity_alignment",
        "ect_velocity_alignment_idx_bqx",
        SPAN,
        "Agreement of direction",
        "sign(delta(e, 20)) = sign(delta(g, 20))",
        *FLAG,
    ),
    (
        "joint_inbound",
        "ect_joint_inbound_idx_bqx",
        SPAN,
        "Joint shrinking",
        "|e[t]| < |e[t-20]| and |g[t]| < |g[t-20]|",
        *FLAG,
    ),
)
_SPANNED = {"z_gap": ("rate_ect_z_score_w{0}", "bqx_ect_z_score_w{0}")}
_ABOUT = "residual of levels regressed on others over 1,440 rows, the same for all pairs"

_correction = partial(family, "ect", read, table="error_correction", windows=DAY)

FAMILIES = (
    *(
        _correction(_outputs(source), sources=source, about=_ABOUT + sign)
        for source, sign in (
            (Source("rate", "rate", "1", 1, _of("rate"), series="log rates"), ""),
            (
                Source("bqx", "bqx", "1", BQX_WINDOW + 1, _of("bqx"), series="BQX"),
                "; positive where eurusd fell more",
            ),
        )
    ),
    _correction(
        {
            name: Output(
                unit,
                *bounds,
                alias=alias,
                lookback=_later(later) if later else None,
                spanned_by=_SPANNED.get(name, ()),
                title=f"{noun} of the majors' errors of rate and BQX",
                formula=f"{formula}, {_ERRORS}",
            )
            for name, alias, later, noun, formula, unit, *bounds in _ACROSS
        },
        sources=Source("both", "cross", "1", BQX_WINDOW + 1, panels.same("ect", _across)),
        about="residuals of the majors in both domains, the same for all pairs",
    ),
)
