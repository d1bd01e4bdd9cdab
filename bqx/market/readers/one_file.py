"""The bars of one file: its rows, its clock, what is set aside, what is refused, what is found."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.market import bars, examination, sessions
from bqx.market.bars import RATES
from bqx.market.declared import Clock, Declared, Side, option
from bqx.market.pairs import check
from bqx.market.readers import clocks, files, spreads, weekends
from bqx.market.readers.columns import MARKS
from bqx.market.readers.names import check_symbols, pair_of, side_of
from bqx.market.readers.tables import Table
from bqx.market.readers.times import DUKASCOPY, HISTDATA, Source

_HISTDATA_NAME = re.compile(r"(HISTDATA|DAT)_", re.IGNORECASE)
MOST_STRAY = 0.01
"""Largest share of stray ticks, or of stray spreads, that is set aside."""
_THURSDAY, _FRIDAY, _NOON = 3, 4, sessions.DAY // 2
"""Weekday of the epoch, and between which day and which hour of Monday any clock's weekend lies."""
USUAL_CHANGES = 0.75
"""Share of minutes in which the close moves, below which a longer step may stand repeated."""

Mask = NDArray[np.bool_]


@dataclass
class FileBars:
    """Validated bars of a file and what was found of them.

    ``side`` : side of the rates, "" where neither name nor header says it.
    ``clock``, ``stamped``, ``spread`` : in words, with what shows it.
    ``aside`` : rows that are left out, by reason.
    ``notes`` : what the user has to know.
    """

    where: str
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    side: Side = ""
    clock: str = ""
    stamped: str = ""
    spread: str = ""
    aside: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def set_aside(self, reason: str, count: int) -> None:
        """Count rows that are left out."""
        if count:
            self.aside[reason] = self.aside.get(reason, 0) + count


@dataclass(frozen=True)
class _Rows:
    """Rows of a file that may be bars: (T,) times without a zone, numbers, lines."""

    stamps: pd.DatetimeIndex
    frame: pd.DataFrame
    lines: NDArray[np.int64]

    def at(self, rows: Mask | slice) -> "_Rows":
        return _Rows(self.stamps[rows], self.frame[rows], self.lines[rows])


def read(path: Path, pair: str | None, declared: Declared) -> FileBars:
    """Read, examine and validate the bars of a file; see `bqx.market.readers.read`."""
    table, file = files.table(path), FileBars(path.name)
    pair = check(pair or pair_of(path))
    check_symbols(table.symbols, pair, file.where)
    file.side = table.columns.side or side_of(path) or declared.side
    rows = _bar_rows(table, file)
    if declared.stamped == "close":
        rows = _Rows(rows.stamps - pd.Timedelta(minutes=1), rows.frame, rows.lines)
    is_ascending = len(rows.stamps) > 0 and rows.stamps.is_monotonic_increasing
    quiet = np.zeros(len(rows.stamps), dtype=bool)
    if is_ascending:
        minutes = rows.stamps.as_unit("ns").asi8 // 60_000_000_000
        _refuse(file, examination.step(minutes), "one-minute bars", "Fetch those.")
        quiet = _quiet(minutes, rows.frame)
    source = HISTDATA if _HISTDATA_NAME.match(path.name) else table.source
    utc = _utc(file, rows, quiet, table=table, source=source, declared=declared)
    kept = ~utc.isna()
    if quiet.any():
        minutes = sessions.epoch_minutes(utc)
        is_closed = quiet & kept & ~sessions.is_open(np.where(kept, minutes, 0))
        file.set_aside("flat bars of the closed market", int(is_closed.sum()))
        kept &= ~is_closed
    if not kept.all():
        rows, utc = rows.at(kept), utc[kept]
    lines = None if table.lines is None else rows.lines
    valid = bars.validate(spreads.schema(rows.frame, path.name).set_index(utc), path.name, lines)
    file.set_aside("bars outside the FX week", len(utc) - len(valid))
    if len(valid):
        word = "row" if table.lines is None else "line"
        valid = _plausible(file, pair, valid, lambda t: f"{word} {rows.lines[utc.get_loc(t)]:,}")
        spread = spreads.examined(pair, valid, table.columns, declared, file.where)
        strays = len(valid) - len(spread.frame)
        _few(file, strays, len(valid), "stray spreads")
        valid, file.spread = spread.frame, spread.said
        file.notes += spread.notes + spreads.told_of_zeros(rows.frame, file.where)
    file.frame = valid
    return file


