"""Blue/green: a new model takes the requests over step by step, or goes by itself."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bqx.cloud.local.endpoints import Endpoints, stop
from bqx.cloud.local.state import State, Variant
from bqx.errors import ParameterError

STEPS = (10.0, 50.0, 100.0)
"""Percent of the requests that the new model gets, step by step."""


@dataclass(frozen=True)
class Alarm:
    """A bound on what is measured of a variant.

    ``metric`` : ``error`` (share), ``seconds``, or one that somebody logs, such as the ratio of
    losses that guards the skill; ``above`` : from which value on it rings; ``percentile`` : of the
    values, None for their mean; ``least`` : values without which it is silent.
    """

    metric: str
    above: float
    percentile: float | None = None
    least: int = 5

    def rings(self, values: Sequence[float]) -> bool:
        """Whether these values are beyond the bound."""
        if len(values) < self.least:
            return False
        of = np.mean(values) if self.percentile is None else np.percentile(values, self.percentile)
        return bool(of > self.above)


ALARMS = (Alarm("error", 0.05), Alarm("seconds", 0.5, 99.0), Alarm("loss_ratio", 1.0))
"""The documents' 5 percent of errors and 500 ms, and a guard of the skill: the mean loss of the new
model over that of the old one, which whoever knows the labels logs."""


@dataclass(frozen=True)
class Outcome:
    """How a rollout ended: ``rolled_back`` because of ``alarm`` at a share of the requests."""

    rolled_back: bool
    share: float
    alarm: str = ""


def update(
    endpoints: Endpoints,
    endpoint: str,
    green: Variant,
    *,
    bake: float,
    steps: Sequence[float] = STEPS,
    alarms: Sequence[Alarm] = ALARMS,
    instances: int = 1,
) -> Outcome:
    """Give a new variant the requests of all others, step by step, each baked so many seconds.

    Where an alarm rings the old ones get their requests back at once and the new one ends; after
    the last step the old ones end.

    Raises ParameterError where the new one has the name of an old one, ArtefactError where it does
    not start; the old ones keep serving.
    """
    state = endpoints.state
    blue = {variant.name: variant.weight for variant in state.variants(endpoint)}
    if green.name in blue:
        raise ParameterError(
            f"variant: serves already, got {green.name}; expected another name than "
            f"{', '.join(blue)}."
        )
    green.weight = 0.0
    try:
        endpoints.start(endpoint, green, instances)
        with state.changed() as variants:
            variants[endpoint].append(green)
    except BaseException:
        stop(green)
        raise
    total, share = sum(blue.values()), 0.0
    try:
        for share in steps:
            kept = {name: weight * (1.0 - share / 100.0) for name, weight in blue.items()}
            endpoints.weigh(endpoint, kept | {green.name: total * share / 100.0})
            if alarm := _baked(state, endpoint, green.name, alarms=alarms, bake=bake):
                _remove(endpoints, endpoint, (green.name,), blue)
                return Outcome(True, share, alarm)
    except BaseException:
        _remove(endpoints, endpoint, (green.name,), blue)
        raise
    _remove(endpoints, endpoint, tuple(blue), {green.name: total})
    return Outcome(False, share)


def canary(
    endpoints: Endpoints,
    endpoint: str,
    pair: str,
    key: str,
    *,
    bake: float,
    steps: Sequence[float] = STEPS,
    alarms: Sequence[Alarm] = ALARMS,
) -> Outcome:
    """Give another artefact the requests of one pair, step by step, each baked so many seconds.

    No container starts or ends: the pair's pointer moves, to the new artefact after the last step,
    and back to the stable one where an alarm rings.

    Raises ArtefactError where the pair has no pointer.
    """
    pointers = endpoints.pointers
    stable, share = pointers.read(pair).settled, 0.0
    try:
        for share in steps:
            pointers.write(stable.trying(key, share))
            if alarm := _baked(endpoints.state, endpoint, key, alarms=alarms, bake=bake):
                pointers.write(stable)
                return Outcome(True, share, alarm)
    except BaseException:
        pointers.write(stable)
        raise
    pointers.write(stable.to(key))
    return Outcome(False, share)


def _baked(state: State, endpoint: str, name: str, *, alarms: Sequence[Alarm], bake: float) -> str:
    """Metric of the alarm that rings of a variant or artefact within so many seconds, or empty."""
    began, monotonic = time.time(), time.monotonic()
    while time.monotonic() - monotonic < bake:
        for alarm in alarms:
            if alarm.rings(state.measured(endpoint, name, alarm.metric, began)):
                return alarm.metric
        time.sleep(min(0.1, bake / 10.0))
    return ""


def _remove(
    endpoints: Endpoints, endpoint: str, names: Sequence[str], weights: dict[str, float]
) -> None:
    """End variants once nobody is sent to them."""
    endpoints.weigh(endpoint, weights)
    with endpoints.state.changed() as variants:
        gone = [variant for variant in variants[endpoint] if variant.name in names]
        variants[endpoint] = [variant for variant in variants[endpoint] if variant not in gone]
    for variant in gone:
        stop(variant)
