"""Which cells of a run may be promoted, given all that was ever tried on its bars."""

from dataclasses import asdict

import pandas as pd

from bqx.evaluation import overfitting
from bqx.runs import ledger
from bqx.runs.run import Run, read_json
from bqx.stages import backtest


def decide(run: Run) -> pd.DataFrame:
    """`overfitting.promote_trial` of every pair and horizon that the run has traded: a row each.

    All trials on the same bars count, of this run and of the others beside it.
    """
    book = ledger.beside(run.folder)
    every = book.trials(run.manifest["data_hash"])
    cells = pd.DataFrame(read_json(run.need("forecasts/cells.json")))
    skill_lo = cells.set_index(["pair", "horizon"])["skill_lo"]
    rows = []
    for trial in backtest.trials(run, backtest.net_by_day(run)):
        low = skill_lo[trial.pair, trial.horizon]
        made = overfitting.promote_trial(every, trial, None if pd.isna(low) else float(low))
        rows.append({"pair": trial.pair, "horizon": trial.horizon} | asdict(made))
    return pd.DataFrame(rows)
