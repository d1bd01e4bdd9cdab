"""Rate of change, of the rate index in percent, of BQX in percent of its deviation over 60 rows."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.ago import growth, rise
from bqx.features.rolling.exponential import (
    DELTA,
    LEVEL_ROWS,
    SCORE_ROWS,
    over_deviation,
    readings,
)
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import zone
from bqx.features.sources import BQX, RATE
from bqx.features.spec import SIGNED, Output


@kernel
def roc(x: F, first_minute: int, window: int) -> F:
    """Percent change over ``window`` rows: (T, 1)."""
    return growth(x, window).reshape(-1, 1)


@kernel
def roc_bqx(x: F, first_minute: int, window: int) -> F:
    """Change over ``window`` rows in percent of the deviation over 60 rows: (T, 1)."""
    return over_deviation(rise(x, window), x, first_minute).reshape(-1, 1)


@kernel
def _roc_more(value: F, x: F, first_minute: int, window: int) -> F:
    # A market at rest for 60 rows leaves the changes of the rows before it: no reason for NaN.
    out = readings(value, value, 0.0, 0.0, first_minute)
    moves = rise(x, window)
    for row in range(len(x)):
        out[row, 3] = zone(moves[row], 0.0, 0.0)
    return out


@kernel
def roc_readings(x: F, first_minute: int, window: int) -> F:
    """Percent change, its own change, score and sign: (T, 4)."""
    return _roc_more(roc(x, first_minute, window)[:, 0], x, first_minute, window)


@kernel
def roc_bqx_readings(x: F, first_minute: int, window: int) -> F:
    """Change in percent of the deviation over 60 rows, its change, score and sign: (T, 4)."""
    return _roc_more(roc_bqx(x, first_minute, window)[:, 0], x, first_minute, window)


def _roc_rows(window: int) -> int:
    return window + 1


def _roc_bqx_rows(window: int) -> int:
    return max(window + 1, LEVEL_ROWS)


def beside(name: str, noun: str, rows: Callable[..., int], *bounds: float) -> dict[str, Output]:
    """Change over five rows and score over 60 of an indicator."""
    return {
        "delta_5": Output(
            "%",
            *bounds,
            alias=f"{name.lower()}_{{0}}_delta_5",
            lookback=lambda w: rows(w) + DELTA,
            title=f"Five-row change of the {noun} of {{x}}",
            formula=f"delta({name}({{0}}), 5)",
        ),
        "z_60": Output(
            "1",
            alias=f"{name.lower()}_{{0}}_z_60",
            lookback=lambda w: rows(w) + SCORE_ROWS - 1,
            title=f"Z-score of the {noun} of {{x}} over 60 rows",
            formula=f"z({name}({{0}}), 60)",
        ),
    }


def _roc_outputs(rows: Callable[..., int], roc: Output) -> dict[str, Output]:
    sign = Output(
        *SIGNED,
        alias="roc_{0}_sign",
        lookback=_roc_rows,
        title="Direction of the change of {x}",
        formula="sign(x[t] - x[t-{0}])",
    )
    return {"": roc, **beside("ROC", "rate of change", rows), "sign": sign}


_ROC = Output(
    "%", alias="roc_{0}", title="Rate of change of {x}", formula="100 (x[t] - x[t-{0}]) / x[t-{0}]"
)
_ROC_BQX = replace(
    _ROC,
    title="Change of {x} in percent of its deviation",
    formula="100 (x[t] - x[t-{0}]) / std(x, 60)",
)

_roc = partial(
    family, "roc", table="technical", sources=RATE, about="rate of change", lookback=_roc_rows
)
_roc_of_bqx = partial(
    _roc,
    sources=BQX,
    about="change in percent of the deviation over 60 rows",
    lookback=_roc_bqx_rows,
)


FAMILIES = (
    _roc(roc_readings, _roc_outputs(_roc_rows, _ROC), windows=12),
    _roc(roc, _ROC, windows=(5, 25, 60)),
    _roc_of_bqx(roc_bqx_readings, _roc_outputs(_roc_bqx_rows, _ROC_BQX), windows=12),
    _roc_of_bqx(roc_bqx, _ROC_BQX, windows=(5, 25, 60)),
)
