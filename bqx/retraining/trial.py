"""A challenger on bars that came after its training: days in the shadow, and days under watch."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from bqx.errors import BarError
from bqx.evaluation import claims
from bqx.evaluation.reasons import Reason
from bqx.learning.bundle import Bundle
from bqx.market import sessions
from bqx.params import Params
from bqx.retraining import forecasts
from bqx.retraining.bars import Frames, grids, known
from bqx.retraining.forecasts import CHALLENGER, CHAMPION
from bqx.retraining.judgement import gain
from bqx.serving import live

DAYS = 4
"""Whole trading days in the shadow, and again under watch: from a Monday to its Friday."""
BLOCK = 180
"""Minutes whose gains count as one observation."""
WORSE = -2.0
"""t of the gain over what it follows at which a promoted version is taken back."""


def days_after(frames: Frames, since: datetime, now: datetime) -> list[int]:
    """The first `DAYS` whole trading days that have bars, days since 1970-01-01: begun after a
    time, and ended by now."""
    stamps = [f.index[(f.index >= since) & (f.index < now)] for f in frames.values()]
    minutes = np.concatenate([sessions.epoch_minutes(stamp) for stamp in stamps])
    ends = np.array([int(moment.timestamp()) // 60 for moment in (since, now)])
    first, today = sessions.trading_days(ends)
    days = np.unique(sessions.trading_days(minutes)) if len(minutes) else minutes
    return [int(day) for day in days if first < day < today][:DAYS]


def _end(day: int) -> datetime:
    """When a trading day has ended."""
    minutes = sessions.grid((day - 1) * sessions.DAY, (day + 2) * sessions.DAY)
    last = minutes[sessions.trading_days(minutes) == day][-1:]
    stamp: datetime = sessions.timestamps(last + 1)[0].to_pydatetime()
    return stamp


def compared(
    frames: Frames,
    days: Sequence[int],
    *,
    challenger: Bundle,
    champion: Bundle | None,
    params: Params,
) -> pd.DataFrame:
    """See `forecasts.compared`, on the rows of some days.

    Nothing after the last of them is read, labels neither, so that a later look gives the same.

    Raises BarError where the pair has no label on them.
    """
    seen = known(frames, _end(days[-1]))
    bundles = [bundle for bundle in (challenger, champion) if bundle is not None]
    before = timedelta(minutes=max(map(live.span, bundles)) + 2 * sessions.DAY)
    bars = grids(seen, params, pd.Timestamp(_end(days[0]) - before))
    pair_bars = bars.get(challenger.pair)
    if pair_bars is not None:
        rows = np.flatnonzero(np.isin(sessions.trading_days(pair_bars.minutes), days))
        table = forecasts.compared(
            pair_bars, rows, challenger=challenger, champion=champion, params=params
        )
    if pair_bars is None or table.empty:
        raise BarError(
            f"{challenger.pair}: no label until {_end(days[-1])}, got bars of {', '.join(bars)}; "
            "expected some of the pair. Look at its feed."
        )
    return table


def vetoes(table: pd.DataFrame) -> tuple[Reason, ...]:
    """What the days in the shadow have against a challenger that has passed the gate.

    It is no second test: the gate has claimed what there is, and the shadow only asks that it does
    not err more than the served version or the martingale on bars by which nobody has chosen.
    """
    label = table["label"]
    alone = label**2 - (label - table[CHALLENGER]) ** 2
    gains = {"gain over the martingale": alone}
    if CHAMPION in table:
        gains = {"gain over the served version": gain(table), **gains}
    checks = [
        Reason.check(rule, float(gained.sum()), ">", bound=0.0) for rule, gained in gains.items()
    ]
    return tuple(check for check in checks if not check.passed)


def worse(table: pd.DataFrame) -> tuple[int, float] | None:
    """The first day at whose end a version errs more than what it follows beyond chance, and its t;
    None where it never did."""
    block = sessions.epoch_minutes(pd.DatetimeIndex(table["ts_utc"])) // BLOCK
    sums = gain(table).groupby([table["day"], block]).sum()
    for day in np.unique(table["day"]):
        block_sums = sums[sums.index.get_level_values(0) <= day].to_numpy()
        (t,) = claims.statistic(block_sums[:, None])
        if t < WORSE:
            return int(day), float(t)
    return None
