"""Even and odd halves of Toeplitz matrices of 60 by 60, a matrix a lane (see ``householder``).

Source: A. Cantoni and P. Butler, Linear Algebra and its Applications 13 (1976).
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.householder import ABREAST, BLOCK, whole, width
from bqx.features.rolling.sums import F
from bqx.lanes import LANES, load, store

LENGTH = 60
HALF = LENGTH // 2


@kernel(sized=True)
def spread(c: F, near: F, far: F, lanes: int) -> None:
    """Lag covariances (64, 60) over their trace, as diagonals (8 x 59 x 8) from row 29 to row 0,
    and reversed (8 x 60 x 8); zeros where there are none.
    """
    for k in range(lanes):
        known = c[k, 0] > 0.0 and c[k, 0] < np.inf
        trace, eight, lane = LENGTH * c[k, 0], k // LANES, k % LANES
        for i in range(LENGTH):
            at = (eight * LENGTH + i) * LANES + lane
            far[at] = c[k, LENGTH - 1 - i] / trace if known else 0.0
        for i in range(LENGTH - 1):
            at = (eight * (LENGTH - 1) + i) * LANES + lane
            near[at] = c[k, abs(i - HALF + 1)] / trace if known else 0.0


@kernel(sized=True)
def fill(matrix: F, near: F, far: F, flip: float) -> None:
    """Even (flip 1) or odd (-1) half of the Toeplitz matrix of lag covariances, as ``leading``
    reads it.
    """
    for eight in range(ABREAST // LANES):
        a, b = eight * (LENGTH - 1) * LANES, eight * LENGTH * LANES
        for i in range(HALF):
            row = eight * whole(HALF) + i * width(HALF) * LANES
            for j in range(min(i - i % BLOCK + BLOCK, HALF)):
                value = load(near, a + (HALF - 1 - i + j) * LANES)
                store(matrix, row + j * LANES, value + flip * load(far, b + (i + j) * LANES))
