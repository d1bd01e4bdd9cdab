"""Bars of files minute by minute through a trader, from where it stopped; a statement a day."""

import csv
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ArtefactError, ParameterError
from bqx.files import alone, atomic, digest, sealed, write_json
from bqx.learning.bundle import Bundle
from bqx.market import sessions
from bqx.market.bars import COLUMNS
from bqx.paper import statement
from bqx.paper.latency import Latency
from bqx.paper.trader import Fill, Trader
from bqx.serving.live_panel import FedBar

STATE, DAYS, FILLS = "state.json", "days", "fills"
SAVED = 60
"""Minutes from one saved state to the next; those after it are traded again after a kill, and end
as they did, since nothing in them is drawn anew."""

Frames = Mapping[str, pd.DataFrame]
NONE = Latency()


class Replay:
    """A trader, the bars that it is fed, and the folder of what it has done.

    Parameters
    ----------
    bundles : that are traded, by pair.
    frames : raw bars of all pairs that the bundles read.
    first, last : minutes that are traded, both included; all is sold by the last.
    place : folder of the state, the days' statements and fills.
    delay : how long orders take.

    Raises ParameterError where no minute is open.
    """

    def __init__(
        self,
        bundles: Mapping[str, Bundle],
        frames: Frames,
        *,
        first: pd.Timestamp,
        last: pd.Timestamp,
        place: Path,
        delay: Latency = NONE,
    ) -> None:
        ends = sessions.epoch_minutes(pd.DatetimeIndex([first, last]))
        self.minutes = sessions.grid(int(ends[0]), int(ends[1]))
        if not len(self.minutes):
            raise ParameterError(
                f"--from, --to: no open minute, got {first} to {last}; expected some."
            )
        self.trader, self.place = Trader(bundles, delay, int(self.minutes[-1])), place
        pairs = self.trader.panel.window.pairs
        self.frames = {pair: frames[pair] for pair in pairs if pair in frames}
        self._identity = {
            "minutes": [int(self.minutes[0]), int(self.minutes[-1])],
            "models": {p: [b.columns_hash, str(b.trained_until)] for p, b in bundles.items()},
            "latency": astuple(delay),
        }
        self._rows = {
            pair: dict(
                zip(
                    sessions.epoch_minutes(pd.DatetimeIndex(frame.index)).tolist(),
                    frame[list(COLUMNS)].to_numpy(),
                    strict=True,
                )
            )
            for pair, frame in self.frames.items()
        }

    def run(self, speed: float = 0.0, sleep: Callable[[float], None] = time.sleep) -> None:
        """Trade all minutes that are left.

        ``speed`` : how many times faster than the clock; 0 for as fast as it goes.

        Raises ArtefactError for a folder that another replay is in or was written by, or whose
        state is damaged.
        """
        busy = (
            f"{self.place}: in use, got another `bqx paper` that runs there; expected none. Wait "
            "for its end, or name another --place."
        )
        with alone(self.place / ".lock", busy):
            self._run(speed, sleep)

    def days(self) -> pd.DataFrame:
        """Sums of the days that were replayed: one row per day, pair and horizon.

        Raises ArtefactError for a day that is absent or damaged.
        """
        dates = np.unique(sessions.trading_days(self.minutes)).astype("datetime64[D]")
        written = statement.days(self.place)
        # Days of an earlier replay may lie there, whose state was removed.
        absent = [day for day in map(str, dates) if day not in set(written["day"])]
        if absent:
            raise ArtefactError(
                f"{self.place / DAYS / absent[0]}.json: absent, got {len(written)} rows of others; "
                "expected what was traded. Remove the folder to begin anew."
            )
        return written[written["day"].isin([*map(str, dates)])]

    def _run(self, speed: float, sleep: Callable[[float], None]) -> None:
        self._resume()
        left = self.minutes[self.minutes > self.trader.minute]
        start, before = time.monotonic(), int(left[0]) if len(left) else 0
        self._begin(before)
        for count, minute in enumerate(left.tolist()):
            closed = self.trader.trade(minute, self._bars(minute))
            if closed is not None:
                self._write_day(closed)
            is_last = minute == self.minutes[-1]
            if is_last:
                # Of the day that goes on; its sums stay in the state. Written first: once a state
                # says that no minute is left, nobody writes a day.
                self._write_day(self._open_day())
            if is_last or closed is not None or (minute + 1) % SAVED == 0:
                self._save()
            if speed:
                sleep(max(start + 60.0 * (count + 1) / speed - time.monotonic(), 0.0))

    def _bars(self, minute: int) -> list[FedBar]:
        out = []
        for pair, rows in self._rows.items():
            if minute in rows:
                named = zip(COLUMNS, rows[minute].tolist(), strict=True)
                bar = {name: value for name, value in named if np.isfinite(value)}
                out.append(FedBar(pair, minute, bar))
        return out

    def _begin(self, minute: int) -> None:
        """Give the panel the history before the first minute."""
        last = pd.Timestamp(60 * minute - 1, unit="s", tz="UTC")
        before = {pair: frame.loc[:last] for pair, frame in self.frames.items()}
        columns = {
            pair: (
                sessions.epoch_minutes(pd.DatetimeIndex(frame.index)),
                frame[list(COLUMNS)].to_numpy().T,
            )
            for pair, frame in before.items()
            if len(frame)
        }
        if minute:
            self.trader.panel.start(columns)

    def _resume(self) -> None:
        path = self.place / STATE
        if not path.exists():
            return
        content = statement.unsealed(path)
        if digest(content["identity"]) != digest(self._identity):
            raise ArtefactError(
                f"{path}: of another replay, got other models, times or latency; expected those "
                "that are asked for. Name another --place."
            )
        self.trader.restore(content["trader"])

    def _save(self) -> None:
        content = {"identity": self._identity, "trader": self.trader.content()}
        write_json(self.place / STATE, sealed(content))

    def _open_day(self) -> dict[str, Any]:
        content = self.trader.content()
        closed = self.trader.close_day(self.trader.minute)
        self.trader.restore(content)
        return closed

    def _write_day(self, closed: Mapping[str, Any]) -> None:
        day = closed["day"]
        accounts = [dict(row) for row in closed["accounts"]]
        write_json(self.place / DAYS / f"{day}.json", sealed({"day": day, "accounts": accounts}))
        with atomic(self.place / DAYS / f"{day}.txt") as path:
            path.write_text(statement.text(day, accounts, closed["fills"]), encoding="utf-8")
        with atomic(self.place / FILLS / f"{day}.csv") as path, path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([field.name for field in fields(Fill)])
            rows.writerows(astuple(fill) for fill in closed["fills"])