def _bar_rows(table: Table, file: FileBars) -> _Rows:
    """Complete bars in the order of time; rows that stand twice count once."""
    frame = table.frame
    lines = np.arange(1, len(frame) + 1) if table.lines is None else table.lines
    rows = _Rows(table.stamps, frame, lines)
    is_bar = np.ones(len(frame), dtype=bool)
    for mark in MARKS.keys() & set(frame):
        is_bar &= ~frame[mark].str.lower().isin(MARKS[mark]).to_numpy(dtype=bool)
    if "filled" in frame:
        # Of a run's own bars the minutes of longer holes have no rate.
        is_bar &= frame[list(RATES)].notna().any(axis=1).to_numpy()
    if table.source is DUKASCOPY and "volume" in frame:
        is_flat = (frame["high"] == frame["low"]) & (frame["volume"] == 0)
        is_bar &= ~is_flat.to_numpy()
    if not is_bar.all():
        file.set_aside("bars that are incomplete or without a trade", int((~is_bar).sum()))
        rows = rows.at(is_bar)
    if len(rows.stamps) > 1 and rows.stamps.is_monotonic_decreasing:
        rows = rows.at(slice(None, None, -1))
        file.notes.append(f"{file.where}: the newest bar stands first; the rows were turned")
    again = _repeats(rows)
    if again.any():
        line = int(rows.lines[int(np.argmax(again))])
        file.set_aside("rows that stand twice", int(again.sum()))
        file.notes.append(f"{file.where}: {again.sum():,} rows stand twice, the first {line:,}")
        rows = rows.at(~again)
    return rows


def _repeats(rows: _Rows) -> Mask:
    """(T,) rows that are the one above; of one minute and other values they are refused later."""
    again = np.zeros(len(rows.stamps), dtype=bool)
    again[1:] = rows.stamps[1:] == rows.stamps[:-1]
    if again.any():
        values = rows.frame.to_numpy()
        same = (values[1:] == values[:-1]) | (pd.isna(values[1:]) & pd.isna(values[:-1]))
        again[1:] &= same.all(axis=1)
    return again


