"""How long a pair may stand still while the others move as they do."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bqx.learning.hours import DAY, LONGEST, market_hour

CHANCE = 3e-5
"""Share of a pair's hours in which it may stand still for longer than is usual: with 28 pairs that
happens about once in fifty days."""
ALIKE = 0.15
"""Share of a baseline's hours that are compared with the present one: those most like it."""
APART = (1.0, 0.3)
"""Hours of the day, and log ranges of the other pairs, by which two hours are equally unlike."""
_SHORT = 0.1
"""Least share of standstills that go on for another minute: fewer are not seen in so few hours."""


def longest_usual(
    pair: str, hours: Mapping[str, pd.DataFrame], minute: int, ranges: Mapping[str, float]
) -> float:
    """Minutes that a pair usually stands still at most at an epoch minute.

    Of the baseline's hours those count that are most like the present one: about that time of the
    day, with the other pairs as lively. How many of them had a standstill of over a minute, or of
    those at that very hour where these are more, and how far such standstills went on, tells
    beyond how many minutes one is as rare as `CHANCE`: each more is as likely as the one before.

    Parameters
    ----------
    hours : of all pairs' baselines, see `hours.of_bars`; one without standstills, of an older
        bundle, knows none.
    ranges : mean log range of each pair's newest minutes, NaN where it had none.
    """
    pair_hours = hours[pair]
    if "still" not in pair_hours:
        return float(LONGEST)
    number = pair_hours["market_hour"].to_numpy()
    apart = np.abs((number - market_hour(np.array([minute]))[0] + DAY // 2) % DAY - DAY // 2)
    livelier = _livelier(pair, hours, ranges)
    unlike = (apart / APART[0]) ** 2 + (livelier.reindex(number).to_numpy() / APART[1]) ** 2
    unlike[np.isnan(unlike)] = np.inf
    alike = np.argsort(unlike, kind="stable")[: max(int(ALIKE * len(pair_hours)), 1)]
    more = np.maximum(pair_hours["still"].to_numpy()[alike] - 1.0, 0.0)
    times = np.count_nonzero(more)
    # One hour more with a short standstill, so that few hours do not promise too much.
    share = max((times + 1) / (len(alike) + 1), np.mean(more[apart[alike] == 0] > 0))
    goes_on = max(1 - (times + 1) / (more.sum() + 1 / (1 - _SHORT)), _SHORT)
    rare = np.log(CHANCE / share) / np.log(goes_on)
    return float(min(2.0 + max(rare, 0.0), LONGEST))


def _livelier(
    pair: str, hours: Mapping[str, pd.DataFrame], ranges: Mapping[str, float]
) -> pd.Series:
    """By market hour how much further the other pairs ranged than they do now, log range; 0
    throughout where no other pair tells."""
    others = [
        pair_hours.set_index("market_hour")["range"] - ranges[name]
        for name, pair_hours in hours.items()
        if name != pair and np.isfinite(ranges[name])
    ]
    if not others:
        return pd.Series(0.0, index=hours[pair]["market_hour"])
    return pd.concat(others, axis=1).mean(axis=1)
