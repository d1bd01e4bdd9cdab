"""Features from bars: one path for history and for the last bar."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import DTypeLike, NDArray

from bqx.bars import Bars
from bqx.errors import ParameterError
from bqx.features.spec import Array, Feature, Source

_BLOCK = 256

STRETCH = 8_192
"""Rows that a kernel is given at a time, so that what it makes stays in the cache."""

_SHARE = 16  # rows of a stretch to each that is read again before it


def warm_up(features: Iterable[Feature]) -> int:
    """Bars that reproduce the features' values, the current one included."""
    return max((feature.lookback for feature in features), default=0)


@njit(cache=True, error_model="numpy")
def _place(
    values: NDArray[np.float64],
    picked: NDArray[np.int64],
    out: NDArray[Any],
    columns: NDArray[np.int64],
    first: int,
    last: int,
) -> None:
    """Copy the end of row-major values to rows of column-major ``out``; infinite becomes NaN."""
    # Block by block, so that a row's outputs are read from the cache for every column but one.
    above = len(values) - last
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        for i in range(len(picked)):
            of, to = values[above + start : above + stop, picked[i]], out[start:stop, columns[i]]
            for row in range(len(to)):
                to[row] = of[row]
            for row in range(len(to)):
                to[row] = np.nan if abs(to[row]) == np.inf else to[row]


@dataclass(frozen=True)
class Call:
    """A run of a kernel, whatever the number of its outputs: for one feature, or for several.

    ``rows`` : bars that reproduce a value; ``picked`` : outputs, and ``columns`` that they fill.
    """

    feature: Feature
    rows: int
    picked: NDArray[np.int64]
    columns: NDArray[np.int64]


class Plan:
    """What has to run to compute features, in the order wanted.

    ``lookback`` : bars that reproduce the values of all.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        self.lookback = warm_up(features)
        grouped: dict[tuple[int, str, tuple[int, ...]], list[int]] = {}
        for column, feature in enumerate(features):
            key = (id(feature.family), feature.source.key, feature.window)
            grouped.setdefault(key, []).append(column)
        self.calls = tuple(_call(features, columns) for columns in grouped.values())
        sources = {id(call.feature.source): call.feature.source for call in self.calls}
        self._stacks = tuple(Stack(source) for source in sources.values() if source.inputs)

    def __call__(
        self,
        bars: Bars,
        dtype: DTypeLike = np.float32,
        last: int | None = None,
        fits: Mapping[str, Array] | None = None,
    ) -> NDArray[Any]:
        """Values on the last rows of the bars, see `compute`."""
        fits = fits or {}
        learnt = [_parameters(call.feature, fits) for call in self.calls]
        count, first = len(bars), bars.first_market_minute
        rows = count if last is None else min(last, count)
        ahead = count - rows
        out = np.empty((rows, len(self.features)), dtype=dtype, order="F")
        sources: dict[int, NDArray[np.float64]] = {}
        for call, parameters in zip(self.calls, learnt, strict=True):
            feature = call.feature
            source, kernel, window = feature.source, feature.family.kernel, feature.window
            if source.inputs:
                continue
            x = sources.get(id(source))
            if x is None:
                x = sources[id(source)] = np.ascontiguousarray(source.build(bars))
            # What lies behind a row of the source is not read again, unless its columns differ in
            # that.
            behind = call.rows - (max(source.lookback, 1) if x.ndim == 1 else 1)
            step = max(STRETCH, _SHARE * call.rows)
            for start in range(ahead, count, step):
                stop = min(start + step, count)
                above = max(start - behind, 0)
                values = kernel(x[above:stop], first + above, *window, *parameters)
                _place(values, call.picked, out, call.columns, start - ahead, stop - ahead)
        for stack in self._stacks:
            for start, x in stack(bars, fits, rows):
                for call, parameters in zip(self.calls, learnt, strict=True):
                    if call.feature.source is stack.source:
                        kernel, window = call.feature.family.kernel, call.feature.window
                        values = kernel(x, first + start, *window, *parameters)
                        at = start - ahead
                        _place(values, call.picked, out, call.columns, at, at + len(x))
        return out


class Stack:
    """A source that is made of features, a stretch of rows at a time.

    Its kernels read no row but their own.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._plan = Plan(source.inputs)

    def __call__(
        self, bars: Bars, fits: Mapping[str, Array], last: int
    ) -> Iterator[tuple[int, Array]]:
        """First row of each stretch of the last rows of the bars, and (n, C) of the source."""
        behind = self._plan.lookback - 1
        step = max(STRETCH, _SHARE * behind // 2)
        for start in range(len(bars) - last, len(bars), step):
            stop = min(start + step, len(bars))
            part = bars.rows(max(start - behind, 0), stop)
            values = self._plan(part, np.float64, stop - start, fits)
            yield start, np.ascontiguousarray(self.source.build(part, values))


def _call(features: Sequence[Feature], columns: list[int]) -> Call:
    one = features[columns[0]]
    outputs = list(one.family.outputs)
    picked = [outputs.index(features[column].output) for column in columns]
    rows = max(warm_up(features[column] for column in columns), 1)
    return Call(one, rows, np.array(picked), np.array(columns))


def _parameters(feature: Feature, fits: Mapping[str, Array]) -> tuple[Array, ...]:
    """What a kernel takes after the windows: the parameters of a fitted family, else nothing."""
    if not feature.fit_key:
        return ()
    if feature.fit_key not in fits:
        raise ParameterError(
            f"{feature.name}: not fitted, got fits of {', '.join(fits) or 'nothing'}; expected "
            f"{feature.fit_key}. Fit the features on training rows first (features.fitting)."
        )
    return (fits[feature.fit_key],)


def compute(
    bars: Bars,
    features: Sequence[Feature],
    dtype: DTypeLike = np.float32,
    last: int | None = None,
    fits: Mapping[str, Array] | None = None,
) -> NDArray[Any]:
    """Values of features on rows of the bars.

    A value depends on the feature's ``lookback`` last bars alone, bit for bit, so that any slice
    that holds them gives the same numbers: batch, resumed and live values are equal.

    Parameters
    ----------
    bars : T rows of one pair.
    features : in the order wanted; each kernel runs once whatever the number of its outputs.
    dtype : of the result; arithmetic is float64.
    last : rows wanted, counted from the last one; default all. Kernels then see no more of their
        source than these rows depend on.
    fits : parameters of fitted families by ``Feature.fit_key``.

    Returns
    -------
    (T or last, len(features)), NaN in warm-up and where a feature is not defined; never infinite.

    Raises
    ------
    ParameterError : a fitted feature's parameters are not among the fits.
    """
    return Plan(features)(bars, dtype, last, fits)


def table(
    bars: Bars, features: Sequence[Feature], fits: Mapping[str, Array] | None = None
) -> pd.DataFrame:
    """Feature values as a frame: index ``ts_utc``, a float32 column a feature."""
    return pd.DataFrame(
        compute(bars, features, fits=fits),
        index=bars.ts,
        columns=[feature.name for feature in features],
    )
