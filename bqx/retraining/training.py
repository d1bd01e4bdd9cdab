"""A pair's challenger: trained on the latest months, with its forecasts beside the champion's."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ArtefactError, ParameterError
from bqx.evaluation import skill
from bqx.feature_store.history import History
from bqx.features import lags
from bqx.files import check_seal, read_json, read_parquet, sealed, sha256, write_json, write_parquet
from bqx.learning import baseline, bundle, pair_selection, samples, split, training
from bqx.learning.bundle import Bundle
from bqx.learning.fold_fit import FoldFit, learn_fold
from bqx.learning.folds import Fold
from bqx.learning.models import make
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.retraining import forecasts

BUNDLE, COMPARED, FACTS = "bundle", "compared.parquet", "facts.json"
RECENT = 60
"""Last rows of which a column must have a value in one, or it is missing."""
ASKED = 40
"""Forecasts behind a latency."""


@dataclass(frozen=True)
class Trained:
    """A pair's challenger and what was found of it.

    ``compared`` : see `forecasts.compared`, of the fold's test rows that the champion has not seen;
    ``needed``, ``present`` : columns that it reads, and those that have a value now;
    ``latency_ms`` : 99th percentile of a forecast's time; ``champion`` : number of the version that
    it was compared with, 0 for none; ``since`` : the change after which it has learnt, see
    `change`, empty for none.
    """

    bundle: Bundle
    folder: Path
    compared: pd.DataFrame
    needed: tuple[str, ...]
    present: tuple[str, ...]
    latency_ms: float
    champion: int
    since: str


def model_of(params: Params, champion: tuple[int, Bundle] | None) -> str:
    """Model that a pair's challenger is: the champion's kind, that of the parameters, or the first
    of those among which a run chooses."""
    if champion is not None:
        return champion[1].model.NAME
    return params.models[0] if params.model == "chosen" else params.model


def fold_of(bars: Mapping[str, Bars], params: Params) -> Fold:
    """The chronological fold of the bars, with what all pairs learn together on it.

    Raises ParameterError for too few days.
    """
    columns, minutes = lags.candidates_of(params), next(iter(bars.values())).minutes
    params = params.model_copy(update={"scheme": "chronological"})
    (fold,) = samples.share(bars, columns, split.make(params, minutes, columns).folds[-1:])
    return fold


def train(
    own: Bars,
    fold: Fold,
    folder: Path,
    *,
    champion: tuple[int, Bundle] | None,
    params: Params,
    pooled: FoldFit | None = None,
    since: str = "",
) -> None:
    """Train a pair's challenger and write it with its comparison; the folder appears when all is
    there.

    The columns are chosen and the model is fitted on the fold; nothing of it depends on bars after
    the fold's ``last_seen``. ``pooled`` : what it has learnt with all pairs, where it has;
    ``since`` : the change after which its bars begin, for the report.

    Raises ParameterError for too few rows to learn from, or to compare on.
    """
    before = champion[1] if champion else None
    fit = pooled or _fitted(own, fold, model=model_of(params, champion), params=params)
    packed = bundle.bundle(own, fit, params, {})
    rows = _unseen(own, fold, packed, before)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    table = forecasts.compared(own, rows, challenger=packed, champion=before, params=params)
    if len(table) < samples.LEAST:
        raise ParameterError(
            f"{own.pair}: too few test rows with a label, got {len(table)}; expected at least "
            f"{samples.LEAST}. Retrain when there are more bars."
        )
    packed = replace(packed, metrics={"skill": _skills(table, packed, params)})
    unseen = table.rename(columns={forecasts.CHALLENGER: "forecast"})
    baseline.attached(packed, History(own), unseen).save(temporary / BUNDLE)
    write_parquet(temporary / COMPARED, table)
    needed, present = _columns(own, packed)
    facts = {
        "pair": own.pair,
        "champion": champion[0] if champion else 0,
        "since": since,
        "needed": needed,
        "present": present,
        "latency_ms": latency(packed, own),
        "files": {n: sha256(temporary / n) for n in (COMPARED, f"{BUNDLE}/{bundle.MANIFEST}")},
    }
    write_json(temporary / FACTS, sealed(facts))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def _fitted(bars: Bars, fold: Fold, *, model: str, params: Params) -> FoldFit:
    columns, history = lags.candidates_of(params), History(bars)
    (chosen,) = pair_selection.select_pair(history, columns, [fold], params)
    by_name = {column.name: column for column in columns}
    learnt = learn_fold(
        history,
        [by_name[name] for name in chosen.columns],
        fold,
        model=make(model, params),
        targets=samples.targets_of(bars, params),
        params=params,
    )
    ((evidence,),) = training.weigh_all({bars.pair: [learnt]}, params).values()
    (fit,) = training.keep_pair(bars, [fold], [learnt], [evidence], params).fits
    return fit


def _unseen(bars: Bars, fold: Fold, packed: Bundle, champion: Bundle | None) -> NDArray[np.int64]:
    """Test rows whose columns neither model has learnt from.

    Raises ParameterError where the champion has seen nearly all.
    """
    lookback = max(packed.lookback, champion.lookback if champion else 0)
    rows = fold.test[fold.test >= lookback - 1]
    if champion is not None:
        until = int(champion.trained_until.timestamp()) // 60
        rows = rows[bars.minutes[rows] > until + max(packed.horizons)]
    if len(rows) < samples.LEAST:
        raise ParameterError(
            f"{bars.pair}: too few test rows that the served version has not learnt from, got "
            f"{len(rows)}; expected at least {samples.LEAST}. Retrain when there are more bars."
        )
    return rows


def _skills(table: pd.DataFrame, packed: Bundle, params: Params) -> list[dict[str, Any]]:
    """Skill of what is kept, with its interval, by horizon: what answers say of the model."""
    rows = []
    for horizon, horizon_rows in table.groupby("horizon"):
        scored = skill.score(
            horizon_rows["label"].to_numpy(),
            horizon_rows[forecasts.CHALLENGER].to_numpy(),
            np.zeros(len(horizon_rows)),
            sigma=1.0,
            day=horizon_rows["day"].to_numpy(),
            window=packed.window_of(int(str(horizon))),
            horizon=int(str(horizon)),
            confidence=skill.simultaneous(params.confidence, len(params.horizons)),
            seed=params.seed,
        ).row()
        names = ("skill", "skill_lo", "skill_hi")
        rows.append({"horizon": int(str(horizon)), **{name: scored[name] for name in names}})
    return rows


def _columns(bars: Bars, packed: Bundle) -> tuple[list[str], list[str]]:
    x = History(bars).matrix(
        packed.columns, np.arange(max(len(bars) - RECENT, 0), len(bars)), packed.fits
    )
    names = [column.name for column in packed.columns]
    valued = [bool(np.isfinite(column).any()) for column in x.T]
    return names, [name for name, has in zip(names, valued, strict=True) if has]


def latency(packed: Bundle, bars: Bars) -> float:
    """99th percentile of the milliseconds of this process for a forecast from bars."""
    recent = bars.rows(max(len(bars) - packed.lookback, 0), len(bars))
    spent = []
    for _ in range(1 + ASKED):
        start = time.process_time()
        packed.predict(Bars(recent.pair, recent.frame, recent.baseline, recent.panel))
        spent.append(time.process_time() - start)
    # The first one compiles; of some in a row the quickest counts, as in a run.
    return float(np.percentile(np.min(np.reshape(spent[1:], (-1, 10)), axis=1), 99)) * 1e3


def read(folder: Path) -> Trained:
    """What `train` has written.

    Raises ArtefactError where it is not what was written.
    """
    facts = read_json(folder / FACTS)
    try:
        check_seal(facts)
        for name, expected in facts["files"].items():
            if sha256(folder / name) != expected:
                raise ValueError(f"another {name}")
    except (ValueError, LookupError, OSError) as error:
        raise ArtefactError(
            f"{folder}: damaged, got {error}; expected what was trained. Remove it and retrain."
        ) from None
    return Trained(
        bundle=bundle.load(folder / BUNDLE),
        folder=folder / BUNDLE,
        compared=read_parquet(folder / COMPARED),
        needed=tuple(facts["needed"]),
        present=tuple(facts["present"]),
        latency_ms=float(facts["latency_ms"]),
        champion=int(facts["champion"]),
        since=str(facts["since"]),
    )


def attempt(
    params: Params,
    own: Bars,
    fold: Fold,
    folder: Path,
    champion: tuple[int, Bundle] | None,
    pooled: FoldFit | None,
    since: str,
) -> str:
    """Train a pair; why it failed, empty where it has not, since the others go on."""
    try:
        train(own, fold, folder, champion=champion, params=params, pooled=pooled, since=since)
    except Exception as error:  # whatever it is, the pair beside it is none the worse
        return f"{type(error).__name__}: {error}"
    return ""
