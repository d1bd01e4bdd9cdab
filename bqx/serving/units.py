"""Whether rates are those of a pair at all, told by the baseline that a model was trained with."""

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.market import sessions
from bqx.market.bar_arrays import CLOSE, JUMP, RATES, SPREAD, STRAY_SPREAD, jumps

FARTHEST = 5.0
"""Most times that a rate may be above or below the bundle's baseline. No pair came so far in the 25
years since the euro; ten times is another unit."""


def check_unit(
    minutes: NDArray[np.int64], columns: NDArray[np.float64], where: str, baseline: float
) -> None:
    """Raise BarError where (6, T) bars are in another unit than the baseline, quote units, or than
    the bar before them.

    ``minutes`` : (T,) of their opens, epoch minutes, ascending.
    """
    rates, close, spread = columns[: len(RATES)], columns[CLOSE], columns[SPREAD]
    highest, lowest = rates.max(axis=0), rates.min(axis=0)
    far = (highest > FARTHEST * baseline) | (lowest * FARTHEST < baseline)
    wide = spread > STRAY_SPREAD * close
    for broken, name, values, rule in (
        (far, "rate", highest, f"{FARTHEST:g} times of {baseline:.6g}"),
        (jumps(minutes, close), "rate", close, f"{JUMP:g} times of the close before it"),
        (wide, "spread", spread, f"{STRAY_SPREAD:.0%} of the rate, in quote units"),
    ):
        if broken.any():
            row = int(np.argmax(broken))
            stamp = sessions.shown(minutes[row])
            raise BarError(
                f"{where} ({stamp}): no {name} of this pair, got {values[row]:.6g}; "
                f"expected it within {rule} ({int(broken.sum()):,} such rows)."
            )
