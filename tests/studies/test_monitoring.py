"""How often monitors alarm where nothing happened, and how soon they find what did."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from detectors import panel_of, verdicts
from simulated import DATA
from streams import (
    BASELINE_DAYS,
    COLUMNS,
    LATER_DAYS,
    START,
    Stream,
    apart,
    constant,
    days_of,
    flipped,
    louder,
    noise,
    oracle,
    shifted,
    stream,
)

from bqx.learning import hours
from bqx.learning.baseline import Baseline
from bqx.market import bars as bar_frames
from bqx.market import sessions, simulated
from bqx.market.bars import Bars, align, validate
from bqx.monitoring import bar_quality
from bqx.monitoring.captured import PairRows
from bqx.monitoring.checks import broken_columns

pytestmark = pytest.mark.studies

MARKETS, DRAWS, PLANTED = 6, 10, 4
FOLLOWED = 3
"""Days after a shift within which it may be found."""
LATER = 12
"""Day of the later ones on which a shift begins."""


def streams_of(bars: dict[str, Bars], seed: int) -> dict[str, Stream]:
    return {
        pair: stream(own, noise(own, 100 * seed + number))
        for number, (pair, own) in enumerate(bars.items())
    }


def market(mode: str, seed: int) -> tuple[dict[str, Bars], pd.DataFrame | None]:
    """28 pairs for as long as the baseline and the later days last."""
    days = (BASELINE_DAYS + LATER_DAYS) * 7 // 5 + 7
    made = simulated.simulate(mode, days=days, seed=7_000 + seed)
    return align(made.frames), made.planted


def null_market(seed: int) -> dict[str, Any]:
    """Verdicts of 30 quiet days, and days to find each shift of the same market."""
    bars, _ = market("null", seed)
    streams = streams_of(bars, seed)
    days = days_of(next(iter(bars.values())))
    first, later = days[BASELINE_DAYS], days[BASELINE_DAYS:][:LATER_DAYS].tolist()
    panel = panel_of(streams, first)
    quiet = verdicts(panel, streams, first, later)
    begin = later[LATER]
    followed = later[LATER : LATER + FOLLOWED]
    rng = np.random.default_rng(seed)
    pair = str(rng.choice(list(bars)))
    column = int(rng.integers(len(COLUMNS)))
    found = {
        name: _found(panel, changed, first, followed)
        for name, changed in (
            ("volatility x1.5", _louder(bars, streams, begin)),
            ("mean of one column", streams | {pair: shifted(streams[pair], begin, column)}),
            ("one column constant", streams | {pair: constant(streams[pair], begin, column)}),
            ("dependence of one column", streams | {pair: apart(streams[pair], begin, column)}),
            ("dependence of all", {p: _all_apart(own, begin) for p, own in streams.items()}),
        )
    }
    return {
        "quiet": {name: int(np.sum(values)) for name, values in quiet.items()},
        "days": len(later),
        "column": COLUMNS[column].name,
        "found": found,
        "broken_hours": _hours(streams[pair], panel.baselines[pair], begin, column),
        "quiet_hours": _quiet_hours(streams, panel.baselines, later[:2]),
        "frozen": _frozen(bars, panel.baselines, later),
    }


def _found(
    panel: Any, streams: dict[str, Stream], first: int, days: list[int]
) -> dict[str, int | None]:
    """On which of the days after a shift a detector first alarms, from 1 on; None for on none."""
    alarms = verdicts(panel, streams, first, days)
    return {n: 1 + values.index(True) if any(values) else None for n, values in alarms.items()}


def _louder(bars: dict[str, Bars], streams: dict[str, Stream], begin: int) -> dict[str, Stream]:
    out = {}
    for pair, own in bars.items():
        day = sessions.trading_days(own.minutes)
        row = int(np.searchsorted(day, begin))
        changed = louder(own, row, 1.5)
        last = int(np.searchsorted(day, begin + 2 * FOLLOWED))
        cut = changed.rows(row - START - 3 * sessions.DAY, last)
        later = stream(cut, noise(cut, row))
        old = streams[pair]
        kept, new = old.day < begin, later.day >= begin
        rows = np.concatenate((old.rows[kept], later.rows[new] + row - START - 3 * sessions.DAY))
        x = np.concatenate((old.x[kept], later.x[new]))
        performance = pd.concat(
            [f[c] for f, c in (
                (old.performance, old.performance["day"] < begin),
                (later.performance, later.performance["day"] >= begin),
            )]
        )  # fmt: skip
        out[pair] = Stream(changed, rows, x, performance)
    return out


def _all_apart(own: Stream, begin: int) -> Stream:
    for column in range(len(COLUMNS)):
        own = apart(own, begin, column) if column % 2 else own
    return own


def _pair_rows(own: Stream, known: Any, x: np.ndarray) -> PairRows:
    return PairRows(own.bars, known, "study", own.rows, x[:, : len(COLUMNS)], {}, {})


def _hours(own: Stream, known: Any, begin: int, column: int) -> int | None:
    """Hours until the hourly check finds a constant column."""
    changed = constant(own, begin, column)
    start = int(own.bars.minutes[own.rows[own.day >= begin][0]])
    rows = _pair_rows(own, known, changed.x)
    for hour in range(1, 25):
        if broken_columns(rows.until(start + 60 * hour), start + 60 * (hour - 1)):
            return hour
    return None


def _quiet_hours(streams: dict[str, Stream], known: Any, days: list[int]) -> dict[str, int]:
    """Hours of quiet days in which any column of a panel was called broken."""
    alarms = hours = 0
    for day in days:
        one = next(iter(streams.values()))
        start = int(one.bars.minutes[one.every == day][0])
        for hour in range(24):
            begin = start + 60 * hour
            alarms += any(
                broken_columns(_between(own, known[pair], begin), begin)
                for pair, own in streams.items()
            )
            hours += 1
    return {"hours": hours, "alarms": alarms}


def _between(own: Stream, known: Any, begin: int) -> PairRows:
    """An hour of a stream and the six before it."""
    minutes = own.bars.minutes
    first, stop = np.searchsorted(minutes, (begin - 360, begin + 60))
    kept = (own.rows >= first) & (own.rows < stop)
    x = own.x[kept][:, : len(COLUMNS)]
    bars = own.bars.rows(int(first), int(stop))
    return PairRows(bars, known, "study", own.rows[kept] - first, x, {}, {})


def _frozen(bars: dict[str, Bars], known: dict[str, Baseline], days: list[int]) -> dict[str, Any]:
    """Minutes in which a feed was called frozen without being so, and minutes until a feed that
    stops is, all of it or a pair alone."""
    usual = {pair: own.hours for pair, own in known.items()}
    minutes = next(iter(bars.values())).minutes
    rows = np.flatnonzero(np.isin(sessions.trading_days(minutes), days))
    looked_at = rows[::31].tolist()
    alarms = sum(
        bool(_called({p: own.rows(row - 40, row + 1) for p, own in bars.items()}, usual))
        for row in looked_at
    )
    # In the busy hours of a day.
    row, delays = int(rows[len(rows) // 2]) + 14 * 60, {}
    for name, pairs in (("found_after", list(bars)), ("found_alone_after", list(bars)[:1])):
        for delay in range(1, 61):
            seen = {p: own.rows(row - 40, row + delay) for p, own in bars.items()}
            seen |= {p: _stopped(seen[p], 40) for p in pairs}
            if _called(seen, usual):
                delays[name] = delay
                break
    return {"minutes": len(looked_at), "alarms": alarms, **delays}


def _called(bars: dict[str, Bars], usual: dict[str, pd.DataFrame]) -> list[str]:
    still = {pair: int(hours.standstills(own)[-1]) for pair, own in bars.items()}
    return bar_quality.frozen(still, usual, int(next(iter(bars.values())).minutes[-1]))


def standstills(bars: dict[str, Bars]) -> dict[str, Any]:
    """How often pairs of real bars are called frozen, by the hours of the 84 days before each day:
    times that this begins, and those on days on which no pair was quoted for an hour."""
    still = np.column_stack([hours.standstills(own) for own in bars.values()])
    minutes = next(iter(bars.values())).minutes
    day = sessions.trading_days(minutes)
    closed = day[(still >= 60).all(axis=1)]
    alarm = np.zeros(len(minutes), bool)
    days = np.unique(day)[BASELINE_DAYS:]
    for number in days.tolist():
        known = (day < number) & (day >= np.unique(day[day < number])[-BASELINE_DAYS])
        rows = np.flatnonzero(day == number)
        most = [_most(own, known, minutes[rows]) for own in bars.values()]
        together = (still[rows] >= bar_quality.STILL).sum(axis=1) >= max(len(bars) / 2, 2)
        alarm[rows] = together | (still[rows] >= np.column_stack(most)).any(axis=1)
    begun = day[alarm & ~np.r_[False, alarm[:-1]]]
    return {
        "days": len(days),
        "alarms": len(begun),
        "on_closed_days": int(np.isin(begun, closed).sum()),
    }


def _most(bars: Bars, known: np.ndarray, minutes: np.ndarray) -> np.ndarray:
    """Minutes that a pair may stand still at some minutes, by the hours of known rows."""
    usual = hours.of_bars(bars, known, np.zeros(len(bars)))
    hour = sessions.market_minutes(minutes) // 60
    by_hour = {h: hours.longest_usual(usual, int(minutes[hour == h][0])) for h in np.unique(hour)}
    return np.array([by_hour[h] for h in hour])


def _stopped(bars: Bars, row: int) -> Bars:
    frame = bars.frame.copy()
    frame.iloc[row:, :4] = np.nan
    return Bars(bars.pair, frame, bars.baseline)


def planted_market(mode: str, seed: int) -> dict[str, Any]:
    """Days to find that a good forecast's sign has turned."""
    bars, signal = market(mode, seed)
    assert signal is not None
    forecasts = {pair: oracle(own, signal) for pair, own in bars.items()}
    streams = {pair: stream(own, forecasts[pair]) for pair, own in bars.items()}
    days = days_of(next(iter(bars.values())))
    first, later = days[BASELINE_DAYS], days[BASELINE_DAYS:][:LATER_DAYS].tolist()
    panel = panel_of(streams, first)
    begin = later[LATER]
    turned = {pair: flipped(own, forecasts[pair], begin) for pair, own in streams.items()}
    found = _found(panel, turned, first, later[LATER : LATER + FOLLOWED])
    return {"mode": mode, "found": found}


