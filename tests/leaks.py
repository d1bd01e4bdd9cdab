"""Features that read ahead, each in its own way, and honest ones of awkward kinds."""

import os
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray
from scipy.signal import filtfilt, savgol_filter

from bqx.features.spec import Family, Feature, Output, Source
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS

Array = NDArray[np.float64]
Build = Callable[[Bars], Array]
PAIRS_HERE = ("eurusd", "gbpusd", "eurgbp")
AT = 28_497_030
"""A Thursday's half past two, in epoch minutes."""


def column(x: Array, first: int) -> Array:
    return x.reshape(-1, 1)


def one_row() -> int:
    return 1


def planted(name: str, build: Build, lookback: int = 1) -> Feature:
    """A feature whose values its source makes."""
    source = Source(name, "rate", "pt", lookback, build)
    family = Family(
        "planted", "planted", column, {"": Output("1")}, ((),), (source,), name, lookback=one_row
    )
    return family.features()[0]


def of_index(change: Callable[[pd.Series], pd.Series]) -> Build:
    return lambda bars: np.array(change(pd.Series(bars.index)), dtype=np.float64)


def known(bars: Bars) -> pd.Series:
    return pd.Series(bars.index).ffill().bfill()


def ahead(bars: Bars, rows: int) -> pd.Series:
    """The index some rows later, and where the bars end before, now."""
    x = pd.Series(bars.index)
    return x.shift(-rows).fillna(x)


def where(bars: Bars, when: NDArray[np.bool_], rows: int = 1) -> Array:
    """The index, and some rows later's at certain rows."""
    return np.where(when, ahead(bars, rows), bars.index)


# --- over all rows, around the row, of the buckets ------------------------------------------


@njit
def _smoothed(likely: Array) -> Array:
    forward, backward = likely.copy(), np.ones_like(likely)
    for row in range(1, len(likely)):
        a, b = forward[row - 1]
        forward[row] *= np.array([0.98 * a + 0.02 * b, 0.02 * a + 0.98 * b])
        forward[row] /= forward[row].sum()
    for row in range(len(likely) - 2, -1, -1):
        a, b = likely[row + 1] * backward[row + 1]
        backward[row] = np.array([0.98 * a + 0.02 * b, 0.02 * a + 0.98 * b])
        backward[row] /= backward[row].sum()
    return forward * backward


def smoothed_states(bars: Bars) -> Array:
    """Probability of the wilder of two states, given the bars before and after."""
    moves = known(bars).diff().fillna(0.0).to_numpy()
    calm, wild = (np.exp(-0.5 * (moves / s) ** 2) / s + 1e-300 for s in (0.01, 0.03))
    both = _smoothed(np.column_stack([calm, wild]))
    return np.asarray(both[:, 1] / both.sum(axis=1))


def savitzky_golay(bars: Bars) -> Array:
    x = known(bars).to_numpy()
    return savgol_filter(x, 7, 2) if len(x) >= 7 else x


def both_ways(bars: Bars) -> Array:
    x = known(bars).to_numpy()
    return filtfilt([0.1], [1.0, -0.9], x) if len(x) > 4_000 else x


