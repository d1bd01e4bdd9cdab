"""Ledger of trials: all that was tried on given bars, whether or not anybody reports it.

A trial is one fitted and scored configuration. The ledger is a folder beside the runs; each batch
of trials is one Parquet file named after its content, written under a temporary name first. So
processes may record at the same time, a killed one leaves nothing half written, the same trial
recorded again counts once, and nothing is ever rewritten. Who wants fewer trials must delete files.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ArtefactError, ParameterError
from bqx.files import digest, read_parquet, write_parquet
from bqx.params import Params

Measure = Literal["gain", "net"]
Days = NDArray[np.int64]
Series = NDArray[np.float64]

FOLDER = "ledger"
SHARED = 0.9
"""Least share of a candidate's days that a trial beside it has."""

TRIED = (
    *("seed", "target_window", "horizons", "lags", "strict61"),
    *("train_days", "validation_days", "test_days", "step_days", "expanding"),
    *("groups", "test_groups", "embargo", "stride"),
    *("selected", "domain_share", "ranked_by", "forest_trees", "forest_depth"),
    *("rounds", "depth", "learning_rate", "coverage", "device"),
)
"""Parameters that make one trial another, beside its fields and its bars. How to score is none of
them, and a search's settings are its own trials'."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One configuration on given bars, and what it made day by day.

    ``bars`` : hash of the bars; ``parameters`` : all else that the forecasts depend on.
    ``measure`` : ``gain``, squared errors saved against the martingale forecast, or ``net``, profit
        after costs as a share of the notional.
    ``days`` : (d,) trading days out of sample; ``values`` : (d,) sums of the measure.
    """

    bars: str
    pair: str
    horizon: int
    scheme: str
    profile: str
    model: str
    parameters: dict[str, Any]
    measure: Measure
    days: Days
    values: Series

    @property
    def configuration(self) -> str:
        """Hash of what was tried, whatever came of it."""
        names = ("bars", "pair", "horizon", "scheme", "profile", "model", "parameters")
        return digest({name: getattr(self, name) for name in names})

    @property
    def name(self) -> str:
        """Hash of what was tried and of what came of it: the same when it is tried again."""
        outcome = hashlib.sha256(f"{self.configuration} {self.measure}".encode())
        outcome.update(np.ascontiguousarray(self.days, dtype="<i8").tobytes())
        outcome.update(np.ascontiguousarray(self.values, dtype="<f8").tobytes())
        return outcome.hexdigest()


