"""The bars that are known at a time, and whether they are good enough to learn from."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from bqx.errors import BarError, ParameterError
from bqx.evaluation.reasons import Reason
from bqx.learning.bundle import Bundle
from bqx.market import bars as bar_frames
from bqx.market import readers, sessions
from bqx.market.bars import Bars, Panel
from bqx.market.pairs import LIQUIDITY, PAIRS
from bqx.params import Params

MONTHS = 6
"""Latest months that a retraining learns from and is judged on."""
LEAST_DAYS = 30
MOST_STALE = 120
"""Market minutes that the newest bar of a pair may be old."""
MOST_HOLES = 0.05
"""Share of the minutes that may lie in holes which are too long to be filled."""
FROZEN = 240
"""Last minutes with a bar in which the rate must have moved."""

Frames = Mapping[str, pd.DataFrame]


def read(params: Params) -> dict[str, pd.DataFrame]:
    """Raw bars of the parameters' folder, the most liquid pair first.

    Raises BarError or ParameterError, see `readers.read_folder`.
    """
    if params.bars_path is None:
        raise ParameterError(
            "bars: none, got a synthetic market; expected a folder of bars that grows. Give it "
            "with --set bars=FOLDER."
        )
    frames = readers.read_folder(params.bars_path, params.pairs, **params.declared)
    return {pair: frames[pair] for pair in LIQUIDITY if pair in frames}


def known(frames: Frames, now: datetime) -> dict[str, pd.DataFrame]:
    """Bars that have ended by now; before anything else is done with them, since even how a hole
    is filled depends on when it ends.

    Raises BarError where there are none.
    """
    last = pd.Timestamp(now) - pd.Timedelta(minutes=1)
    cut = {pair: frame.loc[:last] for pair, frame in frames.items()}
    cut = {pair: frame for pair, frame in cut.items() if len(frame)}
    if not cut:
        raise BarError(f"bars: none before {now}, got later ones; expected some. Check --now.")
    return cut


def grids(frames: Frames, params: Params, since: pd.Timestamp | None = None) -> dict[str, Bars]:
    """Bars on one grid from a time on, under the baselines of their whole history.

    Raises BarError where there are none since.
    """
    first = pd.Timestamp(params.baseline, tz="UTC") if params.baseline else None
    baselines = {pair: bar_frames.baseline(frame, first) for pair, frame in frames.items()}
    recent = {pair: frame.loc[since:] for pair, frame in frames.items()}
    recent = {pair: frame for pair, frame in recent.items() if len(frame)}
    if not recent:
        newest = max(frame.index[-1] for frame in frames.values())
        raise BarError(
            f"bars: none since {since:%Y-%m-%d}, got the newest of {newest:%Y-%m-%d %H:%M}; "
            "expected some. Check the feed of the bars, or --now."
        )
    return bar_frames.align(recent, params.max_fill, baselines=baselines)


def latest(frames: Frames, params: Params, now: datetime) -> dict[str, Bars]:
    """Bars of the latest `MONTHS` months, on one grid."""
    return grids(frames, params, pd.Timestamp(now) - pd.DateOffset(months=MONTHS))


def faults(bars: Bars, now: datetime) -> tuple[Reason, ...]:
    """What stands against learning from a pair's bars; none where nothing does."""
    quoted = np.flatnonzero(np.isfinite(bars.close) & ~bars.frame["filled"].to_numpy())
    if not len(quoted):
        return (Reason("no bars"),)
    stale = sessions.grid(int(bars.minutes[quoted[-1]]) + 1, int(now.timestamp()) // 60 - 1)
    days = len(np.unique(sessions.trading_days(bars.minutes[quoted])))
    span = bars.close[quoted[-FROZEN:]]
    checks = (
        Reason.check("trading days", days, ">=", bound=LEAST_DAYS),
        Reason.check("minutes since the newest bar", len(stale), "<=", bound=MOST_STALE),
        Reason.check("share in long holes", np.isnan(bars.close).mean(), "<=", bound=MOST_HOLES),
        Reason.check(
            "rates of the last minutes", float(len(np.unique(span))), ">", bound=1.0, note="frozen"
        ),
    )
    return tuple(check for check in checks if not check.passed)


def rebased(bars: Bars, bundle: Bundle) -> Bars:
    """Bars of a bundle's pair, it and its panel under the baselines that the bundle has learnt."""
    panel = bars.panel
    if panel is not None:
        baselines = panel.baselines.copy()
        for pair, baseline in {bundle.pair: bundle.baseline, **bundle.panel}.items():
            baselines[PAIRS.index(pair)] = baseline
        panel = Panel(panel.closes, baselines)
    return Bars(bars.pair, bars.frame, bundle.baseline, panel)
