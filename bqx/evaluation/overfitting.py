"""Whether the best of many trials is better than the best of as many without skill.

Two tests of a trial's daily profits: the deflated Sharpe ratio asks whether it beats what the best
of so many would show by chance, the probability of backtest overfitting how often the trial that
is best on one half of the days is below the median on the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Decision:
    """Whether a trial may be promoted; None where a value does not exist.

    ``promoted`` : no reason stands against it. ``reasons`` : the checks that it did not pass.
    ``sharpe`` : of a day, not annualised; ``benchmark`` : what the best of the trials would show
        without skill; ``deflated`` : probability that the trial's own is above it.
    ``pbo`` : probability of backtest overfitting.
    ``trials`` : those counted; ``independent`` : worth so many that share nothing.
    """

    promoted: bool
    reasons: tuple[Reason, ...]
    sharpe: float | None
    benchmark: float | None
    deflated: float | None
    pbo: float | None
    trials: int
    independent: int


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
    daily : (d, n) profits of the trials on days that they share.

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
    own = np.take_along_axis(judged, best[:, None], axis=1)
    rank = (judged < own).sum(axis=1) + ((judged == own).sum(axis=1) + 1) / 2
    return float((rank / (n + 1) < 0.5).mean())


def deflated(daily: Series, candidate: int, trials: int) -> purgedcv.DSRDiagnostics | None:
    """Deflated Sharpe ratio of one of many trials with all that it is made of.

    The Sharpe ratios of the trials vary by no less than chance lets one of them: few or correlated
    trials would otherwise lower the benchmark twice, by their variance and by their number.

    Parameters
    ----------
    daily, candidate, trials : as for `promote`.

    Returns None for fewer than `FEWEST_DAYS`, or for a candidate that always makes the same.

    Source: Bailey and Lopez de Prado (2014), The deflated Sharpe ratio, Journal of Portfolio
    Management 40(5).
    """
    days = len(daily)
    own, moved = daily[:, candidate], daily[:, np.ptp(daily, axis=0) > 0]
    if days < FEWEST_DAYS or np.ptp(own) == 0:
        return None
    ratios = moved.mean(axis=0) / moved.std(axis=0)
    variance = float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0
    return purgedcv.deflated_sharpe_ratio_full(
        own, independent(daily, trials), max(variance, 1.0 / (days - 1))
    )


def promote(daily: Series, candidate: int, trials: int, skill_lo: float | None) -> Decision:
    """Decide on one of many trials.

    It is promoted where its deflated Sharpe ratio is at least 0.95, the probability of backtest
    overfitting at most 0.2, and the interval of its skill above 0.

    Parameters
    ----------
    daily : (d, n) net profits of the trials on days that they share.
    candidate : column of the trial.
    trials : number of trials on these bars, n or more.
    skill_lo : lower end of the interval of the candidate's skill.
    """
    diagnostics, overfitting = deflated(daily, candidate, trials), pbo(daily)
    checks = (
        ("deflated Sharpe ratio", diagnostics.dsr if diagnostics else None, ">=", LEAST_DEFLATED),
        ("probability of backtest overfitting", overfitting, "<=", MOST_OVERFITTING),
        ("lower end of the skill's interval", skill_lo, ">", 0.0),
    )
    few = f"{len(daily)} days of {daily.shape[1]} trials"
    judged = [
        Reason.check(rule, value, sign, bound=bound, note=few if value is None else "")
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
    return promote(daily, column, count(trials), skill_lo)
