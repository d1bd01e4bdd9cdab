"""Singular spectrum analysis of trailing windows: 128 rows, vectors of 60 (Toeplitz form).

The lag covariances of the window about its mean (sums over 128) fill a 60 by 60 Toeplitz matrix.
Its eigenvectors are even or odd, so it falls into two problems of 30 by 30; the two leading pairs
of each come from eight steps of orthogonal iteration from cosines, which for drifting series are
nearly the eigenvectors, and a last rotation. The three largest of the four are the trend and the
oscillatory pair. A component at the newest row is the projection of the last 60 rows times the
eigenvector's last element: the end of the reconstructed series, where it needs no average.

Source: R. Vautard and M. Ghil, Physica D 35 (1989); A. Cantoni and P. Butler, Linear Algebra and
its Applications 13 (1976), for the even and odd halves.
"""

from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.rolling.sums import F
from bqx.features.rolling.toeplitz import _HALF, _LANES, _START, LENGTH, _fill, _leading, _spread
from bqx.features.sources import BQX, RATE
from bqx.features.spec import FLAG, Output

WINDOW = 128
END = 15
"""Rows at the end of a component over which slope and curvature are taken."""

_TIME = np.arange(END) - (END - 1) / 2.0
_SLOPE = _TIME / (_TIME**2).sum()
_BENT = _TIME**2 - (_TIME**2).mean()
_BENT = _BENT / (_BENT**2).sum()


@kernel
def _covariances(x: F, row: int, z: F, c: F) -> None:
    """Window that ends at a row, about its mean and followed by zeros, and its lag covariances."""
    centre = 0.0
    for i in range(WINDOW):
        z[i] = x[row - WINDOW + 1 + i] - x[row]
        centre += z[i]
    centre /= WINDOW
    for i in range(WINDOW):
        z[i] -= centre
    c[:] = 0.0
    for i in range(0, WINDOW, 4):
        one, two, three, four = z[i], z[i + 1], z[i + 2], z[i + 3]
        later = z[i : i + len(c) + 3]
        for lag in range(len(c)):
            c[lag] += (one * later[lag] + two * later[lag + 1]) + (
                three * later[lag + 2] + four * later[lag + 3]
            )
    for lag in range(len(c)):
        c[lag] /= WINDOW


@kernel
def _read(z: F, variance: float, values: F, vectors: F, u: F, out: F) -> None:
    """Readings of one window (128,) from the four eigenvalues and vectors (4, 30) of its halves.

    ``u`` (60,) is room for a whole vector.
    """
    square = 0.0
    for i in range(WINDOW - LENGTH, WINDOW):
        square += z[i] * z[i]
    left = square
    best = int(np.argmax(values))
    second = third = -1
    for k in range(4):
        if k != best and (second < 0 or values[k] > values[second]):
            second = k
    for k in range(4):
        if k not in (best, second) and (third < 0 or values[k] > values[third]):
            third = k
    end = 0.0
    for rank, which in enumerate((best, second, third)):
        flip = 1.0 if which < 2 else -1.0
        score = 0.0
        for i in range(_HALF):
            value = vectors[which, i] * np.sqrt(0.5)
            u[i], u[LENGTH - 1 - i] = value, flip * value
            score += value * (z[WINDOW - LENGTH + i] + flip * z[WINDOW - 1 - i])
        left -= score * score
        if rank == 0:
            out[0] = score * u[LENGTH - 1]
        else:
            end += score * u[LENGTH - 1]
        if rank < 2:
            total = 0.0
            for i in range(END):
                total += (_SLOPE[i] if rank == 0 else _BENT[i]) * u[LENGTH - END + i]
            out[8 + rank] = score * total
    one, two, three = values[best], values[second], values[third]
    out[1] = end
    out[2] = z[WINDOW - 1] - out[0] - end
    out[3] = one / (LENGTH * variance)
    out[4] = (two + three) / (LENGTH * variance)
    out[5] = np.sqrt(max(variance - (one + two + three) / LENGTH, 0.0))
    out[6] = 1.0 - two / one
    out[7] = np.sqrt(max(left, 0.0) / square)


