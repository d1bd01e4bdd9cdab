"""Whether a canary forecasts better than what it is tried against: a decision by interval.

Losses of a day depend on each other, so a day is one observation: the canary's mean loss less that
of the other, of the requests that each answered. The interval of the mean over days holds at all
days together, not at one that was fixed before: an experiment may be looked at every day and ended
as soon as the interval leaves 0.

Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Time-uniform central limit theory
and asymptotic confidence sequences, Theorem 2.2.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bqx.cloud import archive
from bqx.cloud.pointers import Pointer
from bqx.errors import ArtefactError, ParameterError
from bqx.feature_store.object_store import Folder
from bqx.market import sessions
from bqx.monitoring import captured

CONFIDENCE = 0.95
LEAST_DAYS = 20
"""Days before which nothing is decided: the interval rests on a normal approximation."""
PLANNED_DAYS = 60
"""Days at which the interval is narrowest beside one for a day fixed before."""

Choice = Literal["canary", "stable", "undecided"]


@dataclass(frozen=True)
class Decision:
    """``difference`` : mean over days of the canary's loss less the other's, with the ends of its
    interval, NaN before `LEAST_DAYS`; ``days`` : on which both answered."""

    choice: Choice
    difference: float
    low: float
    high: float
    days: int


@dataclass(frozen=True)
class Experiment:
    """A pair's canary (B) beside its stable artefact (A), by what was captured of both.

    ``forecasts`` : with known labels, of A and of B.
    """

    pointer: Pointer
    forecasts: tuple[int, int]
    decision: Decision

    @property
    def follows(self) -> Pointer:
        """The pointer that the decision leads to; the same while there is none."""
        choice = self.decision.choice
        if choice == "undecided":
            return self.pointer
        return self.pointer.to(self.pointer.canary) if choice == "canary" else self.pointer.settled

    def __str__(self) -> str:
        decision, pointer = self.decision, self.pointer
        (a, b), days = self.forecasts, decision.days
        interval = f"interval from {LEAST_DAYS} days on"
        if days >= LEAST_DAYS:
            ends = f"[{decision.low:+.4g}, {decision.high:+.4g}]"
            interval = f"{ends} at {CONFIDENCE:.0%}, on all days at once"
        said = {
            "canary": f"B: {pointer.canary} forecasts better.",
            "stable": f"A: {pointer.stable} forecasts better.",
            "undecided": "Keep on: neither is known to forecast better.",
        }[decision.choice]
        return (
            f"{pointer.pair}: A {pointer.stable}, {a:,} forecasts; B {pointer.canary}, {b:,}\n"
            f"squared error of B less that of A, in sigma: {decision.difference:+.4g}, {interval}; "
            f"{days} days\n{said}"
        )


def judge(capture: Folder, archives: Folder, pointer: Pointer) -> Experiment:
    """What a capture says of a pair's two artefacts, which lie in a folder by their keys.

    A forecast counts by the minute of its bar, once for each artefact; its loss is the mean over
    the horizons that both forecast.

    Raises
    ------
    ParameterError : the pair has no canary. ArtefactError : no artefact, or nothing was captured
        of one.
    """
    if not pointer.canary:
        raise ParameterError(
            f"experiment of {pointer.pair}: none, got a pointer without a canary; expected one "
            "with a share. `bqx cloud point --share`, or that of `cloud local`, begins it."
        )
    rows = captured.by_model(capture, pointer.pair)
    arms = []
    for key in (pointer.stable, pointer.canary):
        content = archive.content_of(archives.read(key), pointer.pair, f"{archives.place}/{key}")
        if content not in rows:
            raise ArtefactError(
                f"{capture.place}: no forecast of {key}, got {len(rows)} other models of "
                f"{pointer.pair}; expected some. Wait for requests, or name the capture of its "
                "containers."
            )
        arms.append(rows[content])
    horizons = sorted(set(arms[0].innovations) & set(arms[1].innovations))
    if not horizons:
        raise ArtefactError(
            f"experiment of {pointer.pair}: no horizon of both, got {sorted(arms[0].innovations)} "
            f"and {sorted(arms[1].innovations)}; expected one. Try a model of the same horizons."
        )
    minutes, losses = zip(*(arm.losses(horizons) for arm in arms), strict=True)
    is_canary = np.repeat([False, True], [len(arm_losses) for arm_losses in losses])
    decision = decide(
        sessions.trading_days(np.concatenate(minutes)), is_canary, np.concatenate(losses)
    )
    counts = [int(np.isfinite(arm_losses).sum()) for arm_losses in losses]
    return Experiment(pointer, (counts[0], counts[1]), decision)


def decide(
    days: NDArray[np.int64],
    is_canary: NDArray[np.bool_],
    losses: NDArray[np.float64],
    *,
    confidence: float = CONFIDENCE,
) -> Decision:
    """Decide between the two from (n,) losses of requests, NaN where no label is known yet."""
    labelled = np.isfinite(losses)
    days, is_canary, losses = days[labelled], is_canary[labelled], losses[labelled]
    daily = np.array(
        [
            losses[on_day & is_canary].mean() - losses[on_day & ~is_canary].mean()
            for day in np.unique(days)
            for on_day in [days == day]
            if (on_day & is_canary).any() and (on_day & ~is_canary).any()
        ]
    )
    if len(daily) < LEAST_DAYS:
        mean = float(daily.mean()) if len(daily) else float("nan")
        return Decision("undecided", mean, float("nan"), float("nan"), len(daily))
    mean, half_width = float(daily.mean()), _half_width(daily, 1.0 - confidence)
    low, high = mean - half_width, mean + half_width
    choice: Choice = "canary" if high < 0.0 else "stable" if low > 0.0 else "undecided"
    return Decision(choice, mean, low, high, len(daily))


def _half_width(daily: NDArray[np.float64], error: float) -> float:
    """Half-width of the interval at the last of some days, which holds at all of them."""
    log_error = -2.0 * np.log(error)
    rho = (log_error + np.log(log_error) + 1.0) / PLANNED_DAYS
    spread = len(daily) * rho + 1.0
    bound = 2.0 * spread / (len(daily) ** 2 * rho) * np.log(np.sqrt(spread) / error)
    return float(daily.std(ddof=1) * np.sqrt(bound))
