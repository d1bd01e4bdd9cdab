"""What the bars of several pairs show of each other: triangles, minutes in step, a common time."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.market import sessions
from bqx.market.pairs import SISTERS, TRIANGLES

Frames = Mapping[str, pd.DataFrame]
Series = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Epoch minutes of bars, and the logs of their closes."""

LONGEST_GAP = 30 * sessions.DAY
"""Minutes without any bar between bars that belong together."""
TRIANGLE_ERROR = 20e-4
"""Median log error of a triangle; those of real closes lie below 2e-4."""
_SAMPLE = 5_000
_WINDOW = 4_096
_WINDOWS = 3
_FEWEST = 300
_SISTERS = 2
LEAD = 2.0
"""A pair is out of step where the correlation elsewhere is this many times that of one minute."""
_LEAST = 0.25


def gap(frames: Frames) -> str:
    """Where no pair has bars for more than a month between the bars; "" where there is no such."""
    ends = sorted(tuple(sessions.epoch_minutes(_index(f)[[0, -1]])) for f in frames.values())
    last = ends[0][1]
    for start, stop in ends[1:]:
        if start - last > LONGEST_GAP:
            return _gap_text(last, start)
        last = max(last, stop)
    return ""


def hole(frame: pd.DataFrame) -> str:
    """Where a pair has no bars for more than a month; "" where there is no such."""
    steps = np.diff(_index(frame).asi8)
    row = int(np.argmax(steps)) if len(steps) else 0
    last, first = sessions.epoch_minutes(_index(frame)[[row, min(row + 1, len(frame) - 1)]])
    return _gap_text(last, first) if first - last > LONGEST_GAP else ""


def triangles(frames: Frames) -> str:
    """Which triangle of pairs does not fit; "" where all do.

    Of several that do not, the pair that stands in most of them is the likely one.
    """
    wrong: list[tuple[float, tuple[str, str, str]]] = []
    counts: dict[str, int] = {}
    for triangle in TRIANGLES:
        names = (triangle.direct, triangle.first, triangle.second)
        if not all(name in frames for name in names):
            continue
        direct, first, second = np.log(_closes([frames[name] for name in names]))
        if len(direct) < _FEWEST:
            continue
        error = float(np.median(np.abs(direct - first - second)))
        if error > TRIANGLE_ERROR:
            wrong.append((error, names))
            counts |= {name: counts.get(name, 0) + 1 for name in names}
    if not wrong:
        return ""
    error, names = max(wrong)
    often = [name for name, count in counts.items() if count == max(counts.values())]
    likely = f"; most of all {often[0]}" if len(often) == 1 and len(wrong) > 1 else ""
    return (
        f"{names[0]} is not {names[1]} times {names[2]}, but {error * 1e4:,.0f} bp off in the "
        f"middle{likely}"
    )


def leads(frames: Frames) -> list[tuple[str, str, int]]:
    """Pairs whose returns follow those of a related pair: the two, and minutes by which.

    The correlation of one-minute returns with those of the two most related pairs is looked at over
    all shifts up to half a day, in three stretches of some days; most of them have to agree.
    """
    series = {
        pair: (sessions.epoch_minutes(_index(frame)), np.log(frame["close"].to_numpy()))
        for pair, frame in frames.items()
    }
    found, seen = [], set()
    for pair in frames:
        for sister in [name for name in SISTERS[pair] if name in frames][:_SISTERS]:
            if frozenset((pair, sister)) in seen:
                continue
            seen.add(frozenset((pair, sister)))
            lag = _lag(series[pair], series[sister])
            if lag:
                found.append((pair, sister, lag) if lag > 0 else (sister, pair, -lag))
    return found


def copies(frames: Frames) -> list[tuple[str, str]]:
    """Pairs with the same closes in every common minute."""
    names = sorted(frames)
    middle = {name: float(frames[name]["close"].median()) for name in names}
    same = []
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            if not np.isclose(middle[first], middle[second], rtol=1e-2):
                continue
            closes = _closes([frames[first], frames[second]])
            if closes.shape[1] >= _FEWEST and (closes[0] == closes[1]).all():
                same.append((first, second))
    return same


def _lag(first: Series, second: Series) -> int:
    """Minutes by which the first follows the second, 0 where they are in step or unrelated."""
    start = max(first[0][0], second[0][0])
    stop = min(first[0][-1], second[0][-1])
    if stop - start < _FEWEST:
        return 0
    latest = max(stop - _WINDOW, start)
    begins = sorted({int(begin) for begin in np.linspace(start, latest, _WINDOWS)})
    lags = [_peak(_returns(first, begin), _returns(second, begin)) for begin in begins]
    lag, count = max(((lag, lags.count(lag)) for lag in lags), key=lambda row: row[1])
    return lag if 2 * count > len(lags) else 0


def _returns(series: Series, begin: int) -> NDArray[np.float64]:
    """(W,) log returns of the minutes from one on, 0 where a bar is missing."""
    first, last = np.searchsorted(series[0], [begin, begin + _WINDOW])
    minutes = series[0][first:last] - begin
    returns = np.zeros(_WINDOW)
    own = np.diff(minutes) == 1
    change = np.diff(series[1][first:last])[own]
    # A few large moves must not decide alone.
    limit = 5 * np.median(np.abs(change)) if len(change) else 0.0
    returns[minutes[1:][own]] = np.clip(change, -limit, limit)
    return returns


def _peak(first: NDArray[np.float64], second: NDArray[np.float64]) -> int:
    """Shift of the strongest correlation of two series of returns where it is none of chance."""
    length = np.sqrt((first**2).sum() * (second**2).sum())
    if length == 0 or min((first != 0).sum(), (second != 0).sum()) < _FEWEST:
        return 0
    spectra = [np.fft.rfft(series, 2 * _WINDOW) for series in (first, second)]
    strength = np.abs(np.fft.irfft(spectra[0] * np.conj(spectra[1]))) / length
    shifts = np.r_[0 : 12 * 60 + 1, -12 * 60 : 0]
    strength = strength[shifts]
    best = int(np.argmax(strength))
    is_clear = strength[best] > max(_LEAST, LEAD * strength[0])
    return int(shifts[best]) if is_clear else 0


def _closes(frames: Sequence[pd.DataFrame]) -> NDArray[np.float64]:
    """(n, m) closes of frames in some of the minutes that all of them have."""
    times = [_index(frame).asi8 for frame in frames]
    shortest = min(times, key=len)
    start, stop = max(t[0] for t in times), min(t[-1] for t in times)
    own = shortest[slice(*np.searchsorted(shortest, [start, stop + 1]))]
    own = own[:: max(len(own) // _SAMPLE, 1)]
    rows = [np.searchsorted(t, own) for t in times]
    common = np.logical_and.reduce([t[row] == own for t, row in zip(times, rows, strict=True)])
    closes = [f["close"].to_numpy()[row[common]] for f, row in zip(frames, rows, strict=True)]
    return np.array(closes)


def _index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(frame.index)


def _gap_text(last: int, first: int) -> str:
    ends = sessions.timestamps(np.array([last, first]))
    days = (first - last) / sessions.DAY
    return f"{days:,.0f} days without a bar between {ends[0]:%Y-%m-%d} and {ends[1]:%Y-%m-%d}"
