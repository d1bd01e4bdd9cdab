"""Order statistics of trailing windows.

Percentiles interpolate between the sorted values. ``mad`` is the median distance from the median.
``entropy`` is that of the shares in ten equal bins between minimum and maximum, in nats; a value
on an edge (to a billionth of a bin, since values are multiples of a tick) belongs to the upper
bin.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

BINS = 10

PERCENTS = (5, 10, 25, 50, 75, 90, 95)
_PERCENTS = np.array(PERCENTS)


@kernel
def _replace(ordered: F, filled: int, old: float, new: float) -> None:
    """Put ``new`` among ``filled`` ascending values, in the place of ``old`` unless that is NaN."""
    if np.isnan(old):
        at = filled
    else:
        at, above = 0, filled
        while at < above:
            middle = (at + above) // 2
            if ordered[middle] < old:
                at = middle + 1
            else:
                above = middle
        filled -= 1
    while at < filled and ordered[at + 1] < new:
        ordered[at] = ordered[at + 1]
        at += 1
    while at > 0 and ordered[at - 1] > new:
        ordered[at] = ordered[at - 1]
        at -= 1
    ordered[at] = new


@kernel
def _distance(ordered: F, centre: float, k: int) -> float:
    """The ``k``-th smallest distance from ``centre``, which is that of a run of ``k`` values."""
    low, high = 0, len(ordered) - k
    while low < high:
        middle = (low + high) // 2
        if centre - ordered[middle] > ordered[middle + k - 1] - centre:
            low = middle + 1
        else:
            high = middle
    best = max(centre - ordered[low], ordered[low + k - 1] - centre)
    if low > 0:
        best = min(best, max(centre - ordered[low - 1], ordered[low + k - 2] - centre))
    return best


@kernel
def _mad(ordered: F, centre: float) -> float:
    size = len(ordered)
    upper = _distance(ordered, centre, size // 2 + 1)
    return upper if size % 2 else 0.5 * (_distance(ordered, centre, size // 2) + upper)


@kernel
def order(x: F, first_minute: int, window: int) -> F:
    """Order statistics of each window: (T, 11), seven percentiles, range, iqr, mad, entropy.

    The window is kept sorted by insertion: of order ``window`` a row, with a small constant.
    """
    rows = len(x)
    out = np.full((rows, len(_PERCENTS) + 4), np.nan)
    ordered = np.empty(window)
    counts = np.empty(BINS, dtype=np.int64)
    surprise = np.zeros(window + 1)
    for count in range(1, window + 1):
        surprise[count] = -(count / window) * np.log(count / window)
    most = np.log(BINS)
    ranks = (window - 1) * _PERCENTS
    lows, shares = ranks // 100, (ranks % 100) / 100.0
    filled = 0
    for row in range(rows):
        if np.isnan(x[row]):
            filled = 0
            continue
        if filled < window:
            _replace(ordered, filled, np.nan, x[row])
            filled += 1
        else:
            _replace(ordered, filled, x[row - window], x[row])
        if filled < window:
            continue
        for i in range(len(_PERCENTS)):
            low = lows[i]
            out[row, i] = ordered[low]
            if shares[i] > 0.0:
                out[row, i] += shares[i] * (ordered[low + 1] - ordered[low])
        least, extent = ordered[0], ordered[-1] - ordered[0]
        out[row, 7] = extent
        out[row, 8] = out[row, 4] - out[row, 2]
        out[row, 9] = _mad(ordered, out[row, 3])
        entropy = 0.0
        if extent > 0.0:
            counts[:] = 0
            scale = BINS / extent
            for i in range(window):
                counts[min(int((ordered[i] - least) * scale + ROUNDING), BINS - 1)] += 1
            for i in range(BINS):
                entropy += surprise[counts[i]]
        out[row, 10] = min(entropy, most)
    return out


OUTPUTS: dict[str, Output] = {
    **{
        f"p{p}": Output(
            "{u}",
            alias=f"p{p}_{{0}}min",
            title=f"{p}th percentile of {{x}}",
            formula=f"quantile(x, {{0}}, {p / 100})",
        )
        for p in PERCENTS
    },
    "range": Output(
        "{u}", 0.0, alias="range_{0}min", title="Range of {x}", formula="max(x, {0}) - min(x, {0})"
    ),
    "iqr": Output(
        "{u}",
        0.0,
        alias="iqr_{0}min",
        title="Interquartile range of {x}",
        formula="quantile(x, {0}, 0.75) - quantile(x, {0}, 0.25)",
    ),
    "mad": Output(
        "{u}",
        0.0,
        alias="mad_{0}min",
        title="Median absolute deviation of {x}",
        formula="median(|x - median(x, {0})|, {0})",
    ),
    "entropy": Output(
        "1",
        0.0,
        float(np.log(BINS)),
        alias="entropy_{0}min",
        about="of ten equal bins, nats",
        title="Entropy of the distribution of {x}",
        formula="-sum(p ln p), p shares of {0} rows in 10 bins",
    ),
}
_SPREADS = ("range", "iqr", "mad", "entropy")


@kernel
def spreads(x: F, first_minute: int, window: int) -> F:
    """Range, iqr, mad and entropy of each window: (T, 4)."""
    return order(x, first_minute, window)[:, 7:]


@kernel
def upper(x: F, first_minute: int, window: int) -> F:
    """Median, 75th and 90th percentile, and the spreads: (T, 7)."""
    ordered = order(x, first_minute, window)
    out = np.empty((len(x), 7))
    out[:, :3], out[:, 3:] = ordered[:, 3:6], ordered[:, 7:]
    return out


def _order(kernel: Callable[[F, int, int], F], window: int, *names: str) -> Family:
    outputs = {name: OUTPUTS[name] for name in names}
    if {"p25", "p75"} <= set(names):
        spans = ("{s}_order_p75_w{0}", "{s}_order_p25_w{0}")
        outputs["iqr"] = replace(outputs["iqr"], spanned_by=spans)
    return family(
        "order",
        kernel,
        outputs,
        table="statistics",
        sources=(RATE, BQX),
        windows=window,
        about="sorted values of the trailing window, current row included",
    )


FAMILIES = (
    _order(order, 15, *(f"p{p}" for p in PERCENTS), *_SPREADS),
    _order(spreads, 30, *_SPREADS),
    _order(upper, 60, "p50", "p75", "p90", *_SPREADS),
)
