"""Which cells of a run may be promoted, given all that was ever tried on its bars."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from bqx.evaluation import overfitting
from bqx.evaluation.reasons import Reason
from bqx.runs import artefacts, known_trials
from bqx.runs.artefacts import Source
from bqx.runs.run import Run, Stage
from bqx.runs.trials import Trial
from bqx.stages import scoring

THINNED = "trials are missing from the ledger or were altered"
"""Why nothing is promoted, whatever else was found."""
INFORMATION = "t of the run's claim of information"
"""Rule that the whole run has to pass."""


def decide(run: Run, stage: Stage, candidates: Sequence[Trial]) -> pd.DataFrame:
    """Judge and store `overfitting.promote_trial` of every trial of net profits of a run.

    Nothing is promoted in a run that claims no information, or where trials were taken out of the
    ledger. All trials on bars that overlap the run's count, of this run and of every other on the
    machine, those of the moment at which the run was traded. One row per pair and horizon, see
    `read`.
    """
    ledger = known_trials.known(run)
    scores = pd.DataFrame(artefacts.SCORES.read(stage))
    claimed = scoring.read_claims(stage).iloc[0]
    skill_lo = scores.set_index(["pair", "horizon"])["skill_lo"]
    rows: list[dict[str, Any]] = []
    for trial in candidates:
        low = skill_lo[trial.pair, trial.horizon]
        decision = overfitting.promote_trial(
            ledger.trials, trial, None if pd.isna(low) else float(low)
        )
        if not claimed["claimed"]:
            decision = decision.against(
                Reason.check(INFORMATION, claimed["t"], ">", bound=claimed["bound"])
            )
        if ledger.faults:
            decision = decision.against(Reason(THINNED, note=ledger.faults[0]))
        rows.append({"pair": trial.pair, "horizon": trial.horizon} | asdict(decision))
    artefacts.PROMOTION.write(stage, rows)
    return pd.DataFrame(rows)


def read(source: Source) -> pd.DataFrame:
    """What was decided: one row per pair and horizon, see `overfitting.Decision`."""
    return pd.DataFrame(artefacts.PROMOTION.read(source))
