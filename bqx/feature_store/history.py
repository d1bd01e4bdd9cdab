"""Columns of a pair over its history: read where its features are published, else computed.

A published value is the computed one bit for bit, so that nothing but the time depends on which of
the two it was. Fitted features belong to a fold, are in no store, and are always computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.feature_store.store import Store
from bqx.features import lags
from bqx.features.engine.fitting import Fits
from bqx.features.lags import Column
from bqx.market.bars import Bars


@dataclass(frozen=True)
class History:
    """A pair's bars, and where their features are published.

    ``bars`` : T rows of the pair.
    ``place`` : of a store that was made of all these bars, see `published.Store`; empty for none.
    """

    bars: Bars
    place: str = ""

    def matrix(
        self, columns: Sequence[Column], rows: NDArray[np.int64], fits: Fits | None = None
    ) -> NDArray[np.float32]:
        """Columns at some ascending rows of the bars: (n, C).

        ``fits`` holds what the fitted families among the columns have learnt. Beside the matrix
        no more is held than a month of a table, or what `lags.matrix` holds.

        Raises
        ------
        ArtefactError : the store has other rows than the bars, or see `published.Store.read`.
        """
        store = self._store
        out = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        stored: list[tuple[int, Column]] = []
        others: list[tuple[int, Column]] = []
        for i, column in enumerate(columns):
            is_stored = store is not None and store.has(column.feature)
            (stored if is_stored else others).append((i, column))
        if store is not None:
            store.fill(self.bars.pair, stored, rows, out)
        if others:
            lags.fill(self.bars, others, rows, out, fits)
        return out

    def matrices(
        self,
        columns: Sequence[Column],
        parts: Sequence[NDArray[np.int64]],
        fits: Fits | None = None,
    ) -> tuple[NDArray[np.float32], ...]:
        """`matrix` at each of several parts of rows, which may overlap: no month is read twice."""
        rows = np.unique(np.concatenate(parts))
        whole = self.matrix(columns, rows, fits)
        return tuple(whole[np.searchsorted(rows, part_rows)] for part_rows in parts)

    @cached_property
    def _store(self) -> Store | None:
        # Opened where it is first read from, so that only the place travels to another process.
        if not self.place:
            return None
        store = Store(self.place)
        times = store.ts(self.bars.pair)
        if not times.equals(self.bars.ts):
            raise ArtefactError(
                f"{self.place}: {self.bars.pair} has other rows than the bars, got {len(times):,} "
                f"from {times[0]}; expected {len(self.bars):,} from {self.bars.ts[0]}. "
                "Publish the features of these bars again."
            )
        return store
