"""Claims: what is expected of a run, recorded before it is made, beside what came of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bqx.errors import ParameterError
from bqx.files import digest
from bqx.params import PLACE_KEYS, Params
from bqx.runs import known_trials
from bqx.runs.ledger import Claim
from bqx.runs.run import Run
from bqx.runs.trials import count
from bqx.stages import bars

METRICS = ("skill", "net_sharpe")
"""What can be claimed of a horizon, over all pairs: values of the verdict with an interval."""


def make(params: Params, metric: str, bound: float, *, horizon: int = 0) -> tuple[Claim, list[str]]:
    """Read the bars of a run to come, and record a claim on it.

    Parameters
    ----------
    metric : one of `METRICS`.
    bound : what it shall at least be.
    horizon : minutes, 0 for every horizon.

    Returns
    -------
    The claim, and what shows that there were more trials than it counts, a sentence each.

    Raises
    ------
    ParameterError : an unknown metric or horizon, a bound that is no number, or a run that was
        made already.
    """
    if metric not in METRICS:
        raise ParameterError(
            f"--metric: unknown, got {metric!r}; expected one of {', '.join(METRICS)}."
        )
    if horizon and horizon not in params.horizons:
        raise ParameterError(
            f"--horizon: not one of the run's, got {horizon}; expected one of "
            f"{', '.join(map(str, params.horizons))}."
        )
    if not math.isfinite(bound):
        raise ParameterError(f"--bound: no number, got {bound}; expected one such as 0.01.")
    if earlier := known_trials.copy(params.folder).read().trials:
        raise ParameterError(
            f"{params.folder}: the run was made already, got {len(earlier)} recorded trials; "
            "expected none before its claim. Choose another --out."
        )
    bars.build(params)
    run = Run.open(params.folder, params)
    known = known_trials.known(run)
    claim = Claim(
        bars=known_trials.span(run),
        parameters=_hash(params),
        metric=metric,
        horizon=horizon,
        bound=bound,
        trials=count(known.trials),
        run=run.folder.name,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    known_trials.claim(run.folder, claim)
    return claim, known.faults


def recorded(params: Params, metric: str, bound: float, *, horizon: int = 0) -> str:
    """`make` a claim, and say it, with what is wrong with the ledger."""
    claim, faults = make(params, metric, bound, horizon=horizon)
    said = sentence(asdict(claim))
    return f"{said} There were more: {faults[0]}" if faults else said


def sentence(claim: Mapping[str, Any]) -> str:
    """A claim in words, from its record."""
    where = f"at {claim['horizon']} minutes" if claim["horizon"] else "at every horizon"
    return (
        f"Claimed on {claim['time'][:16].replace('T', ' ')} UTC: {claim['metric']} of at least "
        f"{claim['bound']:g} {where}, on bars {claim['bars']['content'][:12]}, after "
        f"{claim['trials']:,} trials on bars that overlap them."
    )


def judged(
    claims: Sequence[tuple[Claim, int]], rows: Sequence[Mapping[str, Any]], run: Run
) -> list[dict[str, Any]]:
    """Claims with what came of them.

    Parameters
    ----------
    claims : with the number of the run's trials that had been recorded before.
    rows : of the verdict's horizons.
    run : with the parameters that it was made with.

    Returns
    -------
    The record of each claim with ``outcome``: ``kept`` where the whole interval of the metric is at
    or above the bound at every horizon that was claimed, ``broken`` where one lies below it, else
    ``undecided``; and ``late``, why it does not count as made before this run, or an empty text.
    """
    out = []
    for claim, seen in claims:
        claimed = [row for row in rows if claim.horizon in (0, row["horizon"])]
        ends = [[row[f"{claim.metric}_{end}"] for end in ("lo", "hi")] for row in claimed]
        low = [-math.inf if lo is None else lo for lo, _ in ends]
        high = [math.inf if hi is None else hi for _, hi in ends]
        is_kept = bool(low) and min(low) >= claim.bound
        is_broken = any(value < claim.bound for value in high)
        late = f"{seen} of its trials had been recorded before" if seen else ""
        if claim.parameters != _hash(run.params):
            late = "the run has other parameters"
        if claim.bars.content != run.manifest["data_hash"]:
            late = "the run has read other bars"
        outcome = "kept" if is_kept else "broken" if is_broken else "undecided"
        out.append(asdict(claim) | {"outcome": outcome, "late": late})
    return out


def _hash(params: Params) -> str:
    return digest(params.model_dump(exclude=set(PLACE_KEYS)))
