"""Even and odd halves of Toeplitz matrices of 60 by 60, a matrix a lane (see ``householder``).

Source: A. Cantoni and P. Butler, Linear Algebra and its Applications 13 (1976).
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.householder import LANES, width
from bqx.features.rolling.sums import F

LENGTH = 60
HALF = LENGTH // 2


@kernel
def spread(c: F, near: F, far: F, lanes: int) -> None:
    """Lag covariances (64, 60) over their trace, as diagonals (59 x 64) from row 29 to row 0, and
    reversed (60 x 64); zeros where there are none.
    """
    for k in range(lanes):
        known = c[k, 0] > 0.0 and c[k, 0] < np.inf
        for i in range(LENGTH):
            trace = LENGTH * c[k, 0]
            far[i * LANES + k] = c[k, LENGTH - 1 - i] / trace if known else 0.0
            if i < LENGTH - 1:
                near[i * LANES + k] = c[k, abs(i - HALF + 1)] / trace if known else 0.0


@kernel
def fill(matrix: F, near: F, far: F, flip: float) -> None:
    """Even (flip 1) or odd (-1) half of the Toeplitz matrix of lag covariances, as ``leading``
    reads it.
    """
    long = width(HALF) * LANES
    for i in range(HALF):
        to = matrix[i * long : i * long + HALF * LANES]
        a = near[(HALF - 1 - i) * LANES : (2 * HALF - 1 - i) * LANES]
        b = far[i * LANES : (HALF + i) * LANES]
        for k in range(len(to)):
            to[k] = a[k] + flip * b[k]
