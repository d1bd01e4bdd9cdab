"""Screens of columns as trials: every test of a column that was ever looked at on given bars."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.features.lags import Column
from bqx.files import digest
from bqx.runs.trials import BarSpan

TEST = ["window", "scope", "number", "horizon"]
"""What one test differs from another by, ``number`` standing for the column."""


@dataclass(frozen=True, eq=False)
class ScreenTrials:
    """Tests of columns on given bars.

    ``bars`` : whose rows were looked at; ``window`` : of the target, minutes, or matched.
    ``scopes`` : pairs, and all of them together; ``columns`` : (C,) numbers, see `number_of`;
    ``horizons`` : minutes; ``p`` : (scopes, C, H) float32 p-values, NaN where there is no test.
    """

    bars: BarSpan
    window: str
    scopes: tuple[str, ...]
    columns: NDArray[np.int64]
    horizons: tuple[int, ...]
    p: NDArray[np.float32]

    @cached_property
    def name(self) -> str:
        """Hash of what was tested and of what came of it."""
        about = [self.bars.market, self.bars.content, self.window, self.scopes, self.horizons]
        outcome = hashlib.sha256(digest(about).encode())
        outcome.update(np.ascontiguousarray(self.columns, dtype="<i8").tobytes())
        outcome.update(np.ascontiguousarray(self.p, dtype="<f4").tobytes())
        return outcome.hexdigest()

    def tests(self) -> pd.DataFrame:
        """One row per test: `TEST`, and its p-value."""
        axes = ([self.window], self.scopes, self.columns, self.horizons)
        frame = pd.MultiIndex.from_product(axes, names=TEST).to_frame(index=False)
        return frame.assign(p=self.p.ravel().astype(np.float64))


def number_of(column: Column) -> int:
    """A number of 63 bits that stands for what decides a column's values."""
    text = f"{column.feature.identity} {column.lag} {column.suffix}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def earlier(screen: ScreenTrials, known: Sequence[ScreenTrials]) -> NDArray[np.float64]:
    """(n,) p-values of tests of known screens that a screen does not hold, each test once."""
    tested = pd.MultiIndex.from_frame(screen.tests()[TEST])
    tests = [known_screen.tests() for known_screen in known if known_screen.name != screen.name]
    if not tests:
        return np.empty(0)
    others = pd.concat(tests).dropna().drop_duplicates(TEST)
    return others.loc[~pd.MultiIndex.from_frame(others[TEST]).isin(tested), "p"].to_numpy()