def _quiet(minutes: NDArray[np.int64], frame: pd.DataFrame) -> Mask:
    """(T,) flat bars around a weekend without volume, or of a rate that stands still for a day."""
    rates = frame[list(RATES)].to_numpy()
    stretches = examination.runs(rates[:, 3], sessions.DAY // 2)
    quiet = examination.still(minutes, rates, stretches, sessions.DAY)
    if "volume" in frame:
        volume = frame["volume"].to_numpy()
        if (volume > 0).any():
            idle = np.flatnonzero(volume == 0)
            quiet[idle] |= (rates[idle] == rates[idle, :1]).all(axis=1)
    if quiet.any():
        # A feed that stops in midweek must not look like a weekend.
        weekday = (minutes // sessions.DAY + _THURSDAY) % 7
        quiet &= (weekday >= _FRIDAY) | ((weekday == 0) & (minutes % sessions.DAY < _NOON))
    return quiet


def _utc(
    file: FileBars,
    rows: _Rows,
    quiet: Mask,
    *,
    table: Table,
    source: Source,
    declared: Declared,
) -> pd.DatetimeIndex:
    """(T,) UTC times, once the weeks' ends do not speak against the clock, and what shows it."""
    where, alive = file.where, rows.stamps[~quiet]
    clock: Clock | None = None
    is_sole = True
    if table.zoned:
        if declared.clock:
            # Read without rows, a clock that is none is refused all the same.
            clocks.to_utc(rows.stamps[:0], declared.clock, where)
            said = option("clock", declared.clock)
            file.notes.append(f"{where}: its times say their own offset from UTC; {said} is unused")
        utc = rows.stamps.tz_localize("UTC")
        alive_utc = utc[~quiet] if quiet.any() else utc
    else:
        zone = declared.clock or table.columns.zone
        clock, alive_utc, is_sole = clocks.choose(alive, (zone,) if zone else source.clocks, where)
        utc = clocks.to_utc(rows.stamps, clock, where) if quiet.any() else alive_utc
    if not len(alive) or not alive.is_monotonic_increasing:
        return utc
    if alive_utc.isna().any():
        alive, alive_utc = alive[~alive_utc.isna()], alive_utc.dropna()
    ends = clocks.check(alive, alive_utc, clock, where)
    _stamped(file, alive_utc, ends, declared)
    name = option("clock", clock).removeprefix("--clock ") if clock else "UTC"
    is_sure = table.zoned or table.columns.zone or (source.is_sure and is_sole)
    if ends.fitting:
        file.clock = f"{name}, proven by {ends.fitting} weekly opens or closes"
    elif declared.clock or is_sure:
        file.clock = f"{name}, {'by the file' if is_sure else 'declared, not proven'}"
    else:
        raise BarError(
            f"{where}: no weekly close proves the clock, got times without a zone from "
            f"{alive[0]} to {alive[-1]}; expected a week's end among them, or the clock. Pass "
            f"{option('clock', name)} if they are on it, or the clock that they are on."
        )
    return utc


def _stamped(
    file: FileBars, utc: pd.DatetimeIndex, ends: weekends.Weekends, declared: Declared
) -> None:
    """Say which end of the minute times are, and what shows it."""
    said, shown = weekends.stamped(utc, ends, declared.stamped, file.where)
    file.stamped = f"{said} of the minute, {shown}"
    if shown == "not proven":
        file.notes.append(
            f"{file.where}: no week's end shows which end of the minute times are; taken for the "
            f"open, {option('stamped', 'close')} says otherwise"
        )


def _plausible(
    file: FileBars, pair: str, frame: pd.DataFrame, place: Callable[[pd.Timestamp], str]
) -> pd.DataFrame:
    """The bars without stray ticks and stopped stretches, once nothing is wrong with the rest."""
    rates = frame[list(RATES)].to_numpy()
    minutes = sessions.epoch_minutes(pd.DatetimeIndex(frame.index))
    _refuse(
        file, examination.level(pair, rates[:, 3]), "rates of the pair", "Fetch the pair again."
    )
    moved = np.append(True, rates[1:, 3] != rates[:-1, 3])
    if moved.mean() < USUAL_CHANGES:
        _refuse(file, examination.step(minutes, moved), "one-minute bars", "Fetch those.")
    stray = examination.spikes(rates)
    for row in np.flatnonzero(stray)[:3]:
        near = rates[[max(row - 1, 0), min(row + 1, len(rates) - 1)], 3]
        file.notes.append(
            f"{file.where} {place(frame.index[row])} ({frame.index[row]}): a stray "
            f"tick is set aside, close {rates[row, 3]:.8g} (low {rates[row, 2]:.8g}, high "
            f"{rates[row, 1]:.8g}) between {near[0]:.8g} and {near[1]:.8g}; {stray.sum():,} such"
        )
    _few(file, int(stray.sum()), len(stray), "stray ticks")
    kept = ~stray
    late = examination.ahead(minutes[kept], rates[kept])
    _refuse(file, late, "closes of their own bars", "Shift the column back, or fetch the bars.")
    row = examination.jump(minutes[kept], rates[kept, 3])
    if row is not None:
        before, after = frame.index[kept][[row - 1, row]]
        closes = frame.loc[[before, after], "close"]
        what = (
            f"the close jumps from {closes.iloc[0]:.8g} ({place(before)}, {before}) "
            f"to {closes.iloc[1]:.8g} ({place(after)})"
        )
        _refuse(file, what, "one scale", "Drop the rows or fix the feed.")
    stretches = examination.runs(rates[:, 3], examination.STILL // 2)
    if len(stretches):
        market = sessions.market_minutes(minutes)
        still = examination.still(market, rates, stretches, examination.STILL)
        if still.any():
            _told_still(file, frame.index[still], int(still.sum()))
            kept &= ~still
    return frame if kept.all() else frame[kept]


def _few(file: FileBars, strays: int, rows: int, reason: str) -> None:
    """Set stray values aside, unless there are so many that the file is none to be trusted."""
    if strays > MOST_STRAY * rows:
        _refuse(file, f"{strays:,} {reason}", "at most 1 % of rows", "Fix the feed.")
    file.set_aside(reason, strays)


def _told_still(file: FileBars, times: pd.Index, count: int) -> None:
    file.set_aside("bars of a feed that stood still", count)
    file.notes.append(
        f"{file.where}: {count:,} bars are set aside, since the rate stands still for "
        f"{examination.STILL // 60} hours of open market and more, from {times[0]} to {times[-1]}"
    )


def _refuse(file: FileBars, fault: str, expected: str, mend: str) -> None:
    if fault:
        raise BarError(f"{file.where}: {fault}; expected {expected}. {mend}")
