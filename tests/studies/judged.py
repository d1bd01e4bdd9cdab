"""What a model's own forecasts of one market are worth, before validation holds them back."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import skill
from bqx.learning import targets
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params, rules
from bqx.trading import backtest, costs, signals

HORIZONS = (15, 30, 45, 60, 75)
NAMES = tuple(name for name in rules.MODELS if name not in ("martingale", "tft"))
"""Estimators that are studied: an epoch of the transformer takes longer than most others' fits."""


@dataclass(frozen=True)
class Judged:
    """Tests and intervals by horizon, and daily net profits (d, horizons)."""

    p: tuple[float, ...]
    skill_lo: tuple[float, ...]
    skill_hi: tuple[float, ...]
    net: NDArray[np.float64]


def judge(of: Bars, forecasts: pd.DataFrame, given: Params) -> Judged:
    """Judge and trade the raw forecasts of a pair, see ``training.PairResult``."""
    priced = costs.make(of, given)
    size = signals.size(of, given.target_volatility, given.largest_position)
    day = sessions.trading_days(of.minutes)
    p, low, high, net = [], [], [], []
    for horizon, part in forecasts.groupby("horizon"):
        raw = np.full(len(of), np.nan)
        raw[of.ts.get_indexer(part["ts_utc"])] = part["raw"]
        made = targets.make(of, 15, int(str(horizon)))
        known = np.where(np.isnan(raw), np.nan, 0.0)
        found = skill.score(
            made.label("innovation"),
            raw,
            known,
            sigma=1.0,
            day=day,
            window=15,
            horizon=made.horizon,
        )
        assert found.skill.low is not None
        assert found.skill.high is not None
        # A forecast that is the same everywhere has no correlation with anything.
        p.append(1.0 if found.ic_p is None else found.ic_p)
        low.append(found.skill.low)
        high.append(found.skill.high)
        there = np.flatnonzero(np.isfinite(raw))
        rows = slice(int(there[0]), int(there[-1]) + 1)
        move = signals.expected_move(raw * made.sigma, 15, made.horizon)
        side = np.where(np.isfinite(raw), np.nan_to_num(np.sign(move)), 0.0)
        traded = backtest.run(
            of.rows(rows.start, rows.stop), (side * size)[rows], made.horizon,
            costs=priced.rows(rows.start, rows.stop),
        )  # fmt: skip
        net.append(traded.daily()["net"].to_numpy())
    return Judged(tuple(p), tuple(low), tuple(high), np.column_stack(net))
