"""The loop of a minute: learn the labels that it makes known, then forecast, then keep both.

Everything rests on files of a minute that are written whole and once, so that a loop that was
killed anywhere goes on as if it never had been, and a minute that comes twice changes nothing.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bqx.errors import ArtefactError, ParameterError
from bqx.online.checkpoints import Checkpoints
from bqx.online.ensemble import Ensemble
from bqx.online.replay import GIVEN, KEYS, columns_of
from bqx.online.settings import MEMBERS, Settings
from bqx.online.store import ANSWERED, FORECASTS, LABELS, OnlineStore

Cell = tuple[str, int]
CHECKPOINT_MINUTES = 240
"""Minutes between two checkpoints of an ensemble; each has its own minute of them."""


@dataclass
class OnlineLoop:
    """Ensembles of all pairs and horizons of a folder, on the way from minute to minute.

    Use it within ``OnlineStore(folder).locked()`` where other processes may come.
    """

    folder: Path
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.store = OnlineStore(self.folder)
        self.ensembles: dict[Cell, Ensemble] = {}
        self.restored: dict[Cell, int] = {}
        minutes = self.store.minutes(FORECASTS) + self.store.minutes(LABELS)
        self.minute = max(minutes, default=-1)

    def step(self, minute: int, rows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
        """Go through one minute; one that was gone through gives what it gave then.

        Parameters
        ----------
        minute : epoch minute at whose end this happens, no earlier than the last one.
        rows : forecasts of this minute, one row per pair and horizon, see `replay.KEYS`; a column
            that a pair lacks is NaN, which costs time but teaches nothing.
        labels : keys and ``label`` of earlier forecasts whose label this minute makes known;
            those that were known before are passed over.

        Returns
        -------
        DataFrame : keys, ``online``, members' forecasts, weights and ``fallen``, per forecast.

        Raises
        ------
        ParameterError : a label before its time, a forecast of another minute, or a minute that
            lies before the last one.
        ArtefactError : a column is missing that was there when learning began.
        """
        if minute < self.minute:
            raise ParameterError(
                f"minute: out of order, got {minute} after {self.minute}; expected a later one. "
                "Start the loop with the oldest minute."
            )
        _check(minute, rows, labels)
        if not self.store.has(FORECASTS, minute):
            self._learn(minute, labels)
            if len(rows):
                self.store.write(FORECASTS, minute, self._forecast(rows))
            self._keep(minute)
        self.minute = minute
        return self.store.read(FORECASTS, minute)

    def _learn(self, minute: int, labels: pd.DataFrame) -> None:
        """Store a minute's labels, then learn them; what a kill left stored is learnt all the same.

        Labels without a stored forecast are left out: where there is none at all, nobody knows the
        columns of an ensemble.

        Every ensemble is made to stand before this minute first, else it would learn it twice.
        """
        known_labels = labels[[*KEYS, "label"]].astype({"label": np.float64})
        is_learnt = [
            np.isfinite(row.label)
            and self.store.forecast_of(str(row.pair), int(row.horizon), int(row.minute)) is not None
            for row in known_labels.itertuples(index=False)
        ]
        known_labels = known_labels[np.array(is_learnt, dtype=np.bool_)].sort_values(
            list(KEYS), ignore_index=True
        )
        if not self.store.has(LABELS, minute) and len(known_labels):
            for pair, horizon in sorted(
                {*zip(known_labels["pair"], known_labels["horizon"], strict=True)}
            ):
                self._ensemble((str(pair), int(horizon)))
            self.store.write(LABELS, minute, known_labels)
            for cell, cell_labels in known_labels.groupby(["pair", "horizon"]):
                self._teach(self.ensembles[str(cell[0]), int(cell[1])], cell_labels)

    def _teach(self, ensemble: Ensemble, labels: pd.DataFrame) -> None:
        """Learn labels of one pair and horizon, in order, from what was stored with the forecasts.

        A label without a stored forecast, and one no later than the last learnt, are passed over.
        """
        for row in labels.itertuples(index=False):
            minute = int(row.minute)
            stored = self.store.forecast_of(str(row.pair), int(row.horizon), minute)
            if minute > ensemble.last and stored is not None:
                features = np.array([stored[name] for name in ensemble.columns], dtype=np.float64)
                members = np.array([stored[name] for name in MEMBERS], dtype=np.float64)
                ensemble.learn(minute, features, members, float(row.label))

    def _ensemble(self, cell: Cell, columns: tuple[str, ...] = ()) -> Ensemble:
        """The ensemble of a pair and horizon; on first use from its files."""
        if cell not in self.ensembles:
            good = Checkpoints(self.folder, *cell).last_good()
            since, ensemble = good or (
                -1,
                Ensemble(columns or self._stored(cell), cell[1], self.settings),
            )
            for minute in self.store.minutes(LABELS, since):
                minute_labels = self.store.read(LABELS, minute)
                cell_labels = minute_labels[
                    (minute_labels["pair"] == cell[0]) & (minute_labels["horizon"] == cell[1])
                ]
                self._teach(ensemble, cell_labels)
            self.ensembles[cell] = ensemble
            self.restored[cell] = since
        return self.ensembles[cell]

    def _stored(self, cell: Cell) -> tuple[str, ...]:
        """Columns of a pair and horizon as its first forecasts had them."""
        first = self.store.read(FORECASTS, self.store.minutes(FORECASTS)[0])
        return _features(first)

    def _forecast(self, rows: pd.DataFrame) -> pd.DataFrame:
        columns = columns_of(rows)
        answers = []
        for row in rows.to_dict("records"):
            ensemble = self._ensemble((str(row["pair"]), int(row["horizon"])), columns)
            absent = [name for name in ensemble.columns if name not in columns]
            if absent:
                raise ArtefactError(
                    f"{row['pair']} {row['horizon']} min: column {absent[0]!r} is missing, got "
                    f"{len(columns)} others; expected those that learning began with. Give "
                    "them, or begin a new folder."
                )
            features = np.array([row[name] for name in ensemble.columns], dtype=np.float64)
            answer = ensemble.forecast(float(row["forecast"]), features)
            answers.append(
                {"online": answer.forecast, "fallen": answer.fallen, "resets": ensemble.resets}
                | dict(zip(MEMBERS, answer.members.tolist(), strict=True))
                | {f"weight_{k}": v for k, v in zip(MEMBERS, answer.weights.tolist(), strict=True)}
            )
        kept = rows.drop(columns=[n for n in ("label", "forecast") if n in rows.columns])
        return kept.reset_index(drop=True).join(pd.DataFrame(answers))

    def _keep(self, minute: int) -> None:
        """Write the checkpoints whose turn it is, so that they spread over the minutes."""
        for cell, ensemble in self.ensembles.items():
            turn = zlib.crc32(f"{cell}".encode()) % CHECKPOINT_MINUTES
            kept = Checkpoints(self.folder, *cell)
            if minute % CHECKPOINT_MINUTES == turn and minute not in kept.minutes():
                kept.write(minute, ensemble)

    def close(self) -> None:
        """Write a checkpoint of every ensemble, so that the next start need not learn again."""
        for cell, ensemble in self.ensembles.items():
            Checkpoints(self.folder, *cell).write(self.minute, ensemble)

    @property
    def weights(self) -> Mapping[Cell, dict[str, float]]:
        """Present weights by pair and horizon."""
        return {
            cell: dict(zip(MEMBERS, ensemble.weights.tolist(), strict=True))
            for cell, ensemble in self.ensembles.items()
        }


def _features(stored: pd.DataFrame) -> tuple[str, ...]:
    others = {*KEYS, *GIVEN, *ANSWERED}
    return tuple(str(name) for name in stored.columns if name not in others)


def _check(minute: int, rows: pd.DataFrame, labels: pd.DataFrame) -> None:
    if len(rows) and (rows["minute"] != minute).any():
        raise ParameterError(
            f"forecasts: of another minute, got {rows['minute'].iloc[0]}; expected {minute}."
        )
    if len(labels):
        early = labels[labels["minute"] + labels["horizon"] > minute]
        if len(early):
            pair, horizon, forecast_minute = early.iloc[0][list(KEYS)]
            raise ParameterError(
                f"label of {pair} at {forecast_minute}: before its time, got it at {minute}; "
                f"expected {forecast_minute + horizon} or later. Give labels when they are known."
            )
