"""Moving averages, simple and exponential."""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.abreast_means import averaged_with, mean_of
from bqx.features.rolling.exponential import ema, ema_run_in
from bqx.features.rolling.products import mean
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output, Source, read
from bqx.features.steps import Steps

# Windows whose means the table of statistics has too, and the others.
_SHARED, _OTHERS = (5, 20, 50), (10, 100, 200)


@kernel
def simple(x: F, first_minute: int, window: int) -> F:
    """Mean of each window: (T, 1)."""
    return mean(x, window, first_minute).reshape(-1, 1)


@kernel
def exponential(x: F, first_minute: int, span: int) -> F:
    """Exponential mean with ``alpha = 2 / (span + 1)``, started ten spans ago: (T, 1)."""
    return ema(x, span, first_minute).reshape(-1, 1)


@kernel
def _goes_on(x: F, minute: int, span: int, state: F) -> F:
    """The same of a row (1, P), from the states of the rows before: (1, P)."""
    out = np.empty((1, x.shape[1]))
    averaged_with(x[0], minute, state, out[0])
    return out


_STEPS = Steps(_goes_on, read, rows=ema_run_in, reads=lambda span: 1, begin=mean_of, abreast=True)


_average = partial(family, table="moving_averages", laggable=False)
_MEAN = ("{s}_moments_mean_w{0}",)


def _averages(source: Source, prefix: str) -> tuple[Family, ...]:
    simple_mean = partial(
        _average,
        "sma",
        simple,
        sources=source,
        about="mean of the trailing window, current row included",
        title="Simple moving average of {x}",
        formula="mean(x, {0})",
    )
    sma, ema = (Output("{u}", alias=f"{prefix}{name}_{{0}}") for name in ("sma", "ema"))
    return (
        simple_mean(replace(sma, spanned_by=_MEAN), windows=_SHARED),
        simple_mean(sma, windows=_OTHERS),
        _average(
            "ema",
            exponential,
            ema,
            sources=source,
            windows=(*_SHARED, *_OTHERS),
            about="exponential mean, run-in of ten spans",
            title="Exponential moving average of {x}",
            formula="ema(x, {0})",
            lookback=ema_run_in,
            steps=_STEPS,
        ),
    )


FAMILIES = (*_averages(RATE, ""), *_averages(BQX, "bqx_"))