class Ledger:
    """Trials in a folder.

    ``folder`` : has a folder of Parquet files for each dataset of bars.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: Path) -> "Ledger":
        """The ledger of a folder, which need not exist yet."""
        return cls(folder.resolve())

    def record(self, *trials: Trial) -> None:
        """Add trials of the same bars; those that the ledger already holds count no second time.

        Raises ParameterError for an unknown measure, days and values that do not match, or trials
        of different bars.
        """
        if not trials:
            return
        for trial in trials:
            _check(trial, trials[0].bars)
        names = {trial.name: trial for trial in trials}
        path = self._of(trials[0].bars) / f"{digest(sorted(names))[:32]}.parquet"
        if not path.exists():
            write_parquet(path, pd.DataFrame([_row(n, t) for n, t in sorted(names.items())]))

    def trials(self, bars: str) -> list[Trial]:
        """Every trial on the bars of a hash, once, in order of their names.

        Raises ArtefactError for a file that is damaged or was altered.
        """
        trials: dict[str, Trial] = {}
        for path in sorted(self._of(bars).glob("[!.]*.parquet")):
            for row in read_parquet(path).to_dict("records"):
                trial = _trial(row)
                if trial.name != row["name"]:
                    raise ArtefactError(
                        f"{path}: altered, got a trial of {trial.pair} {trial.horizon} that is not "
                        f"what was recorded; expected {row['name'][:12]}. Restore the file."
                    )
                trials[trial.name] = trial
        return [trials[name] for name in sorted(trials)]

    def count(self, bars: str) -> int:
        """Number of trials on the bars of a hash.

        A configuration that was scored and traded is one trial; one that gave different results,
        because the code had changed, is as many as it gave.
        """
        return count(self.trials(bars))

    def _of(self, bars: str) -> Path:
        return self.folder / bars[:16]


def beside(run: Path) -> Ledger:
    """The ledger that a run folder shares with the others in its parent."""
    return Ledger.open(run.resolve().parent / FOLDER)


def count(trials: Iterable[Trial]) -> int:
    """Number of trials among records of gains and of profits, see `Ledger.count`."""
    by_measure = Counter((trial.configuration, trial.measure) for trial in trials)
    most: dict[str, int] = {}
    for (configuration, _), number in by_measure.items():
        most[configuration] = max(most.get(configuration, 0), number)
    return sum(most.values())


def cells(
    daily: pd.DataFrame, measure: Measure, params: Params, model: str, bars: str
) -> list[Trial]:
    """Trials of a run, one per cell.

    Parameters
    ----------
    daily : (d, cells) sums of the measure; index trading day, columns (pair, horizon); NaN on days
        that a cell does not have.
    params : of the run, as its notebooks have settled them.
    model : name of the estimator.
    bars : hash of the bars.
    """
    parameters = {key: getattr(params, key) for key in TRIED}
    trials = []
    for pair, horizon in daily.columns:
        values = daily[pair, horizon].dropna()
        trials.append(
            Trial(
                bars=bars,
                pair=str(pair),
                horizon=int(horizon),
                scheme=params.scheme,
                profile=params.profile,
                model=model,
                parameters=parameters,
                measure=measure,
                days=values.index.to_numpy(np.int64),
                values=values.to_numpy(np.float64),
            )
        )
    return trials


def matrix(trials: Sequence[Trial], candidate: Trial) -> tuple[Days, Series, int]:
    """A candidate beside the trials that were measured on nearly the same days.

    Trials of another measure, or with fewer than `SHARED` of the candidate's days, are left out.

    Parameters
    ----------
    trials : the candidate among them.

    Returns
    -------
    Days that those left share, (d,); the values on them, (d, n); the candidate's column.
    """
    near = [
        trial
        for trial in trials
        if trial.measure == candidate.measure
        and np.isin(candidate.days, trial.days).mean() >= SHARED
    ]
    series = [pd.Series(trial.values, trial.days) for trial in near]
    frame = pd.concat(series, axis=1, join="inner").sort_index()
    column = [trial.name for trial in near].index(candidate.name)
    return frame.index.to_numpy(np.int64), frame.to_numpy(np.float64), column


def _check(trial: Trial, bars: str) -> None:
    if trial.measure not in get_args(Measure):
        raise ParameterError(
            f"trial: unknown measure, got {trial.measure!r}; expected one of "
            f"{', '.join(get_args(Measure))}."
        )
    if len(trial.days) != len(trial.values) or not np.isfinite(trial.values).all():
        raise ParameterError(
            f"trial: {trial.pair} {trial.horizon} has {len(trial.days)} days, got "
            f"{np.isfinite(trial.values).sum()} values; expected one a day. Leave out days without."
        )
    if trial.bars != bars:
        raise ParameterError(
            f"trial: other bars, got {trial.bars[:12]!r}; expected {bars[:12]!r} like the first. "
            "Record the trials of each dataset by themselves."
        )


def _row(name: str, trial: Trial) -> dict[str, Any]:
    return {
        "name": name,
        "bars": trial.bars,
        "pair": trial.pair,
        "horizon": trial.horizon,
        "scheme": trial.scheme,
        "profile": trial.profile,
        "model": trial.model,
        "parameters": json.dumps(trial.parameters, sort_keys=True),
        "measure": trial.measure,
        "days": np.asarray(trial.days, dtype=np.int64),
        "values": np.asarray(trial.values, dtype=np.float64),
    }


def _trial(row: dict[str, Any]) -> Trial:
    fields = {key: value for key, value in row.items() if key not in ("name", "parameters")}
    return Trial(**fields, parameters=json.loads(row["parameters"]))
