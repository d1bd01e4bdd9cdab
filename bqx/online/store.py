"""Forecasts and their labels as they were stored: files of a minute, which nobody writes twice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bqx.files import alone, read_parquet, write_parquet
from bqx.market import sessions
from bqx.online.replay import KEYS
from bqx.online.settings import MEMBERS

FORECASTS, LABELS = "forecasts", "labels"
ANSWERED = ("online", "fallen", "resets", *MEMBERS, *(f"weight_{name}" for name in MEMBERS))
"""Columns that a forecast adds to its row: ``resets`` counts members begun anew until then."""
REMEMBERED = 8
"""Minutes whose forecasts stay in memory: pairs ask for the same ones, a minute of each horizon."""


class OnlineStore:
    """A folder of forecasts and labels, by the minute at which they came to be known.

    ``forecasts/DAY/MINUTE.parquet`` holds what was forecast in a minute with all columns that were
    read for it; ``labels/DAY/MINUTE.parquet`` the labels that this minute has made known.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records: dict[int, dict[tuple[str, int], dict[str, Any]]] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out until the block ends.

        Raises ArtefactError while another one learns from this folder.
        """
        busy = (
            f"{self.folder}: in use, got another process that learns from it; expected one. Wait "
            "for it, or use another folder."
        )
        with alone(self.folder / "lock", busy):
            yield

    def _path(self, kind: str, minute: int) -> Path:
        return self.folder / kind / f"{minute // sessions.DAY}" / f"{minute}.parquet"

    def has(self, kind: str, minute: int) -> bool:
        """Whether the file of a minute is there, hence whole."""
        return self._path(kind, minute).exists()

    def write(self, kind: str, minute: int, frame: pd.DataFrame) -> None:
        """Write the file of a minute, whole or not at all."""
        write_parquet(self._path(kind, minute), frame)

    def read(self, kind: str, minute: int) -> pd.DataFrame:
        """The file of a minute, without rows where there is none."""
        if not self.has(kind, minute):
            return pd.DataFrame()
        return read_parquet(self._path(kind, minute))

    def forecast_of(self, pair: str, horizon: int, minute: int) -> dict[str, Any] | None:
        """What was stored with a forecast, by column; None where there was none."""
        if minute not in self._records:
            stored = self.read(FORECASTS, minute).to_dict("records")
            if len(self._records) >= REMEMBERED:
                self._records.pop(next(iter(self._records)))
            self._records[minute] = {(row["pair"], int(row["horizon"])): row for row in stored}
        return self._records[minute].get((pair, horizon))

    def minutes(self, kind: str, after: int = -1) -> list[int]:
        """Minutes later than one that have a file, ascending."""
        days = (
            sorted(
                int(entry.name)
                for entry in os.scandir(self.folder / kind)
                if entry.is_dir() and int(entry.name) >= after // sessions.DAY
            )
            if (self.folder / kind).exists()
            else []
        )
        return sorted(
            minute
            for day in days
            for path in (self.folder / kind / str(day)).glob("[0-9]*.parquet")
            if (minute := int(path.stem)) > after
        )

    def remove_before(self, minute: int) -> int:
        """Remove whole days before a minute, as a table with a time to live does; files removed."""
        removed = 0
        for kind in (FORECASTS, LABELS):
            for old in self.minutes(kind):
                if old // sessions.DAY < minute // sessions.DAY:
                    self._path(kind, old).unlink()
                    removed += 1
        return removed

    def scored(self, after: int = -1) -> pd.DataFrame:
        """All forecasts whose label became known after a minute: keys, ``known_at`` (that minute),
        static, online and members' forecasts, label.

        In order of pair, horizon and minute.
        """
        keys = list(KEYS)
        columns = [*keys, "online", *MEMBERS]
        labels = [self.read(LABELS, m).assign(known_at=m) for m in self.minutes(LABELS, after)]
        first = min((int(minute_labels["minute"].min()) for minute_labels in labels), default=0) - 1
        forecasts = [self.read(FORECASTS, m) for m in self.minutes(FORECASTS, first)]
        if not forecasts or not labels:
            return pd.DataFrame(columns=[*columns, "known_at", "label"])
        known_labels = pd.concat(labels)[[*keys, "known_at", "label"]].drop_duplicates(keys)
        wanted = pd.concat(forecasts)[columns]
        scored = wanted.merge(known_labels, on=keys).sort_values(keys, ignore_index=True)
        return scored[np.isfinite(scored["label"].to_numpy(np.float64))]
