"""Features from bars: one path for history and for the last bar."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import DTypeLike, NDArray

from bqx.bars import Bars
from bqx.features.spec import Feature

_BLOCK = 2_048


def warm_up(features: Iterable[Feature]) -> int:
    """Bars that reproduce the features' values, the current one included."""
    return max((feature.lookback for feature in features), default=0)


@njit(cache=True, error_model="numpy")
def _place(
    values: NDArray[np.float64],
    picked: NDArray[np.int64],
    out: NDArray[Any],
    columns: NDArray[np.int64],
) -> None:
    """Copy columns of row-major values into column-major ``out``; what is infinite becomes NaN."""
    # Block by block, so that a row's outputs are read from the cache for every column but one.
    for start in range(0, len(values), _BLOCK):
        stop = min(start + _BLOCK, len(values))
        for i in range(len(picked)):
            for row in range(start, stop):
                out[row, columns[i]] = values[row, picked[i]]
                if np.isinf(out[row, columns[i]]):
                    out[row, columns[i]] = np.nan


def compute(bars: Bars, features: Sequence[Feature], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Values of features on every row of the bars.

    A value depends on the feature's ``lookback`` last bars alone, bit for bit, so that any slice
    that holds them gives the same numbers: batch, resumed and live values are equal.

    Parameters
    ----------
    bars : T rows of one pair.
    features : in the order wanted; each kernel runs once whatever the number of its outputs.
    dtype : of the result; arithmetic is float64.

    Returns
    -------
    (T, len(features)), NaN in warm-up and where a feature is not defined; never infinite.
    """
    out = np.empty((len(bars), len(features)), dtype=dtype, order="F")
    sources: dict[int, NDArray[np.float64]] = {}
    calls: dict[tuple[int, str, tuple[int, ...]], list[int]] = {}
    for column, feature in enumerate(features):
        key = (id(feature.family), feature.source.key, feature.window)
        calls.setdefault(key, []).append(column)
    for columns in calls.values():
        feature = features[columns[0]]
        source = feature.source
        if id(source) not in sources:
            sources[id(source)] = np.ascontiguousarray(source.build(bars))
        values = feature.family.kernel(
            sources[id(source)], bars.first_market_minute, *feature.window
        )
        outputs = list(feature.family.outputs)
        picked = np.array([outputs.index(features[column].output) for column in columns])
        _place(values, picked, out, np.array(columns))
    return out


def table(bars: Bars, features: Sequence[Feature]) -> pd.DataFrame:
    """Feature values as a frame: index ``ts_utc``, a float32 column a feature."""
    return pd.DataFrame(
        compute(bars, features), index=bars.ts, columns=[feature.name for feature in features]
    )
