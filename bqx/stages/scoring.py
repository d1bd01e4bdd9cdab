"""What a run's forecasts are worth: scores by cell and condition, and claims of information."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import claims, skill
from bqx.learning.folds import Fold
from bqx.market.bars import Bars
from bqx.parallel import over_pairs
from bqx.params import Params
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.runs.run import Stage
from bqx.stages.bars import Dataset
from bqx.stages.pair_scores import PairScores, of_pair

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Scoring:
    """Scores of a run.

    ``cells`` : one row per pair and horizon: ``skill.Score``; of the models' own forecasts before
        shrinkage ``unshrunk_skill`` and ``unshrunk_ic``; ``attainable``, the market's own skill on
        the same rows where it is known; and the share of labels in the forecast's intervals.
    ``conditions`` : the same, one row per pair, horizon, kind of condition and its value.
    ``errors`` : squared errors in sigma by day, pair and horizon.
    ``claims`` : what is claimed of the models' own forecasts, see `claims.claim`.
    ``calibration`` : (n, 2) forecast and realised innovation, of forecasts that are not 0.
    """

    cells: pd.DataFrame
    conditions: pd.DataFrame
    errors: pd.DataFrame
    claims: pd.DataFrame
    calibration: Series


def score(stage: Stage, dataset: Dataset, folds: Sequence[Fold], params: Params) -> Scoring:
    """Score the forecasts that a stage has written, and store what was found."""
    scored: dict[str, PairScores] = {}

    def write(pair: str, made: tuple[pd.DataFrame, PairScores]) -> None:
        labels, scored[pair] = made
        artefacts.CONDITIONS.write(stage, labels, pair=pair)

    # Forecasts of all pairs would take more memory than all else: each is read where it is scored.
    tasks = {
        pair: (stage, bars, folds, params, len(dataset.bars)) for pair, bars in dataset.bars.items()
    }
    over_pairs(of_pair, tasks, params.workers, write=write, backend=params.backend)
    in_order = [scored[pair] for pair in dataset.bars]
    scores = pd.concat([pair_scores.scores for pair_scores in in_order], ignore_index=True)
    whole = scores["condition"] == skill.EVERYTHING
    cells = scores[whole].drop(columns=["condition", "value"]).reset_index(drop=True)
    by_condition = scores[~whole].dropna(axis=1, how="all").reset_index(drop=True)
    losses = pd.concat([pair_scores.errors for pair_scores in in_order], ignore_index=True)
    summed = pd.concat([pair_scores.products for pair_scores in in_order], ignore_index=True)
    claimed = claims.claim(summed, params.seed, 1.0 - params.confidence)
    artefacts.SCORES.write(stage, cells.to_dict("records"))
    artefacts.ERRORS.write(stage, losses)
    artefacts.PRODUCTS.write(stage, summed)
    artefacts.CLAIMS.write(stage, _plain(claimed))
    artefacts.SCORES_BY_CONDITION.write(stage, by_condition.to_dict("records"))
    return Scoring(
        cells,
        by_condition,
        losses,
        claimed,
        np.concatenate([pair_scores.points for pair_scores in in_order]),
    )


def read_claims(source: Source) -> pd.DataFrame:
    """What was claimed, as `score` has stored it."""
    frame = pd.DataFrame(artefacts.CLAIMS.read(source))
    return frame.astype({"fold": "Int64", "horizon": "Int64"})


def conditions_of(source: Source, bars: Bars) -> pd.DataFrame:
    """(T,) value of every kind of condition, see `conditions.label`; None where it has none."""
    return artefacts.CONDITIONS.read(source, pair=bars.pair).reindex(bars.ts)


def _plain(frame: pd.DataFrame) -> list[dict[str, object]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
