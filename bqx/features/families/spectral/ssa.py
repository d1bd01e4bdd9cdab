"""Singular spectrum analysis of trailing windows: 128 rows, vectors of 60 (Toeplitz form).

The lag covariances of the window about its mean (sums over 128) fill a 60 by 60 Toeplitz matrix.
Its eigenvectors are even or odd, so it falls into two problems of 30 by 30, decomposed directly.
The three largest eigenvalues are those of the trend and the oscillatory pair; where two are so
close that rounding decides which vector is whose, what depends on it is NaN. A component at the
newest row is the projection of the last 60 rows times the eigenvector's last element: the end of
the reconstructed series, where it needs no average.

Source: R. Vautard and M. Ghil, Physica D 35 (1989); A. Cantoni and P. Butler, Linear Algebra and
its Applications 13 (1976), for the even and odd halves.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.rolling.eigenvectors import leading
from bqx.features.rolling.householder import ABREAST, whole
from bqx.features.rolling.sums import F
from bqx.features.rolling.toeplitz import HALF, LENGTH, fill, spread
from bqx.features.rolling.tolerances import UNDECIDED
from bqx.features.sources import BQX, RATE
from bqx.features.spec import FLAG, Output
from bqx.lanes import LANES

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
def _order(values: F, lane: int) -> tuple[int, int, int, int]:
    """Places of a lane's four largest of six eigenvalues (6, 64), larger first."""
    places = np.full(4, -1)
    for rank in range(4):
        for k in range(6):
            best = places[rank]
            if k not in places[:rank] and (best < 0 or values[k, lane] > values[best, lane]):
                places[rank] = k
    return places[0], places[1], places[2], places[3]


@kernel
def _score(z: F, vector: F, flip: float, lane: int, u: F) -> float:
    """Product of a half's vector, unfolded into ``u`` (60,), with the last 60 rows."""
    score = 0.0
    for i in range(HALF):
        value = vector[i * ABREAST + lane] * np.sqrt(0.5)
        u[i], u[LENGTH - 1 - i] = value, flip * value
        score += value * (z[WINDOW - LENGTH + i] + flip * z[WINDOW - 1 - i])
    return score


@kernel
def _read(z: F, variance: float, values: F, vectors: F, lane: int, u: F, out: F) -> None:
    """Readings of one window (128,) from a lane of the three largest eigenvalues of either half,
    shares of the trace (6, 64), and of the vectors of the first two of them (4, 30 x 64).

    ``u`` (60,) is room for a whole vector. NaN where rounding decides which vectors are meant.
    """
    places = _order(values, lane)
    one, two, three, four = [values[place, lane] for place in places]
    square = 0.0
    for i in range(WINDOW - LENGTH, WINDOW):
        square += z[i] * z[i]
    # No vector where a half has all three.
    three = np.nan if places[2] % 3 == 2 else three
    first, second, third = one - two > UNDECIDED, two - three > UNDECIDED, three - four > UNDECIDED
    left, ends = square, 0.0
    for rank in range(3 if third else 2):
        place = places[rank]
        flip = 1.0 if place < 3 else -1.0
        score = _score(z, vectors[place // 3 * 2 + place % 3], flip, lane, u)
        left -= score * score
        ends += score * u[LENGTH - 1]
        total = 0.0
        for i in range(END):
            total += (_SLOPE[i] if rank == 0 else _BENT[i]) * u[LENGTH - END + i]
        if rank == 0 and first:
            out[0], out[8] = score * u[LENGTH - 1], score * total
        if rank == 1 and first and second:
            out[9] = score * total
    if third:
        out[1], out[2] = ends - out[0], z[WINDOW - 1] - ends
        out[7] = np.sqrt(max(left, 0.0) / square)
    out[3], out[4], out[6] = one, two + three, 1.0 - two / one
    out[5] = np.sqrt(max(variance * (1.0 - (one + two + three)), 0.0))


@kernel
def _decomposed(x: F, ends: NDArray[np.int64], out: F) -> None:
    """Readings (n, 10) of the windows that end at some rows, several side by side."""
    z, c = np.zeros((ABREAST, WINDOW + LENGTH)), np.empty((ABREAST, LENGTH))
    near, far = np.empty((LENGTH - 1) * ABREAST), np.empty(LENGTH * ABREAST)
    matrix = np.zeros(ABREAST // LANES * whole(HALF))
    values, vectors = np.empty((6, ABREAST)), np.empty((4, HALF * ABREAST))
    u = np.empty(LENGTH)
    for first in range(0, len(ends), ABREAST):
        lanes = min(ABREAST, len(ends) - first)
        for lane in range(lanes):
            _covariances(x, ends[first + lane], z[lane], c[lane])
        spread(c, near, far, lanes)
        for side in range(2):
            fill(matrix, near, far, 1.0 - 2.0 * side)
            leading(matrix, HALF, values[3 * side : 3 * side + 3], vectors[2 * side :], lanes)
        for lane in range(lanes):
            # NaN in a window stays in its lane.
            if c[lane, 0] > 0.0 and c[lane, 0] < np.inf:
                _read(z[lane], c[lane, 0], values, vectors, lane, u, out[first + lane])


@kernel
def ssa(x: F, first_minute: int) -> F:
    """Components at the newest row, their shares, and how well they part: (T, 10)."""
    out = np.full((len(x), 10), np.nan)
    _decomposed(x, np.arange(WINDOW - 1, len(x)), out[WINDOW - 1 :])
    return out


@kernel(nogil=True)
def of_all(x: F) -> F:
    """The newest row of several series: (P, T) -> (P, 10)."""
    series, rows = x.shape
    out = np.full((series, 10), np.nan)
    if rows >= WINDOW:
        _decomposed(x.copy().reshape(-1), (np.arange(series) + 1) * rows - 1, out)
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
    abreast=of_all,
)

FAMILIES = (_ssa(_outputs("idx"), sources=RATE), _ssa(_outputs("bqx"), sources=BQX))
