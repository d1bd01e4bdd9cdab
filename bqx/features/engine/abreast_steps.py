"""First steps of kernels that go on from states, for all pairs at once.

What a pair's state holds lies apart in memory, and to fetch it takes longer than to compute with
it. States of all pairs lie side by side instead: what a minute reads of them follows each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from bqx.compiled import address, call, kernel, with_item
from bqx.features.engine.first_steps import Step
from bqx.features.engine.kept_series import KeptSeries, KeptSource, Move
from bqx.features.engine.newest_calls import Fits, Reading
from bqx.features.spec import Array

Calls = NDArray[np.int64]


@kernel(nogil=True)
def _go_on(
    calls: Calls,
    now: tuple[int, int, int, int, int],
    numbers: tuple[int, ...],
    x: Array,
    states: Array,
    out: Array,
    anew: bool,
) -> None:
    """Run kernels on the newest rows of ``x`` (pairs, rows, C), one by one, and put what they give
    into rows of ``out`` (pairs, rows, columns).

    ``calls`` (n, 5 or more) : address of the kernel; the first column that it fills; first and end
    of its ``states`` (S, pairs); rows that decide one of its rows; windows. ``now`` : the newest
    market minute; the end of the series and how many of its rows are there; the end of the rows
    filled, and how many. ``numbers`` : a tuple as long as a kernel's numbers. ``anew`` : whether
    rows before those filled are read too.
    """
    minute, end, count, filled, rows = now
    columns, pairs = x.shape[2], len(x)
    newest = np.empty((columns, pairs))
    for i in range(len(calls)):
        of = calls[i]
        state = states[of[2] : of[3]]
        for k in range(1, len(numbers)):
            numbers = with_item(numbers, k, of[4 + k])
        for back in range(min(rows + (of[4] - 1 if anew else 0), count) - 1, -1, -1):
            for pair in range(pairs):
                for column in range(columns):
                    newest[column, pair] = x[pair, end - 1 - back, column]
            numbers = with_item(numbers, 0, minute - back)
            values = call(of[0], (newest,) + numbers + (state,))  # noqa: RUF005
            if back < rows:
                for column in range(len(values)):
                    for pair in range(pairs):
                        out[pair, filled - 1 - back, of[1] + column] = values[column, pair]


@dataclass(frozen=True)
class Abreast:
    """A first step that goes on from the states of all pairs, see `Steps`.

    ``begin`` : state of a pair of some fits, before any row. ``behind`` : rows that decide one of
    its rows. ``column`` : the first that it fills. ``state`` : first and end of it among those of
    the steps beside it.
    """

    kernel: Callable[..., Array]
    window: tuple[int, ...]
    begin: Callable[[Mapping[str, Array] | None], Array]
    behind: int
    column: int
    state: tuple[int, int]


class AbreastStep(Step):
    """First steps of one source that go on from states of all pairs, and what reads their rows.

    They begin anew for pairs that have got another value where they have read one.
    """

    def __init__(
        self,
        source: KeptSource,
        kept: KeptSeries,
        going: Sequence[Abreast],
        readings: Sequence[Reading],
    ) -> None:
        super().__init__(kept, readings)
        self._source, self._going = source, going
        self._states = np.empty((going[-1].state[1], len(kept.values)))
        self._numbers = (0,) * (1 + len(going[0].window))
        self._behind = max(of.behind for of in going)
        calls = [
            [
                _address_of(of.kernel, len(of.window)) or 0,
                *(of.column, *of.state, of.behind, *of.window),
            ]
            for of in going
        ]
        self._calls = np.array(calls, dtype=np.int64)

    def _take(self, move: Move, fits: Fits) -> None:
        kept, source = self._kept, self._source
        anew = source.corrected | (move.ahead > kept.length)
        if anew.all():
            kept.go_on(move)
        else:
            rows = kept.go_on(move.coming).shape[1]
            now = move.market_minute, source.end, source.count, kept.end, rows
            self._run(now, by_column(source.values), self._states, kept.values, False)
        if anew.any():
            self._take_anew(np.flatnonzero(anew), move, fits)

    def _take_anew(self, pairs: NDArray[np.int64], move: Move, fits: Fits) -> None:
        newest = self._kept.newest(move.newer)
        rows = newest.shape[1]
        x = by_column(self._source.newest(self._behind + rows - 1)[pairs])
        states = np.empty((len(self._states), len(pairs)))
        for of in self._going:
            for place, pair in enumerate(pairs.tolist()):
                states[slice(*of.state), place] = of.begin(fits[pair])
        out = np.full((len(pairs), *newest.shape[1:]), np.nan)
        now = move.market_minute, x.shape[1], x.shape[1], rows, rows
        self._run(now, x, states, out, True)
        self._states[:, pairs], newest[pairs] = states, out

    def _run(
        self, now: tuple[int, int, int, int, int], x: Array, states: Array, out: Array, anew: bool
    ) -> None:
        if self._calls[0, 0]:
            _go_on(self._calls, now, self._numbers, x, states, out, anew)
            return
        minute, end, count, filled, rows = now
        for of in self._going:
            state = states[slice(*of.state)]
            for back in reversed(range(min(rows + (of.behind - 1 if anew else 0), count))):
                row = np.ascontiguousarray(x[:, end - 1 - back].T)
                values = of.kernel(row, minute - back, *of.window, state)
                if back < rows:
                    columns = slice(of.column, of.column + len(values))
                    out[:, filled - 1 - back, columns] = values.T


def by_column(values: Array) -> Array:
    """A series (pairs, rows, ...) with a third dimension: (pairs, rows, C)."""
    return np.ascontiguousarray(values.reshape(*values.shape[:2], -1))


@cache
def _address_of(function: Any, windows: int) -> int | None:
    rows = types.Array(types.float64, 2, "C")
    return address(function, (rows, *(types.int64,) * (1 + windows), rows))
