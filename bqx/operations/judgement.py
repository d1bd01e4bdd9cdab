"""How a rule stands after each measurement, with hysteresis.

A rule fires when every measurement over its minutes was beyond its bound, and clears when every
measurement over its clearing minutes was within its clearing bound, which lies apart, so that a
value at the bound does not alert again and again. Minutes are those of the measurements: a rule
that is judged late judges as in time. What a day like the bundle's own passes by chance, see
`metrics.is_usual`, is not beyond a bound. One without the rule's metric, or not newer than the last
with it, says nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bqx.monitoring import metrics
from bqx.operations.alert_rules import Rule


@dataclass(frozen=True)
class Standing:
    """How a rule stands: times are epoch seconds, None where there is none.

    ``time`` : of the last measurement; ``bad_since`` : first of those beyond the bound,
    ``good_since`` : within the clearing bound, up to the last; ``firing`` : when it fired.
    """

    time: float | None = None
    bad_since: float | None = None
    good_since: float | None = None
    firing: float | None = None


Change = Literal["fired", "cleared", ""]


def judge(
    rule: Rule, standing: Standing, time: float, measurements: Mapping[str, float | None]
) -> tuple[Standing, Change]:
    """How a rule stands after one more measurement at a time, and what that changed."""
    value = measurements.get(rule.metric)
    if value is None or math.isnan(value) or time <= (standing.time or -math.inf):
        return standing, ""
    is_bad = rule.is_bad(value) and not metrics.is_usual(rule.metric, measurements)
    after = Standing(
        time,
        _since(standing.bad_since, time) if is_bad else None,
        _since(standing.good_since, time) if rule.is_good(value) else None,
        standing.firing,
    )
    if rule.counts:
        return after, "fired" if is_bad else ""
    if standing.firing is None and _lasts(after.bad_since, time, rule.minutes):
        return replace(after, firing=time), "fired"
    if standing.firing is not None and _lasts(after.good_since, time, rule.clear_minutes):
        return replace(after, firing=None), "cleared"
    return after, ""


def _since(before: float | None, time: float) -> float:
    return time if before is None else before


def _lasts(since: float | None, time: float, minutes: float) -> bool:
    return since is not None and time - since >= 60.0 * minutes
