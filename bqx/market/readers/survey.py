"""The short table of what bars are: a row for each pair."""

from typing import Any

import numpy as np
import pandas as pd

from bqx.market import examination, sessions
from bqx.market.bars import RATES
from bqx.market.pairs import pip
from bqx.market.readers.one_file import FileBars

LONG_HOLE = 15
"""Minutes up to which a hole carries the last close by default."""


def row(pair: str, frame: pd.DataFrame, files: list[FileBars]) -> dict[str, Any]:
    """What the bars of a pair are, in words and figures.

    Returns
    -------
    Pair, files, bars, first and last minute, step, which end of the minute times are, clock, side,
    decimals of the rates, unit and median of the spread, largest change of a minute, longest time
    that the rate stood still, share of missing minutes, of those in holes beyond 15 minutes, the
    longest hole, order and repeats, and what is set aside.
    """
    minutes = sessions.epoch_minutes(pd.DatetimeIndex(frame.index))
    rates = frame[list(RATES)].to_numpy()
    market = sessions.market_minutes(minutes)
    holes = np.diff(market) - 1
    count = market[-1] - market[0] + 1
    stretches = examination.runs(rates[:, 3], 2)
    standing = market[stretches[:, 1] - 1] - market[stretches[:, 0]]
    change = np.abs(np.diff(np.log(rates[:, 3])))
    spread = frame["spread"].median() / pip(pair)
    aside: dict[str, int] = {}
    for file in files:
        for reason, rows in file.aside.items():
            aside[reason] = aside.get(reason, 0) + rows
    return {
        "pair": pair,
        "files": len(files),
        "bars": len(frame),
        "from": f"{frame.index[0]:%Y-%m-%d %H:%M}",
        "to": f"{frame.index[-1]:%Y-%m-%d %H:%M}",
        "step": "1 minute",
        "stamped": _words(file.stamped for file in files),
        "clock": _words(file.clock for file in files),
        "side": _words(file.side or "bid, assumed" for file in files),
        "digits": examination.digits(rates[:: max(len(rates) // 5_000, 1), 3]),
        "spread": _words(file.spread for file in files),
        "median spread": f"{spread:.3g} pips" if np.isfinite(spread) else "none",
        "largest change": f"{change.max(initial=0.0) * 1e4:.0f} bp",
        "stood still": f"{standing.max(initial=0):,} min",
        "missing": f"{holes.sum() / count:.1%}",
        "in long holes": f"{holes[holes > LONG_HOLE].sum() / count:.1%}",
        "longest hole": f"{holes.max(initial=0):,} min",
        "set aside": "; ".join(f"{rows:,} {reason}" for reason, rows in aside.items()) or "none",
    }


def _words(texts: Any) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))
