"""Whether what goes on learning may be served: the gate of every other version."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bqx.evaluation import skill
from bqx.evaluation.inference import Interval
from bqx.evaluation.reasons import Reason
from bqx.market import sessions
from bqx.serving import registry

CONFIDENCE = 0.95
LEAST_DAYS = 20
"""Fewest trading days of a shadow period."""


def gain(scored: pd.DataFrame, over: str, confidence: float = CONFIDENCE) -> Interval:
    """Share of the squared error of a forecast that the online one saves, with its interval.

    Parameters
    ----------
    scored : ``minute``, ``online``, ``label`` and the forecast of ``over``, see
        `store.OnlineStore.scored`; days are resampled as wholes.
    over : member that is compared with; of ``martingale`` it is the skill.
    """
    day = sessions.trading_days(scored["minute"].to_numpy(np.int64))
    label = scored["label"].to_numpy(np.float64)
    errors = {name: (label - scored[name].to_numpy(np.float64)) ** 2 for name in ("online", over)}
    days = pd.DataFrame(errors).groupby(day).sum()
    if len(days) < 2:
        return Interval()
    loss, reference_loss = days["online"].to_numpy(), days[over].to_numpy()
    return skill.interval(loss, reference_loss, confidence, seed=0)


def against(
    scored: pd.DataFrame, needed: Sequence[str], present: Sequence[str], latency_ms: float
) -> tuple[Reason, ...]:
    """What stands against serving the online forecasts of one pair; none where nothing does.

    Skill and what is gained over the champion must lie above 0 with their whole interval, at every
    horizon counted, after a shadow period long enough to tell; columns and latency as for a bundle.

    Parameters
    ----------
    scored : forecasts of a pair with their labels, made in shadow.
    needed, present : features that the learners read, and those with a value.
    latency_ms : 99th percentile of the time of one forecast.
    """
    days = len(np.unique(sessions.trading_days(scored["minute"].to_numpy(np.int64))))
    reasons = [Reason.check("days in shadow", float(days), ">=", bound=LEAST_DAYS)]
    horizons = sorted(scored["horizon"].unique().tolist())
    confidence = skill.simultaneous(CONFIDENCE, max(len(horizons), 1))
    for horizon in horizons:
        horizon_rows = scored[scored["horizon"] == horizon]
        for over, rule in (
            ("martingale", "lower end of the skill's interval"),
            ("static", "lower end of the gain over the champion"),
        ):
            low = gain(horizon_rows, over, confidence).low
            reasons.append(Reason.check(rule, low, ">", bound=0.0).at(int(horizon)))
    failed = [reason for reason in reasons if not reason.passed]
    return registry.gate(failed, needed, present, latency_ms)
