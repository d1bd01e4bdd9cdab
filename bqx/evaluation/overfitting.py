"""Whether the best of many trials is better than the best of as many without skill.

Two tests of a trial's daily profits: the deflated Sharpe ratio asks whether it beats what the best
of all trials would show by chance. The probability of backtest overfitting asks how often, among
the configurations of one pair and horizon, the one that is best on one half of the days is below
the median on the other. Pairs and horizons are no configurations of each other: that many of them
are equally good says nothing against any.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil

import numpy as np
import purgedcv
from numpy.typing import NDArray

from bqx.evaluation.reasons import Reason
from bqx.runs.trials import Trial, count, matrix

Series = NDArray[np.float64]

PARTS = 10
"""Parts of the days, half of which choose: 252 choices."""
FEWEST_DAYS = 2 * PARTS
LEAST_DEFLATED = 0.95
MOST_OVERFITTING = 0.2
NO_TRADES = "no trades"
"""What is said of a trial that never traded."""


@dataclass(frozen=True)
class Decision:
    """Whether a trial may be promoted; None where a value does not exist.

    ``promoted`` : no reason stands against it. ``reasons`` : the checks that it did not pass.
    ``sharpe`` : of a day, not annualised; ``benchmark`` : what the best of the trials would show
        without skill; ``deflated`` : probability that the trial's own is above it.
    ``pbo`` : probability of backtest overfitting among ``configurations`` of the trial's pair and
        horizon; None for a single one, of which nothing was chosen.
    ``trials`` : those counted; ``independent`` : worth so many that share nothing.
    """

    promoted: bool
    reasons: tuple[Reason, ...]
    sharpe: float | None
    benchmark: float | None
    deflated: float | None
    pbo: float | None
    configurations: int
    trials: int
    independent: int

    def against(self, reason: Reason) -> "Decision":
        """The decision with one more reason that stands against the trial."""
        return replace(self, promoted=False, reasons=(reason, *self.reasons))


def independent(daily: Series, trials: int) -> int:
    """Number of trials without correlation that are worth as much as ``trials`` with it.

    ``r + (1 - r) * trials`` for a mean correlation ``r``, rounded up; none below 0 counts.

    Parameters
    ----------
    daily : (d, n) profits of the trials at hand.
    trials : number of all, n or more.

    Source: Bailey and Lopez de Prado (2014), appendix A.3.
    """
    moved = daily[:, np.ptp(daily, axis=0) > 0]
    n = moved.shape[1]
    if n < 2:
        return trials
    correlation = (np.corrcoef(moved.T).sum() - n) / (n * (n - 1))
    share = min(max(float(correlation), 0.0), 1.0)
    return min(ceil(share + (1.0 - share) * trials - 1e-9), trials)


def pbo(daily: Series) -> float | None:
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation.

    The days are cut into `PARTS`; each choice of half of them names the trial of the best Sharpe
    ratio, and the share of the choices is returned whose trial is below the median on the others.
    As purgedcv has it, all choices at once.

    Parameters
    ----------
    daily : (d, n) profits of the configurations on days that they share.

    Returns None for fewer than two trials or fewer than `FEWEST_DAYS`.

    Source: Bailey, Borwein, Lopez de Prado and Zhu (2017).
    """
    days, n = daily.shape
    if n < 2 or days < FEWEST_DAYS:
        return None
    length = np.array([len(days_of) for days_of in np.array_split(np.arange(days), PARTS)])
    starts = np.cumsum(length) - length
    sums, squares = (np.add.reduceat(x, starts, axis=0) for x in (daily, daily**2))
    chosen = np.array(list(combinations(range(PARTS), PARTS // 2)))
    left = np.zeros((len(chosen), PARTS))
    np.put_along_axis(left, chosen, 1.0, axis=1)

    def sharpe(half: Series) -> Series:
        count = (half @ length)[:, None]
        mean = half @ sums / count
        variance = (half @ squares / count - mean**2) * count / (count - 1)
        spread = np.sqrt(np.maximum(variance, 0.0))
        flat = spread <= 1e-7 * np.abs(daily).max(axis=0)
        return np.where(flat, 0.0, mean / np.where(flat, 1.0, spread))

    judged, best = sharpe(left), sharpe(1.0 - left).argmax(axis=1)
    of_best = np.take_along_axis(judged, best[:, None], axis=1)
    rank = (judged < of_best).sum(axis=1) + ((judged == of_best).sum(axis=1) + 1) / 2
    return float((rank / (n + 1) < 0.5).mean())


def deflated(daily: Series, candidate: int, trials: int) -> purgedcv.DSRDiagnostics | None:
    """Deflated Sharpe ratio of one of many trials with all that it is made of.

    The Sharpe ratios of trials without skill vary as chance lets them, by ``1 / (d - 1)``. That of
    the trials at hand is not taken for it: what they vary beyond chance is skill of some, which
    would count against them, or the costs of others.

    Parameters
    ----------
    daily, candidate, trials : as for `promote`.

    Returns None for a candidate with a result on fewer than `FEWEST_DAYS` of the days, of which no
    Sharpe ratio is known, or that always makes the same.

    Source: Bailey and Lopez de Prado (2014), The deflated Sharpe ratio, Journal of Portfolio
    Management 40(5).
    """
    days, profits = len(daily), daily[:, candidate]
    if np.count_nonzero(profits) < FEWEST_DAYS or np.ptp(profits) == 0:
        return None
    return purgedcv.deflated_sharpe_ratio_full(
        profits, independent(daily, trials), 1.0 / (days - 1)
    )


def _few(profits: Series) -> str:
    """What there is of profits from which a value cannot be told."""
    days, traded = len(profits), np.count_nonzero(profits)
    some = f"{days} days" if traded == days else f"a result on {traded} of {days} days"
    return some if traded else NO_TRADES


def promote(
    daily: Series,
    candidate: int,
    trials: int,
    skill_lo: float | None,
    *,
    configurations: Series | None = None,
) -> Decision:
    """Decide on one of many trials.

    It is promoted where its deflated Sharpe ratio is at least 0.95, the interval of its skill above
    0, and the probability of backtest overfitting at most 0.2, if more than one configuration of
    its pair and horizon was tried.

    Parameters
    ----------
    daily : (d, n) net profits of the trials on days that they share.
    candidate : column of the trial.
    trials : number of trials on these bars, n or more.
    skill_lo : lower end of the interval of the candidate's skill.
    configurations : (d, m) net profits of the trials of the candidate's pair and horizon, itself
        among them; None for itself alone.
    """
    alike = daily[:, [candidate]] if configurations is None else configurations
    diagnostics, overfitting = deflated(daily, candidate, trials), pbo(alike)
    absent = _few(daily[:, candidate])
    checks = [
        ("deflated Sharpe ratio", diagnostics.dsr if diagnostics else None, ">=", LEAST_DEFLATED),
        ("lower end of the skill's interval", skill_lo, ">", 0.0),
    ]
    if alike.shape[1] > 1:
        checks.insert(
            1, ("probability of backtest overfitting", overfitting, "<=", MOST_OVERFITTING)
        )
    judged = [
        Reason.check(rule, value, sign, bound=bound, note=absent if value is None else "")
        for rule, value, sign, bound in checks
    ]
    reasons = tuple(reason for reason in judged if not reason.passed)
    return Decision(
        promoted=not reasons,
        reasons=reasons,
        sharpe=diagnostics.observed_sr if diagnostics else None,
        benchmark=diagnostics.sr_star if diagnostics else None,
        deflated=diagnostics.dsr if diagnostics else None,
        pbo=overfitting,
        configurations=alike.shape[1],
        trials=trials,
        independent=independent(daily, trials),
    )


def promote_trial(trials: Sequence[Trial], candidate: Trial, skill_lo: float | None) -> Decision:
    """Decide on a trial of net profits among all that are known on overlapping bars.

    Every trial counts; those measured on nearly the same days are what it is compared with.

    Parameters
    ----------
    trials : see `known_trials.known`, the candidate among them.
    candidate : of the measure ``net``.
    skill_lo : lower end of the interval of the candidate's skill.
    """
    _, daily, column = matrix(trials, candidate)
    cell = (candidate.pair, candidate.horizon)
    _, alike, _ = matrix([t for t in trials if (t.pair, t.horizon) == cell], candidate)
    return promote(daily, column, count(trials), skill_lo, configurations=alike)
