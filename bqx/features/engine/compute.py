"""Features from bars: one path for history and for the last bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bqx.errors import ParameterError
from bqx.features.engine.batched import Call, Series
from bqx.features.spec import Array, Feature, Source
from bqx.market.bars import Bars

if TYPE_CHECKING:
    import pandas as pd

STRETCH = 8_192
"""Rows that a kernel is given at a time, so that what it makes stays in the cache."""

TIERS = (330, 1_600)
"""Features of alike lookbacks are computed together, so that short windows read few rows."""

_SHARE = 16  # rows of a stretch to each that is read again before it


def warm_up(features: Iterable[Feature]) -> int:
    """Bars that reproduce the features' values, the current one included."""
    return max((feature.lookback for feature in features), default=0)


@dataclass(frozen=True, eq=False)
class PlannedCall(Call):
    """A call for one feature, or for several of one family, source and windows.

    ``rows`` : bars that reproduce a value.
    """

    feature: Feature
    rows: int


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
        self.calls = tuple(_planned(features, columns) for columns in grouped.values())
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
        rows = len(bars) if last is None else min(last, len(bars))
        out = np.empty((1, len(self.features), rows), dtype)
        for run in self.works((bars,), out, (fits,)):
            run()
        values: NDArray[Any] = out[0].T
        return values

    def works(
        self,
        bars: Sequence[Bars],
        out: NDArray[Any],
        fits: Sequence[Mapping[str, Array] | None],
    ) -> Iterator[Callable[[], None]]:
        """What is to be done for the values of several pairs, in any order or thread.

        Parameters
        ----------
        bars : of each pair, on the same rows.
        out : (pairs, features, last rows wanted), that is filled.
        fits : of each pair, see `compute`.
        """
        parameters = [
            [parameters_of(call.feature, of) for of in fits] if call.feature.fit_key else []
            for call in self.calls
        ]
        calls = list(zip(self.calls, parameters, strict=True))
        count, first_minute = len(bars[0]), bars[0].first_market_minute
        ahead = count - out.shape[2]
        built: dict[int, Series] = {}
        for call, fitted in calls:
            source = call.feature.source
            if source.inputs:
                continue
            if id(source) not in built:
                built[id(source)] = Series([source.build(b) for b in bars], count, first_minute)
            series = built[id(source)]
            # What lies behind a row of the source is not read again, unless its columns differ in
            # that.
            behind = call.rows - (max(source.lookback, 1) if len(series.shape) == 1 else 1)
            for start, stop in _stretches(ahead, count, call.rows):
                filled = slice(start - ahead, stop - ahead)
                rows = slice(max(start - behind, 0), stop)
                yield partial(series.run, call, rows, out, filled, fitted)
        for stack in self._stacks:
            for start, values in stack(bars, fits, out.shape[2]):
                stop = start + len(values[0])
                series = Series(values, stop, first_minute)
                filled = slice(start - ahead, stop - ahead)
                for call, fitted in calls:
                    if call.feature.source is stack.source:
                        yield partial(series.run, call, slice(start, stop), out, filled, fitted)


def tiers(features: Sequence[Feature]) -> list[tuple[NDArray[np.int64], Plan]]:
    """Plans of features of alike lookbacks, and which of the features are in each."""
    columns: dict[int, list[int]] = {}
    for call in Plan(features).calls:
        number = int(np.searchsorted(TIERS, call.rows))
        columns.setdefault(number, []).extend(map(int, call.columns))
    return [
        (np.array(tier), Plan([features[column] for column in tier]))
        for _, tier in sorted(columns.items())
    ]


def _stretches(start: int, stop: int, read: int) -> Iterator[tuple[int, int]]:
    """Rows from start to stop in stretches, where each reads some rows before it again."""
    step = max(STRETCH, _SHARE * read)
    for first in range(start, stop, step):
        yield first, min(first + step, stop)


class Stack:
    """A source that is made of features, a stretch of rows at a time.

    Its kernels read no row but their own.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._plan = Plan(source.inputs)

    def __call__(
        self, bars: Sequence[Bars], fits: Sequence[Mapping[str, Array] | None], last: int
    ) -> Iterator[tuple[int, list[Array]]]:
        """First row of each stretch of the last rows of the bars, and (n, C) of each pair."""
        behind, count = self._plan.lookback - 1, len(bars[0])
        for start, stop in _stretches(count - last, count, behind // 2):
            series = []
            for pair_bars, parameters in zip(bars, fits, strict=True):
                read = pair_bars.rows(max(start - behind, 0), stop)
                values = self._plan(read, np.float64, stop - start, parameters)
                series.append(self.source.build(read, values))
            yield start, series


def _planned(features: Sequence[Feature], columns: list[int]) -> PlannedCall:
    first = features[columns[0]]
    family, names = first.family, list(first.family.outputs)
    outputs = np.array([names.index(features[column].output) for column in columns])
    rows = max(warm_up(features[column] for column in columns), 1)
    return PlannedCall(family.kernel, first.window, outputs, np.array(columns), first, rows)


def parameters_of(feature: Feature, fits: Mapping[str, Array] | None) -> Array:
    """What the kernel of a fitted family takes after the windows."""
    fits = fits or {}
    if feature.fit_key not in fits:
        raise ParameterError(
            f"{feature.name}: not fitted, got fits of {', '.join(fits) or 'nothing'}; expected "
            f"{feature.fit_key}. Fit the features on training rows first (features.fitting)."
        )
    return fits[feature.fit_key]


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
    import pandas as pd

    return pd.DataFrame(
        compute(bars, features, fits=fits),
        index=bars.ts,
        columns=[feature.name for feature in features],
    )
