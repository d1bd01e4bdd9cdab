"""Which cells of a run may be promoted, given all that was ever tried on its bars."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from bqx.evaluation import overfitting
from bqx.evaluation.reasons import Reason
from bqx.runs import artefacts, ledger
from bqx.runs.artefacts import Source
from bqx.runs.ledger import Trial
from bqx.runs.run import Run, Stage
from bqx.stages import scoring

INFORMATION = "t of the run's claim of information"
"""Rule that the whole run has to pass."""


def decide(run: Run, stage: Stage, candidates: Sequence[Trial]) -> pd.DataFrame:
    """Judge and store `overfitting.promote_trial` of every trial of net profits of a run.

    Nothing is promoted in a run that claims no information.

    All trials on the same bars count, of this run and of the others beside it, those of the
    moment at which the run was traded. One row per pair and horizon, see `read`.
    """
    trials = ledger.beside(run.folder).trials(run.manifest["data_hash"])
    scores = pd.DataFrame(artefacts.SCORES.read(stage))
    claimed = scoring.read_claims(stage).iloc[0]
    skill_lo = scores.set_index(["pair", "horizon"])["skill_lo"]
    rows: list[dict[str, Any]] = []
    for trial in candidates:
        low = skill_lo[trial.pair, trial.horizon]
        decision = overfitting.promote_trial(trials, trial, None if pd.isna(low) else float(low))
        if not claimed["claimed"]:
            decision = decision.against(
                Reason.check(INFORMATION, claimed["t"], ">", bound=claimed["bound"])
            )
        rows.append({"pair": trial.pair, "horizon": trial.horizon} | asdict(decision))
    artefacts.PROMOTION.write(stage, rows)
    return pd.DataFrame(rows)


def read(source: Source) -> pd.DataFrame:
    """What was decided: one row per pair and horizon, see `overfitting.Decision`."""
    return pd.DataFrame(artefacts.PROMOTION.read(source))
