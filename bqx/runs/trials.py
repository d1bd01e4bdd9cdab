"""Trials: configurations that were fitted and scored, what they made, and how many they were."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.files import digest
from bqx.params import Params

Measure = Literal["gain", "net"]
Days = NDArray[np.int64]
Series = NDArray[np.float64]

SHARED = 0.9
"""Least share of a candidate's days that a trial beside it has."""

TRIED = (
    *("seed", "target_window", "horizons", "lags", "strict61"),
    *("train_days", "validation_days", "test_days", "step_days", "expanding"),
    *("groups", "test_groups", "embargo", "stride"),
    *("selected", "domain_share", "quotas", "least_importance", "ranked_by"),
    *("forest_trees", "forest_depth", "rounds", "depth", "learning_rate", "settings"),
    *("coverage", "device"),
)
"""Parameters that make one trial another, beside its fields and its bars. How to score is none of
them, and a search's settings are its own trials'."""


OWN = ("features", "include", "exclude")
"""Parameters that do so where they are given."""


@dataclass(frozen=True)
class BarSpan:
    """Bars that something was tried on.

    ``market`` : ``files``, or a synthetic market with its seed; ``first``, ``last`` : epoch
    minutes; ``content`` : hash of the bars.
    """

    market: str
    first: int
    last: int
    content: str

    def overlaps(self, span: "BarSpan") -> bool:
        """Whether both are of one market, and share a minute."""
        is_apart = self.last < span.first or span.last < self.first
        return self.market == span.market and not is_apart


@dataclass(frozen=True, eq=False)
class Trial:
    """One configuration on given bars, and what it made day by day.

    ``bars`` : those that it saw; ``parameters`` : all else that the forecasts depend on.
    ``measure`` : ``gain``, squared errors saved against the martingale forecast, or ``net``, profit
        after costs as a share of the notional.
    ``days`` : (d,) trading days out of sample; ``values`` : (d,) sums of the measure.
    """

    bars: BarSpan
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
        """Hash of what was tried, on whichever bars of its market and whatever came of it."""
        names = ("pair", "horizon", "scheme", "profile", "model", "parameters")
        return digest([self.bars.market, {name: getattr(self, name) for name in names}])

    @cached_property
    def name(self) -> str:
        """Hash of what was tried and of what came of it: the same when it is tried again."""
        outcome = hashlib.sha256(f"{self.configuration} {self.measure}".encode())
        outcome.update(np.ascontiguousarray(self.days, dtype="<i8").tobytes())
        outcome.update(np.ascontiguousarray(self.values, dtype="<f8").tobytes())
        return outcome.hexdigest()


def count(trials: Iterable[Trial]) -> int:
    """Number of trials among records of gains and of profits, by configuration.

    A configuration that was scored and traded is one trial; one that gave different results,
    because the code or the bars had changed, is as many as it gave.
    """
    by_measure = Counter((trial.configuration, trial.measure) for trial in trials)
    most: dict[str, int] = {}
    for (configuration, _), number in by_measure.items():
        most[configuration] = max(most.get(configuration, 0), number)
    return sum(most.values())


def cells(
    daily: pd.DataFrame, measure: Measure, params: Params, model: str, bars: BarSpan
) -> list[Trial]:
    """Trials of a run, one per cell.

    Parameters
    ----------
    daily : (d, cells) sums of the measure; index trading day, columns (pair, horizon); NaN on days
        that a cell does not have.
    params : of the run, as its notebooks have settled them.
    model : name of the estimator.
    bars : what the run has seen.
    """
    parameters = {key: getattr(params, key) for key in TRIED}
    parameters |= {key: value for key in OWN if (value := getattr(params, key))}
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

    Trials of another measure, or with fewer than `SHARED` of the candidate's days, are left out. A
    day of the candidate's that another lacks is one on which it made nothing: left out for all,
    days would get fewer with every trial.

    Parameters
    ----------
    trials : the candidate among them.

    Returns
    -------
    The candidate's days, (d,); the values on them, (d, n); the candidate's column.
    """
    near = [
        trial
        for trial in trials
        if trial.measure == candidate.measure
        and np.isin(candidate.days, trial.days).mean() >= SHARED
    ]
    series = [pd.Series(trial.values, trial.days) for trial in near]
    days = np.sort(candidate.days)
    values = np.column_stack([one.reindex(days, fill_value=0.0) for one in series])
    return days, values, [trial.name for trial in near].index(candidate.name)


def check(trial: Trial) -> None:
    """Raise ParameterError for an unknown measure, or days and values that do not match."""
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
