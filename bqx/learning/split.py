"""The split of a run: its folds, and the parameters that they and the labels are made by.

Folds are written as runs of rows with the times of their ends, so that they can be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.features.engine.fitting import Fits
from bqx.features.lags import Column
from bqx.learning import folds, targets
from bqx.learning.folds import Fold, Rows
from bqx.market import sessions
from bqx.params import SPLIT_KEYS, Params

PARTS = ("train", "validation", "test", "scored")


@dataclass(frozen=True)
class Split:
    """Folds over the rows of a run's grid.

    ``parameters`` : by name, see ``SPLIT_KEYS``; ``horizon``, ``lookback`` : longest that a label
    reads forward, and a column or label back, market minutes, by which the folds were purged.
    """

    parameters: dict[str, Any]
    horizon: int
    lookback: int
    folds: tuple[Fold, ...]

    def with_fits(self, learnt: Sequence[Any]) -> tuple[Fold, ...]:
        """The folds with what fitted families have learnt on each: ``shared``, None for nothing,
        and ``own`` by pair."""
        return tuple(
            replace(
                fold,
                shared=of["shared"] and Fits.from_json(of["shared"]),
                own={pair: Fits.from_json(fits) for pair, fits in of["own"].items()},
            )
            for fold, of in zip(self.folds, learnt, strict=True)
        )

    def to_json(self, minutes: Rows) -> dict[str, Any]:
        """Content of the split's file; ``minutes`` : (T,) epoch minutes of the grid's rows."""
        return {
            "parameters": self.parameters,
            "horizon": self.horizon,
            "lookback": self.lookback,
            "rows": len(minutes),
            "folds": [
                {"number": fold.number, "last_seen": fold.last_seen}
                | {name: _runs(getattr(fold, name), minutes) for name in PARTS}
                for fold in self.folds
            ],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], minutes: Rows) -> "Split":
        """The split of a file.

        Raises ArtefactError when it is of other rows than those of the grid.
        """
        read = tuple(
            Fold(
                number=fold["number"],
                train=_rows(fold["train"]),
                validation=_rows(fold["validation"]),
                test=_rows(fold["test"]),
                scored=_rows(fold["scored"]),
                last_seen=fold["last_seen"],
            )
            for fold in content["folds"]
        )
        if content["rows"] != len(minutes):
            raise ArtefactError(
                f"split: of other bars, got {content['rows']:,} rows; expected {len(minutes):,}. "
                "Run 05_selection again."
            )
        return cls(dict(content["parameters"]), content["horizon"], content["lookback"], read)


def _runs(rows: Rows, minutes: Rows) -> list[dict[str, Any]]:
    edges = np.flatnonzero(np.diff(rows) > 1) + 1
    ends = [(int(run[0]), int(run[-1])) for run in np.split(rows, edges) if len(run)]
    times = sessions.timestamps(minutes[np.array(ends, dtype=np.int64).ravel()])
    texts = iter(times.strftime("%Y-%m-%d %H:%M"))
    return [{"rows": [first, last], "from": next(texts), "to": next(texts)} for first, last in ends]


def _rows(runs: Sequence[Mapping[str, Any]]) -> NDArray[np.int64]:
    spans = [np.arange(run["rows"][0], run["rows"][1] + 1, dtype=np.int64) for run in runs]
    return np.concatenate(spans) if spans else np.empty(0, dtype=np.int64)


def make(params: Params, minutes: Rows, columns: Sequence[Column]) -> Split:
    """The split of a run by its scheme, purged by the longest reach of any column or label.

    Parameters
    ----------
    params : those of ``SPLIT_KEYS`` are read.
    minutes : (T,) epoch minutes of the grid's rows.
    columns : candidates.

    Raises ParameterError when not even one fold fits the bars.
    """
    horizon = max(params.horizons)
    lookback = max(
        [
            *(column.lookback for column in columns),
            *(targets.lookback(params.window(horizon)) for horizon in params.horizons),
        ]
    )
    if params.scheme == "combinatorial":
        parts = folds.combinatorial(
            minutes, params.groups, params.test_groups, params.embargo, horizon, lookback
        )
    else:
        lengths = params.lengths(len(np.unique(sessions.trading_days(minutes))))
        parts = folds.rolling_origin(
            minutes, *lengths, params.embargo, horizon, lookback, expanding=params.expanding
        )
    return Split({key: getattr(params, key) for key in SPLIT_KEYS}, horizon, lookback, parts)
