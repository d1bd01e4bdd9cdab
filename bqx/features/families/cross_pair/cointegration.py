"""Error correction: how far four groups of rates are from their relation of the last 1,440 rows.

A vector is the least-squares line, with a constant, of one level on the others over the trailing
1,440 rows, new in every row, so that nothing is fitted outside a row's lookback. Levels are log
rate indices, and BQX in its domain, where the residual has BQX's sign. The groups:

- triangle: eurusd on gbpusd and eurgbp. The three rates are an identity, so what is left is the
  parity error; NaN where one rate was made from the others (see ``panels.triangle_residual``).
- cluster: audusd on nzdusd.
- cross: eurusd on audusd, whose vector (1, -1) would be the rate euraud itself.
- majors: eurusd on gbpusd and audusd. Of it are the weights (the vector scaled to length 1, the
  dollar's leg left out), speed, score and half-life.

All pairs share the values.

Source: R. F. Engle and C. W. J. Granger, Co-integration and error correction, Econometrica 55
(1987).
"""

from collections.abc import Callable

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import panels
from bqx.features.rolling.multivariate import correlations, shifted
from bqx.features.rolling.panels import DAY
from bqx.features.rolling.products import products
from bqx.features.rolling.regression import regress
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import COLLINEAR
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars

SPAN = 20
"""Rows of a velocity, and of the correlation of the two domains."""

# The level that is explained, and those that explain it; one that stands twice counts once.
TRIANGLE = ("eurusd", "gbpusd", "eurgbp")
CLUSTER = ("audusd", "nzdusd", "nzdusd")
CROSS = ("eurusd", "audusd", "audusd")
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


def _ect(bars: Bars, domain: str) -> F:
    """(T, 12) of a domain, in the order of the outputs below."""

    def make() -> F:
        first, level = bars.first_market_minute, LEVELS[domain]

        def fitted(group: tuple[str, ...]) -> F:
            return regress(panels.stack(bars, level, group), DAY, first)

        built = np.isnan(panels.triangle_residual(bars, TRIANGLE[0]))
        majors = fitted(MAJORS)
        speed = moving(majors[:, 0].copy(), SPAN)
        columns = [
            np.where(built, np.nan, fitted(TRIANGLE)[:, 0]),
            fitted(CLUSTER)[:, 3],
            fitted(CROSS)[:, 3],
            majors[:, 0],
            speed[:, 0],
            speed[:, 1],
            majors[:, 2],
            *weights(panels.stack(bars, level, MAJORS), DAY, first).T,
            majors[:, 1],
            speed[:, 2],
        ]
        return np.column_stack(columns)

    return panels.shared(bars, f"error correction:{domain}", make)


def _across(bars: Bars) -> F:
    def make() -> F:
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

    return panels.shared(bars, "error correction", make)


def _of(domain: str) -> Callable[[Bars], F]:
    return lambda bars: _ect(bars, domain)


def _later(rows: int) -> Callable[..., int]:
    return lambda window: window + rows


def _outputs(s: str) -> dict[str, Output]:
    speed = _later(SPAN)
    return {
        "triangle": Output("1", alias=f"coint_ect_{s}_eurusd_triangle",
                           about="eurusd on gbpusd and eurgbp: the parity error"),
        "cluster": Output("1", alias=f"coint_ect_{s}_audusd_cluster", about="audusd on nzdusd"),
        "cross": Output("1", alias=f"coint_ect_{s}_euraud_cross", about="eurusd on audusd"),
        "majors": Output("1", alias=f"coint_ect_{s}_usd_majors",
                         about="eurusd on gbpusd and audusd"),
        "velocity": Output("1", alias=f"coint_ect_velocity_{s}_20", lookback=speed,
                           about="of the majors, change over 20 rows"),
        "accel": Output("1", alias=f"coint_ect_accel_{s}_20", lookback=_later(2 * SPAN),
                        about="of the majors, velocity less that of 20 rows ago"),
        "half_life": Output("bar", 0.0, alias=f"coint_half_life_{s}", lookback=_later(1),
                            about="of the majors, -ln 2 / ln phi; NaN where it does not return"),
        "weight_eur": Output("1", 0.0, 1.0, alias=f"coint_vec_weight_{s}_eur", about=_UNIT),
        "weight_gbp": Output("1", -1.0, 1.0, alias=f"coint_vec_weight_{s}_gbp", about=_UNIT),
        "weight_aud": Output("1", -1.0, 1.0, alias=f"coint_vec_weight_{s}_aud", about=_UNIT),
        "z_score": Output("1", alias=f"coint_deviation_zscore_{s}",
                          about="of the majors, in deviations of the window's residuals"),
        "inbound": Output("1", 0.0, 1.0, alias=f"coint_regime_inbound_{s}", lookback=speed,
                          about="1 where the majors' is smaller than 20 rows ago"),
    }  # fmt: skip


_UNIT = "of the majors' vector of length 1"
_ABOUT = "residual of levels regressed on others over 1,440 rows, the same for all pairs"

FAMILIES = (
    *(
        Family(
            "ect", "error_correction", panels.read, _outputs(domain), ((DAY,),), (source,),
            _ABOUT + sign,
        )
        for domain, source, sign in (
            ("idx", Source("rate", "rate", "1", 1, _of("rate")), ""),
            ("bqx", Source("bqx", "bqx", "1", BQX_WINDOW + 1, _of("bqx")),
             "; positive where eurusd fell more"),
        )
    ),
    Family(
        "ect", "error_correction", panels.read,
        {
            "alignment": Output("1", 0.0, 1.0, alias="ect_alignment_idx_bqx",
                                about="1 where the signs are the same"),
            "divergence": Output("1", 0.0, alias="ect_divergence_idx_bqx", about="distance"),
            "lead_lag": Output("1", -1.0, 1.0, alias="ect_lead_lag_correlation_20",
                               lookback=_later(SPAN - 1),
                               about="over 20 rows, of the rate's of one row before and BQX's"),
            "z_gap": Output("1", alias="ect_zscore_gap_idx_bqx", about="rate minus BQX",
                            spanned_by=("rate_ect_z_score_w{0}", "bqx_ect_z_score_w{0}")),
            "velocity_alignment": Output(
                "1", 0.0, 1.0, alias="ect_velocity_alignment_idx_bqx", lookback=_later(SPAN),
                about="1 where the signs of the velocities are the same",
            ),
            "joint_inbound": Output(
                "1", 0.0, 1.0, alias="ect_joint_inbound_idx_bqx", lookback=_later(SPAN),
                about="1 where both are smaller than 20 rows ago",
            ),
        },
        ((DAY,),),
        (Source("both", "cross", "1", BQX_WINDOW + 1, _across),),
        "residuals of the majors in both domains, the same for all pairs",
    ),
)  # fmt: skip