def real_bars() -> dict[str, Bars]:
    frames = {
        path.stem: validate(pd.read_parquet(path).set_index("ts_utc"), path.stem)
        for path in sorted(Path(DATA / "m1").glob("*.parquet"))
    }
    return bar_frames.align(frames)


def real_draw(bars: dict[str, Bars], streams: dict[str, Stream], seed: int) -> dict[str, Any]:
    """Verdicts of 30 days in a row, drawn at random, after the baseline's days before them."""
    days = days_of(next(iter(bars.values())))
    rng = np.random.default_rng(seed)
    place = int(rng.integers(BASELINE_DAYS, len(days) - LATER_DAYS))
    since = days[place - BASELINE_DAYS]
    own = {
        pair: Stream(
            of.bars,
            of.rows[of.day >= since],
            of.x[of.day >= since],
            of.performance[of.performance["day"] >= since],
        )
        for pair, of in streams.items()
    }
    first, later = days[place], days[place : place + LATER_DAYS].tolist()
    found = verdicts(panel_of(own, first), own, first, later)
    return {
        "from": str(np.datetime64(int(later[0]), "D")),
        "days": len(later),
        "quiet": {name: int(np.sum(values)) for name, values in found.items()},
    }


@pytest.mark.parametrize("seed", range(MARKETS))
def test_quiet_and_shifted_markets(seed: int, studied: dict[str, Any]) -> None:
    found = null_market(seed)
    studied.setdefault("null", []).append(found)
    assert found["quiet"]["bqx"] <= 2
    assert found["broken_hours"] == 1
    assert found["frozen"]["found_after"] <= 5


@pytest.mark.parametrize("seed", range(PLANTED))
@pytest.mark.parametrize("mode", ["planted", "strong"])
def test_a_turned_sign(mode: str, seed: int, studied: dict[str, Any]) -> None:
    found = planted_market(mode, seed)
    studied.setdefault("planted", []).append(found)
    assert mode == "planted" or found["found"]["bqx"] == 1


@pytest.fixture(scope="module")
def real() -> tuple[dict[str, Bars], dict[str, Stream]]:
    if not (DATA / "m1").exists():
        pytest.skip("real bars are not on this machine")
    bars = real_bars()
    return bars, streams_of(bars, 1)


@pytest.mark.parametrize("seed", range(DRAWS))
def test_real_days(
    seed: int, real: tuple[dict[str, Bars], dict[str, Stream]], studied: dict[str, Any]
) -> None:
    studied.setdefault("real", []).append(real_draw(*real, seed))


def test_real_standstills(
    real: tuple[dict[str, Bars], dict[str, Stream]], studied: dict[str, Any]
) -> None:
    studied["standstills"] = found = standstills(real[0])
    assert found["alarms"] - found["on_closed_days"] <= 0.05 * found["days"]