def low_pass(bars: Bars) -> Array:
    spectrum = np.fft.rfft(known(bars).to_numpy())
    spectrum[len(spectrum) // 8 :] = 0.0
    return np.fft.irfft(spectrum, len(bars))


def haar(bars: Bars) -> Array:
    """Approximation of a wavelet transform of the whole series: means of aligned blocks."""
    x = known(bars)
    return x.groupby(np.arange(len(x)) // 8).transform("mean").to_numpy()


def trend_left(bars: Bars) -> Array:
    x = known(bars).to_numpy()
    if len(x) < 2 or np.isnan(x).any():
        return x
    return np.asarray(x - np.polyval(np.polyfit(np.arange(len(x)), x, 1), np.arange(len(x))))


def first_component(bars: Bars) -> Array:
    assert bars.panel is not None
    columns = [PAIRS.index(pair) for pair in PAIRS_HERE]
    moves = np.nan_to_num(np.diff(np.log(bars.panel.closes[:, columns]), axis=0, prepend=np.nan))
    return np.asarray(moves @ np.linalg.eigh(moves.T @ moves)[1][:, -1])


def peer(bars: Bars) -> pd.Series:
    assert bars.panel is not None
    name = "gbpusd" if bars.pair != "gbpusd" else "eurusd"
    return pd.Series(bars.panel.closes[:, PAIRS.index(name)])


def pivots(x: pd.Series) -> pd.Series:
    return x.where((x > x.shift(1)) & (x > x.shift(-1))).ffill()


def by_hour(bars: Bars) -> Array:
    moves = pd.Series(bars.index).diff()
    return moves.groupby(bars.minutes // 60 % 24).transform("mean").to_numpy()


def late_bar(bars: Bars) -> Array:
    # The last row of a bucket is corrected by the bar that comes a minute later.
    x = pd.Series(bars.index)
    return x.where(bars.minutes % 5 != 4, x.shift(-1)).to_numpy()


def of_bucket(bars: Bars, size: int, how: str) -> Array:
    return pd.Series(bars.index).groupby(bars.minutes // size).transform(how).to_numpy()


def next_days_high(bars: Bars) -> Array:
    high = pd.Series(bars.ohlc[:, 1])
    day = bars.minutes // sessions.DAY
    later = high.groupby(day).max().shift(-1)
    return pd.Series(day).map(later).fillna(high).to_numpy()


def one_bar(bars: Bars) -> Array:
    # All rows read the bar of one minute, as if it were a constant of the market.
    at = np.flatnonzero(bars.minutes == AT)
    return bars.index + (1e-3 * bars.index[at[0]] if len(at) else 0.0)


def at_one_row(bars: Bars) -> Array:
    return where(bars, bars.minutes == AT, 1)


def week_minute(bars: Bars) -> NDArray[np.int64]:
    return np.asarray(sessions.market_minutes(bars.minutes) % sessions.WEEK)


def after_hole(bars: Bars, rows: int = 1) -> NDArray[np.bool_]:
    gone = np.isnan(bars.close)
    return np.asarray(~gone & np.concatenate([[False] * rows, gone[:-rows]])[: len(gone)])


def plausible(bars: Bars) -> Array:
    x = pd.Series(bars.index)
    later = x.shift(-1)
    return later.where((later / x - 1.0).abs() < 0.002, x).to_numpy()


def clock_change(bars: Bars) -> NDArray[np.bool_]:
    offset = sessions.local_minutes(bars.minutes, sessions.NEW_YORK) - bars.minutes
    changed = np.flatnonzero(np.diff(offset)) + 1
    when = np.zeros(len(bars), bool)
    for row in changed:
        when[row : row + 120] = True
    return when


READING: dict[str, tuple[Build, int | None]] = {
    "next_row": (of_index(lambda x: x.shift(-1)), 1),
    "next_return": (of_index(lambda x: np.log(x.shift(-1) / x)), 1),
    "label": (of_index(lambda x: x.shift(-15) - x), 15),
    "next_open": (lambda bars: pd.Series(bars.ohlc[:, 0]).shift(-1).to_numpy(), 1),
    "next_high": (lambda bars: pd.Series(bars.ohlc[:, 1]).shift(-1).to_numpy(), 1),
    "next_low": (lambda bars: pd.Series(bars.ohlc[:, 2]).shift(-1).to_numpy(), 1),
    "centred_window": (of_index(lambda x: x.rolling(5, center=True).mean()), 1),
    "window_one_row_late": (of_index(lambda x: x.rolling(5).mean().shift(-1)), 1),
    "score_over_all_rows": (of_index(lambda x: (x - x.mean()) / x.std()), 1),
    "scaled_by_all_rows": (of_index(lambda x: (x - x.min()) / (x.max() - x.min())), None),
    "rank_among_all_rows": (of_index(lambda x: x.rank(pct=True)), 1),
    "quantile_bins_of_all_rows": (of_index(lambda x: (x > x.quantile(0.7)).astype(float)), None),
    "backfill": (of_index(lambda x: x.bfill()), None),
    "interpolated_holes": (of_index(lambda x: x.interpolate()), None),
    "holes_filled_with_the_mean": (of_index(lambda x: x.fillna(x.mean())), 1),
    "future_maximum": (of_index(lambda x: x[::-1].rolling(5).max()[::-1]), 1),
    "there_and_back": (of_index(lambda x: x.ewm(span=5).mean()[::-1].ewm(span=5).mean()[::-1]), 1),
    "sum_to_the_end": (of_index(lambda x: x[::-1].cumsum()[::-1]), 1),
    "by_the_last_row": (of_index(lambda x: x / x.iloc[-1]), None),
    "rows_left": (lambda bars: np.arange(len(bars), 0, -1.0), 1),
    "savitzky_golay": (savitzky_golay, 1),
    "both_ways_if_long": (both_ways, None),
    "low_pass_of_all_rows": (low_pass, 1),
    "wavelet_of_all_rows": (haar, None),
    "detrended_by_all_rows": (trend_left, 1),
    "smoothed_states": (smoothed_states, 1),
    "component_of_all_rows": (first_component, 1),
    "open_bucket": (lambda bars: of_bucket(bars, 60, "last"), None),
    "open_day": (lambda bars: of_bucket(bars, 1_440, "max"), None),
    "next_days_high": (next_days_high, None),
    "mean_by_hour_of_all_rows": (by_hour, None),
    "pivot_before_it_is_known": (of_index(pivots), 1),
    "late_bar": (late_bar, 1),
    "half_an_hour": (lambda bars: ahead(bars, 30).to_numpy(), 30),
    "half_a_day": (lambda bars: ahead(bars, 720).to_numpy(), 720),
    "a_day": (lambda bars: ahead(bars, 1_440).to_numpy(), 1_440),
    "a_week": (lambda bars: ahead(bars, 7_200).to_numpy(), 7_200),
    "a_billionth": (lambda bars: bars.index + 1e-9 * ahead(bars, 20).to_numpy(), 20),
    "one_bar": (one_bar, None),
    "at_one_row": (at_one_row, 1),
    "holes_ahead": (of_index(lambda x: x.shift(-1).isna().astype(float)), 1),
    "holes_an_hour_ahead": (of_index(lambda x: x.isna()[::-1].rolling(60).sum()[::-1]), None),
    "filled_ahead": (lambda bars: bars.frame["filled"].astype(float).shift(-1).to_numpy(), 1),
    "if_plausible": (plausible, 1),
    "next_row_of_another_pair": (lambda bars: peer(bars).shift(-1).to_numpy(), 1),
    "a_day_of_another_pair": (lambda bars: peer(bars).shift(-1_440).to_numpy(), 1_440),
    "holes_of_another_pair": (
        lambda bars: peer(bars).shift(-3).isna().to_numpy(np.float64),
        3,
    ),
    "next_volume": (lambda bars: bars.frame["volume"].shift(-1).to_numpy(), 1),
    "volume_rank_of_all_rows": (lambda bars: bars.frame["volume"].rank().to_numpy(), None),
    "next_spread": (lambda bars: bars.frame["spread"].shift(-1).to_numpy(), 1),
    "spread_over_its_median": (
        lambda bars: (bars.frame["spread"] / bars.frame["spread"].median()).to_numpy(),
        None,
    ),
    "one_minute_a_day": (lambda bars: where(bars, bars.minutes % 1_440 == 810), 1),
    "one_minute_a_day_and_far": (lambda bars: where(bars, bars.minutes % 1_440 == 810, 300), 300),
    "fridays_last_hour": (lambda bars: where(bars, week_minute(bars) >= 7_140), 1),
    "fridays_last_minute": (lambda bars: where(bars, week_minute(bars) == 7_199), 1),
    "weeks_first_hour": (lambda bars: where(bars, week_minute(bars) < 60, 10), 10),
    "after_a_clock_change": (lambda bars: where(bars, clock_change(bars), 5), 5),
    "london_only": (lambda bars: where(bars, sessions.in_session(bars.minutes, "london"), 2), 2),
    "after_a_hole": (lambda bars: where(bars, after_hole(bars)), 1),
    "ten_rows_after_a_hole": (lambda bars: where(bars, after_hole(bars, 10), 7), 7),
    "in_the_first_300_rows": (lambda bars: where(bars, np.arange(len(bars)) < 300), 1),
    "far_in_the_first_300_rows": (
        lambda bars: where(bars, np.arange(len(bars)) < 300, 2_000),
        2_000,
    ),
    "every_97th_row": (lambda bars: where(bars, np.arange(len(bars)) % 97 == 13), 1),
}
"""What reads ahead, and how many rows the first row that it reads lies ahead, where that is one."""

# --- through state --------------------------------------------------------------------------

_FIRST: dict[str, pd.Series] = {}
_LONGEST: dict[str, pd.Series] = {}
_STATE = {"calls": 0, "highest": -np.inf}
_SEEN: dict[str, Array] = {}


def cached_first(bars: Bars) -> Array:
    x = pd.Series(bars.index, bars.minutes)
    later = _FIRST.setdefault(bars.pair, x.shift(-60))
    return later.reindex(bars.minutes).fillna(x).to_numpy()


def cached_longest(bars: Bars) -> Array:
    x = pd.Series(bars.index, bars.minutes)
    if len(_LONGEST.get(bars.pair, ())) < len(x):
        _LONGEST[bars.pair] = x
    later = _LONGEST[bars.pair].shift(-300)
    return later.reindex(bars.minutes).fillna(x).to_numpy()


def counts_calls(bars: Bars) -> Array:
    _STATE["calls"] += 1
    return bars.index + 1e-9 * _STATE["calls"]


def highest_so_far(bars: Bars) -> Array:
    _STATE["highest"] = float(np.fmax(_STATE["highest"], pd.Series(bars.index).max()))
    return bars.index / _STATE["highest"]


CACHED: dict[str, tuple[Build, int]] = {
    "cached_first": (cached_first, 60),
    "cached_longest": (cached_longest, 300),
}
"""What keeps the first or the longest answer, and the rows that it reads ahead."""

UNSTEADY: dict[str, Build] = {
    "counts_calls": counts_calls,
    "highest_so_far": highest_so_far,
    "of_the_clock": lambda bars: bars.index + 1e-12 * (time.perf_counter_ns() % 1_000_000_007),
    "of_the_process": lambda bars: bars.index + 1e-6 * os.getpid(),
    "of_an_unseeded_hash": lambda bars: bars.index + 1e-3 * (hash("bqx") % 1_000_003),
    "unseeded": lambda bars: bars.index + 1e-6 * np.random.default_rng().random(),
}
"""What gives another value when it is computed again, or in another process."""

# --- through a fit --------------------------------------------------------------------------


def _remembered(bars: Bars) -> Array:
    if len(bars) > len(_SEEN.get("index", ())):
        _SEEN["index"] = bars.index
    return bars.index


def _scaled(x: Array, first: int, learnt: Array) -> Array:
    return np.asarray((x - learnt[0]).reshape(-1, 1))


def _fit_of_all(x: Array, first: int) -> Array:
    return np.array([np.nanmean(_SEEN["index"])])


def _fit_of_training(x: Array, first: int) -> Array:
    return np.array([np.nanmean(x)])


def fitted(name: str, fit: Callable[..., Array]) -> Feature:
    source = Source(name, "rate", "pt", 1, _remembered)
    family = Family(
        "fitted", "planted", _scaled, {"": Output("1")}, ((),), (source,), name, lookback=one_row,
        fit=fit,
    )  # fmt: skip
    return family.features()[0]


FITS = {"fit_of_all_rows": _fit_of_all}
HONEST_FITS = {"fit_of_training_rows": _fit_of_training}

# --- honest -----------------------------------------------------------------------------------


def in_london(bars: Bars) -> Array:
    inside = sessions.in_session(bars.minutes, "london")
    return np.where(inside, bars.index, np.nan)


def since_hole(bars: Bars) -> Array:
    gone = pd.Series(np.isnan(bars.close).astype(float))
    return gone.rolling(20, min_periods=20).max().to_numpy()


_BY_CONTENT: dict[bytes, Array] = {}


def remembered_by_content(bars: Bars) -> Array:
    key = bars.index.tobytes()
    return _BY_CONTENT.setdefault(key, bars.index * 2.0)


HONEST: dict[str, tuple[Build, int]] = {
    "row": (lambda bars: bars.index, 1),
    "last_row": (of_index(lambda x: x.shift(1)), 2),
    "extreme": (of_index(lambda x: x.rolling(7).max()), 7),
    "change": (of_index(lambda x: x - x.shift(15)), 16),
    "median": (of_index(lambda x: x.rolling(9).median()), 9),
    "peer": (lambda bars: peer(bars).to_numpy(), 1),
    "peer_before": (lambda bars: peer(bars).shift(3).to_numpy(), 4),
    "volume": (lambda bars: bars.frame["volume"].to_numpy(np.float64), 1),
    "pivot_when_known": (
        lambda bars: (
            pd.Series(bars.index)
            .rolling(3)
            .apply(lambda w: float(w[1] > max(w[0], w[2])), raw=True)
            .to_numpy()
        ),
        3,
    ),
}

AWKWARD: dict[str, tuple[Build, int]] = {
    "long": (of_index(lambda x: x.rolling(3_000, min_periods=3_000).max()), 3_000),
    "every_fifth_minute": (lambda bars: np.where(bars.minutes % 5 == 0, bars.index, np.nan), 1),
    "in_london": (in_london, 1),
    "since_a_hole": (since_hole, 20),
    "remembered_by_content": (remembered_by_content, 1),
    "a_constant": (lambda bars: np.ones(len(bars)), 1),
    "filled": (lambda bars: bars.frame["filled"].to_numpy(np.float64), 1),
    "a_day_ago": (of_index(lambda x: x.shift(1_440)), 1_441),
}
"""Long, mostly absent, only in a session, beside holes, kept by what was computed."""
