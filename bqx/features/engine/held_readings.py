"""Readings whose values stand until a clock bucket is complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.abreast_steps import by_column
from bqx.features.engine.kept_series import KeptSource, Move
from bqx.features.engine.newest_calls import Fits, Reading, Readings, alike


class HeldReadings:
    """Readings of one source, which are run anew where a bucket of theirs ends with the newest row.

    Elsewhere a pair keeps its values, unless one of them is NaN: rows without a gap may by now be
    as many as it takes. It does not where its newest row has a NaN, or rows have been corrected.
    """

    def __init__(self, source: KeptSource, readings: Sequence[Reading]) -> None:
        self._source = source
        of_size: dict[int, list[Reading]] = {}
        for reading in readings:
            bucket = reading.feature.family.bucket
            assert bucket is not None
            of_size.setdefault(bucket(*reading.feature.window), []).append(reading)
        self._held = [_Held(size, members, source) for size, members in of_size.items()]

    def run(self, move: Move, out: NDArray[Any], fits: Fits) -> None:
        """Fill ``out`` (pairs, 1, columns)."""
        if move.newer:
            newest = self._source.newest(1)
            corrected = (move.newer, move.ahead) != (1, 1) or move.anew
            missing = np.logical_or(np.isnan(by_column(newest)[:, 0]).any(axis=1), corrected)
            for held in self._held:
                held.go_on(move.market_minute, missing, fits)
        for held in self._held:
            out[:, :, held.columns] = held.values


class _Held:
    """Values of readings on buckets of so many minutes."""

    def __init__(self, size: int, readings: Sequence[Reading], source: KeptSource) -> None:
        self._size = size
        self.columns = np.concatenate([reading.columns for reading in readings])
        self.values = np.full((len(source.values), 1, len(self.columns)), np.nan)
        self._missing = np.ones(len(source.values), dtype=bool)
        ends = np.cumsum([len(reading.columns) for reading in readings])
        self._readings: list[Readings] = alike(
            [
                replace(reading, columns=np.arange(end - len(reading.columns), end))
                for reading, end in zip(readings, ends, strict=True)
            ]
        )

    def go_on(self, minute: int, missing: NDArray[np.bool_], fits: Fits) -> None:
        """Compute values where a row is missing, where there were none, or a bucket ends."""
        anew = missing | self._missing | ((minute + 1) % self._size == 0)
        if not anew.any():
            return
        pairs = np.flatnonzero(anew)
        for readings in self._readings:
            for work in readings.works(minute, self.values, fits, pairs=pairs):
                work()
        self._missing = np.isnan(self.values).any(axis=(1, 2))
