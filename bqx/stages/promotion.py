"""Which cells of a run may be promoted, given all that was ever tried on its bars."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from bqx import ledger, overfitting
from bqx.ledger import Trial
from bqx.stages import backtest
from bqx.store import Run, read_json


def decide(run: Run) -> pd.DataFrame:
    """`overfitting.promote` of every pair and horizon that the run has traded: a row each.

    All trials on the same bars count, of this run and of the others beside it, whether or not they
    share the run's days; the deflated Sharpe ratio and the probability of overfitting look at those
    that share all of them.
    """
    book = ledger.beside(run.folder)
    every = book.trials(run.manifest["data_hash"])
    net = backtest.net_by_day(run)
    own = backtest.trials(run, net)
    days = net.index.to_numpy(np.int64)
    beside = [trial for trial in every if trial.measure == "net" and _covers(trial, days)]
    place = {trial.name: i for i, trial in enumerate(beside)}
    _, daily = ledger.matrix(beside)
    cells = pd.DataFrame(read_json(run.need("forecasts/cells.json")))
    skill_lo = cells.set_index(["pair", "horizon"])["skill_lo"]
    rows = []
    for trial in own:
        low = skill_lo[trial.pair, trial.horizon]
        made = overfitting.promote(
            daily, place[trial.name], ledger.count(every), None if pd.isna(low) else float(low)
        )
        rows.append({"pair": trial.pair, "horizon": trial.horizon} | asdict(made))
    return pd.DataFrame(rows)


def _covers(trial: Trial, days: np.ndarray[tuple[int], np.dtype[np.int64]]) -> bool:
    return bool(np.isin(days, trial.days).all())