@kernel
def ssa(x: F, first_minute: int) -> F:
    """Components at the newest row, their shares, and how well they part: (T, 10)."""
    rows = len(x)
    out = np.full((rows, 10), np.nan)
    z, c = np.zeros((_LANES, WINDOW + LENGTH)), np.empty((_LANES, LENGTH))
    near, far = np.empty((LENGTH - 1) * _LANES), np.empty(LENGTH * _LANES)
    matrix = np.empty(_HALF * _HALF * _LANES)
    v, turned = np.empty(2 * _HALF * _LANES), np.empty(2 * _HALF * _LANES)
    values, vectors = np.empty((4, _LANES)), np.empty((4, _LANES, _HALF))
    u = np.empty(LENGTH)
    for first in range(WINDOW - 1, rows, _LANES):
        lanes = min(_LANES, rows - first)
        for lane in range(lanes):
            _covariances(x, first + lane, z[lane], c[lane])
        _spread(c, near, far, lanes)
        for side in range(2):
            _fill(matrix, near, far, 1.0 - 2.0 * side)
            of = slice(2 * side, 2 * side + 2)
            _leading(matrix, _START[side], values[of], vectors[of], v, turned, lanes)
        for lane in range(lanes):
            # NaN in a window stays in its lane.
            if c[lane, 0] > 0.0 and c[lane, 0] < np.inf:
                _read(z[lane], c[lane, 0], values[:, lane], vectors[:, lane], u, out[first + lane])
    return out


_READINGS: tuple[tuple[Any, ...], ...] = (
    ("trend", "trend_component", "{u}"),
    ("oscillation", "oscillatory_component", "{u}"),
    ("noise", "noise_component", "{u}"),
    ("trend_share", "trend_variance_explained", *FLAG),
    ("oscillation_share", "osc_variance_explained", *FLAG),
    ("noise_deviation", "noise_variance", "{u}", 0.0),
    ("separability", "separability", *FLAG),
    ("rest", "reconstruction_error", *FLAG),
    ("slope", "comp1_slope", "{u}/bar"),
    ("curvature", "comp2_curvature", "{u}/bar^2"),
)
_PROSE = """
trend: Trend component of {x}
    c1[t]
oscillation: Oscillating component of {x}
    c2[t] + c3[t]
noise: Noise component of {x}
    x[t] - mean(x, 128) - (c1 + c2 + c3)[t]
trend_share: Share of variance of the trend component of {x}
    l1 / sum(l), l eigenvalues
oscillation_share: Share of variance of the oscillating component of {x}
    (l2 + l3) / sum(l), l eigenvalues
noise_deviation: Deviation of the noise component of {x}
    sqrt(std0(x, 128)^2 - (l1 + l2 + l3) / 60)
separability: Separation of the first two components of {x}
    1 - l2 / l1, l eigenvalues
rest: Share of the last 60 rows not reconstructed of {x}
    |x - c1 - c2 - c3| / |x|, norms of 60 rows
slope: Slope of the first component of {x}
    slope(c1, 15)
curvature: Curvature of the second component of {x}
    a2(c2, 15)
"""


def _outputs(domain: str) -> dict[str, Output]:
    outputs = {
        name: Output(unit, *bounds, alias=f"ssa_{alias}_{domain}")
        for name, alias, unit, *bounds in _READINGS
    }
    return described(outputs, _PROSE)


def rows() -> int:
    """Rows behind a decomposition."""
    return WINDOW


_ssa = partial(
    family,
    "ssa",
    ssa,
    table="spectral",
    about="singular spectrum of the last 128 rows",
    lookback=rows,
    laggable=False,
)

FAMILIES = (_ssa(_outputs("idx"), sources=RATE), _ssa(_outputs("bqx"), sources=BQX))
