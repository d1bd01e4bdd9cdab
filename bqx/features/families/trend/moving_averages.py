"""Moving averages, simple and exponential."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.products import mean
from bqx.features.rolling.sums import ewm_mean
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output, Source

F = NDArray[np.float64]

# Windows whose means the table of statistics has too, and the others.
_KNOWN, _OTHERS = ((5,), (20,), (50,)), ((10,), (100,), (200,))

RUN_IN = 10
"""Spans of run-in behind an exponential mean."""


@kernel
def simple(x: F, first_minute: int, window: int) -> F:
    """Mean of each window: (T, 1)."""
    return mean(x, window, first_minute).reshape(-1, 1)


@kernel
def exponential(x: F, first_minute: int, span: int) -> F:
    """Exponential mean with ``alpha = 2 / (span + 1)``, started ten spans ago: (T, 1)."""
    rows = RUN_IN * span
    return ewm_mean(x, 2.0 / (span + 1.0), rows, rows, first_minute).reshape(-1, 1)


def _averages(source: Source, prefix: str) -> tuple[Family, ...]:
    same = ("{s}_moments_mean_w{0}",)
    means = tuple(
        Family("sma", "moving_averages", simple,
               {"": Output("{u}", alias=prefix + "sma_{0}", spanned_by=spans)}, windows, (source,),
               "mean of the trailing window, current row included", laggable=False)
        for windows, spans in ((_KNOWN, same), (_OTHERS, ()))
    )  # fmt: skip
    fading = Family(
        "ema",
        "moving_averages",
        exponential,
        {"": Output("{u}", alias=prefix + "ema_{0}")},
        (*_KNOWN, *_OTHERS),
        (source,),
        "exponential mean, run-in of ten spans",
        lookback=lambda span: RUN_IN * span,
        laggable=False,
    )
    return *means, fading


FAMILIES = (*_averages(RATE, ""), *_averages(BQX, "bqx_"))
