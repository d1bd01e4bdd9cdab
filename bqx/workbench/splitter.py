"""The purged folds as scikit-learn's cross-validation takes them, and as a reader sees them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.learning.folds import Fold
from bqx.market import sessions

Rows = NDArray[np.int64]
Part = Literal["train", "validation", "test"]
"""Rows of a fold."""

WIDTH = 60
"""Characters of a fold's picture."""
_COLOURS = {"o": "#0072B2", "v": "#E69F00", "x": "#009E73", "p": "#BBBBBB"}


@dataclass(frozen=True)
class PurgedFolds:
    """Walk-forward folds of a study, as a splitter of scikit-learn.

    ``folds`` : over the rows of the grid; ``minutes`` : (T,) epoch minutes of these rows.

    Train rows whose bars or labels meet held-out ones are left out already, so that
    ``cross_val_score(estimator, X, y, cv=study.folds)`` tests nothing that was seen.
    """

    folds: tuple[Fold, ...]
    minutes: Rows

    def __len__(self) -> int:
        return len(self.folds)

    def __getitem__(self, number: int) -> Fold:
        return self.folds[number]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return len(self.folds)

    def split(
        self, X: pd.DataFrame, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[Rows, Rows]]:
        """Positions in ``X`` of each fold's train and validation rows, and of its test rows.

        Parameters
        ----------
        X : indexed by ``ts_utc``, any rows of the study's grid in any order.

        Raises
        ------
        ParameterError : an index that is not of the study's grid.
        """
        row = self._rows(X)
        for fold in self.folds:
            learnt = np.isin(row, np.concatenate((fold.train, fold.validation)))
            yield np.flatnonzero(learnt), np.flatnonzero(np.isin(row, fold.test))

    def rows(self, number: int, part: Part) -> Rows:
        """Rows of the grid of a part of a fold.

        Raises
        ------
        ParameterError : no such fold or part.
        """
        if type(number) is not int or number not in range(-len(self), len(self)):
            raise ParameterError(
                f"fold: not there, got {number!r}; expected a number from 0 to {len(self) - 1}. "
                "study.folds shows them."
            )
        if part not in get_args(Part):
            raise ParameterError(
                f"part: not of a fold, got {part!r}; expected {', '.join(get_args(Part))}."
            )
        rows: Rows = getattr(self.folds[number], part)
        return rows

    def table(self) -> pd.DataFrame:
        """One row per fold: first and last time and number of rows of each of its parts."""
        times = sessions.timestamps(self.minutes)
        rows = []
        for fold in self.folds:
            parts = {"train": fold.train, "validation": fold.validation, "test": fold.test}
            row: dict[str, Any] = {"fold": fold.number}
            for name, members in parts.items():
                row[f"{name} from"] = times[members[0]].strftime("%Y-%m-%d")
                row[f"{name} to"] = times[members[-1]].strftime("%Y-%m-%d")
                row[f"{name} rows"] = len(members)
            rows.append(row)
        return pd.DataFrame(rows).set_index("fold")

    def _rows(self, X: pd.DataFrame) -> Rows:
        index = getattr(X, "index", None)
        if not isinstance(index, pd.DatetimeIndex):
            raise ParameterError(
                f"folds: rows without a time, got {type(X).__name__}; expected a DataFrame indexed "
                "by ts_utc. Take it from study.xy."
            )
        row = pd.Index(sessions.timestamps(self.minutes)).get_indexer(index)
        if (row < 0).any():
            raise ParameterError(
                f"folds: rows of other bars, got {index[row < 0][0]}; expected rows of the study. "
                "Take them from study.xy."
            )
        return row.astype(np.int64)

    def _pictures(self) -> list[str]:
        """Each fold as a line: o trains, v validates, x tests, p is purged, a dot is not used."""
        edges = np.linspace(0, len(self.minutes), WIDTH + 1).astype(np.int64)
        return [_picture(fold, edges) for fold in self.folds]

    def __repr__(self) -> str:
        legend = "o train, v validation, x test, p purged, . not used"
        lines = [f"fold {f.number}: {p}" for f, p in zip(self.folds, self._pictures(), strict=True)]
        return "\n".join((*lines, legend))

    def _repr_html_(self) -> str:
        lines = [_coloured(line) for line in repr(self).splitlines()[:-1]]
        legend = ", ".join(
            f'<span style="color:{_COLOURS[mark]}">{mark}</span> {word}'
            for mark, word in zip("ovxp", ("train", "validation", "test", "purged"), strict=True)
        )
        return f"<pre>{'<br>'.join(lines)}<br>{legend}</pre>"


def _picture(fold: Fold, edges: Rows) -> str:
    counts = [np.histogram(rows, edges)[0] for rows in (fold.train, fold.validation, fold.test)]
    first = min(int(rows[0]) for rows in (fold.train, fold.validation, fold.test))
    marks = []
    for position, most in enumerate(np.argmax(counts, axis=0)):
        if counts[most][position] * 2 >= edges[position + 1] - edges[position]:
            marks.append("ovx"[most])
        else:
            inside = edges[position + 1] > first and edges[position] <= fold.test[-1]
            marks.append("p" if inside else ".")
    return "".join(marks)


def _coloured(line: str) -> str:
    head, _, marks = line.partition(": ")
    spans: Sequence[str] = [
        f'<span style="color:{_COLOURS[mark]}">{mark}</span>' if mark in _COLOURS else mark
        for mark in marks
    ]
    return f"{escape(head)}: {''.join(spans)}"
