"""Forecast intervals whose coverage is held by feedback: adaptive conformal inference.

The half-width of an interval, in sigma of the target, is tracked for each group of rows (a session
and a volatility, say) by itself: a label outside its interval widens the next ones of its group, a
label inside narrows them a little, and in the long run the share outside is the one asked for, in
every group and whatever the forecasts are worth. A label counts once it is known, ``horizon`` rows
after its forecast.

Source: Gibbs and Candès (2021), Adaptive Conformal Inference Under Distribution Shift; the form
that moves the half-width instead of the level: Angelopoulos, Candès and Tibshirani (2023),
Conformal PID Control for Time Series Prediction.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.learning.targets import Target
from bqx.market import sessions

Series = NDArray[np.float64]
Groups = NDArray[np.int64]

PACE = 0.3
"""How much a miss that lasts a horizon widens the intervals (log): on six real majors and on
synthetic markets, paces of 0.2 to 0.4 kept every session, volatility and trend within 88 to 91 %
at a nominal 90 %; slower ones lag behind, faster ones are wider."""
FEWEST = 20
"""Horizons of labels below which a group starts from the half-width of all groups together."""
GROUPS = 24
"""Groups of rows: which of the three sessions are open, times the tercile of sigma."""


@dataclass(frozen=True)
class Calibration:
    """Where the intervals of one horizon start from.

    ``cuts`` : terciles of the target's sigma on the training rows, in units of BQX.
    ``start`` : half-width by group, in sigma, on rows that the model has not been fitted on; NaN
        where these had no label.
    ``gaussian`` : half-width of a normal distribution with the training labels' spread, in sigma.
    ``coverage`` : the share of labels that the intervals shall hold.
    """

    cuts: tuple[float, float]
    start: tuple[float, ...]
    gaussian: float
    coverage: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        facts = asdict(self)
        return facts | {"naive": facts.pop("gaussian")}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """A calibration of stored values."""
        low, high = map(float, stored["cuts"])
        start = tuple(np.nan if width is None else float(width) for width in stored["start"])
        return cls((low, high), start, float(stored["naive"]), float(stored["coverage"]))

    def groups(self, minutes: Groups, sigma: Series) -> Groups:
        """(n,) group of rows, known with their bars; rows without a sigma count as calm ones.

        Parameters
        ----------
        minutes : (n,) open epoch minutes.
        sigma : (n,) of the target, in units of BQX.
        """
        tercile = np.searchsorted(self.cuts, np.nan_to_num(sigma, nan=0.0))
        return np.asarray(trading(minutes) * 3 + tercile, dtype=np.int64)

    def at(self, minutes: Groups, sigma: Series) -> Series:
        """(n,) half-widths in sigma before any label is fed back."""
        return np.array(self.start)[self.groups(minutes, sigma)]

    def newest(self, minute: int, sigma: float) -> float:
        """The half-width of one row, as `at` gives it."""
        tercile = int(np.searchsorted(self.cuts, 0.0 if np.isnan(sigma) else sigma))
        return self.start[_trading(minute) * 3 + tercile]

    def track(self, score: Series, minutes: Groups, sigma: Series, horizon: int) -> Series:
        """(n,) half-widths in sigma with feedback, see `track`."""
        return track(
            score, self.groups(minutes, sigma), np.array(self.start), horizon, self.coverage
        )


def trading(minutes: Groups) -> Groups:
    """(n,) which sessions are open in each epoch minute, a bit each."""
    return np.asarray(
        sum(
            sessions.in_session(minutes, name).astype(np.int64) << bit
            for bit, name in enumerate(sessions.SESSIONS)
        )
    )


@lru_cache(maxsize=1_024)
def _trading(minute: int) -> int:
    # All pairs and horizons of a minute ask for it, and converting clocks is what costs time.
    return int(trading(np.array([minute]))[0])


def learn(
    target: Target,
    minutes: Groups,
    forecast: Series,
    *,
    train: Groups,
    validation: Groups,
    coverage: float,
) -> Calibration:
    """Calibrate the intervals of a horizon.

    Parameters
    ----------
    target : T rows.
    minutes : (T,) open epoch minutes.
    forecast : (validation,) innovation forecast of rows that the model has not been fitted on.
    train, validation : rows.
    coverage : share of the labels that the intervals shall hold.
    """
    label, sigma = target.label("innovation"), target.sigma
    low, high = np.nanquantile(sigma[train], [1 / 3, 2 / 3])
    width = gaussian(label[train], coverage)
    blank = Calibration((float(low), float(high)), (), width, coverage)
    start = calibrate(
        np.abs(label[validation] - forecast),
        blank.groups(minutes[validation], sigma[validation]),
        GROUPS,
        horizon=target.horizon,
        coverage=coverage,
    )
    return replace(blank, start=tuple(start.tolist()))


def calibrate(
    score: Series, group: Groups, groups: int, *, horizon: int, coverage: float
) -> Series:
    """Half-widths to start from: the quantile of the scores of each group.

    Parameters
    ----------
    score : (n,) absolute errors of forecasts that the model has not been fitted on, in sigma; NaN
        where there is no label.
    group : (n,) group of each row, 0 to ``groups - 1``.
    horizon : rows; labels closer than that overlap.
    coverage : share of the labels that the intervals shall hold.

    Returns
    -------
    (groups,) half-widths in sigma, NaN where no row has a label.
    """
    finite = np.isfinite(score)
    if not finite.any():
        return np.full(groups, np.nan)
    start = np.full(groups, np.quantile(score[finite], coverage))
    for number in range(groups):
        group_scores = score[finite & (group == number)]
        if len(group_scores) >= FEWEST * horizon:
            start[number] = np.quantile(group_scores, coverage)
    return start


@kernel
def track(score: Series, group: Groups, start: Series, horizon: int, coverage: float) -> Series:
    """(n,) half-width of each row's interval, known with its forecast, in sigma.

    Parameters
    ----------
    score : (n,) absolute errors of the forecasts of consecutive rows of the grid, in sigma, NaN
        where there is no label; row ``t`` is read from row ``t + horizon`` on.
    group : (n,) group of each row.
    start : (groups,) half-widths to start from, above 0.
    horizon : rows.
    coverage : share of the labels that the intervals shall hold.
    """
    width = np.log(start)
    out = np.empty(len(score))
    for row in range(len(score)):
        labelled = row - horizon
        if labelled >= 0 and not np.isnan(score[labelled]):
            missed = 1.0 if score[labelled] > out[labelled] else 0.0
            width[group[labelled]] += PACE / horizon * (missed - (1.0 - coverage))
        out[row] = np.exp(width[group[row]])
    return out


@dataclass(frozen=True)
class Intervals:
    """Intervals and what they caught.

    ``labels`` : (n,) and ``forecast`` : (n,) in units of the target; ``half_width`` :
    (n,) in the same unit; ``coverage`` : the share asked for. Rows with a NaN do not count.
    """

    labels: Series
    forecast: Series
    half_width: Series
    coverage: float

    @property
    def complete(self) -> NDArray[np.bool_]:
        """(n,) rows that have a label and an interval."""
        return np.isfinite(self.labels) & np.isfinite(self.forecast) & np.isfinite(self.half_width)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(n,) whether the label lies in the interval; False where there is none."""
        return self.complete & (np.abs(self.labels - self.forecast) <= self.half_width)

    @property
    def share(self) -> float | None:
        """Share of the labels inside, None without labels."""
        return float(self.inside.sum() / self.complete.sum()) if self.complete.any() else None

    @property
    def width(self) -> float | None:
        """Mean width in units of the target, None without labels."""
        return float(2.0 * self.half_width[self.complete].mean()) if self.complete.any() else None

    @property
    def score(self) -> float | None:
        """Mean interval score in units of the target, smaller is better; None without labels.

        The width, and for a label outside ``2 / (1 - coverage)`` times its distance to the
        interval. Source: Gneiting and Raftery (2007), Strictly Proper Scoring Rules.
        """
        if not self.complete.any():
            return None
        beyond = np.maximum(np.abs(self.labels - self.forecast) - self.half_width, 0.0)
        score = 2.0 * self.half_width + 2.0 / (1.0 - self.coverage) * beyond
        return float(score[self.complete].mean())


def gaussian(label: Series, coverage: float) -> float:
    """Half-width, in sigma, of a naive interval: the normal quantile times the root mean square.

    Parameters
    ----------
    label : (n,) labels of training rows in sigma, NaN where there is none.
    """
    # Where intervals are fitted, not where they are served.
    from scipy import stats

    return float(stats.norm.ppf(0.5 + coverage / 2.0) * np.sqrt(np.nanmean(label**2)))
