"""What the first steps of kernels are, and what reads them, by the calls of a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bqx.features.engine.abreast_steps import Abreast, AbreastStep
from bqx.features.engine.compute import PlannedCall, parameters_of
from bqx.features.engine.first_steps import FirstStep, Going, StatedStep, Step
from bqx.features.engine.kept_series import KeptSeries, KeptSource
from bqx.features.engine.newest_calls import Fits, Reading, as_it_is
from bqx.features.spec import Array, read
from bqx.features.steps import Steps

Readers = list[tuple[PlannedCall, Steps]]

_GOING = 15
"""Minutes that nobody asked for after which a state still goes on."""


def made_by(kernel: Callable[..., Any], call: PlannedCall) -> tuple[int, tuple[int, ...], str]:
    """What tells the rows that a kernel makes for a call from others of the call's source."""
    return id(kernel), call.window, call.feature.fit_key


def reading_of(
    call: PlannedCall, kernel: Callable[..., Any], series: KeptSeries, rows: int, column: int = 0
) -> Reading:
    """A call's kernel, or the last step of it, on the newest rows of a series.

    ``column`` : of the series, that is the first of the call's.
    """
    fitted = bool(call.feature.fit_key) and kernel is call.kernel
    kernel, window = (as_it_is, ()) if kernel is read else (kernel, call.window)
    outputs = column + call.outputs
    return Reading(kernel, series, rows, window, outputs, call.columns, call.feature, fitted)


def first_step(members: Sequence[Readers], series: KeptSource, fits: Fits) -> Step:
    """The first step of some calls, or several that are alike, and the calls that read them."""
    if members[0][0][1].abreast:
        return _abreast(members, series, fits)
    firsts, going = [], []
    widths, size, behind = list[int](), 0, 0
    pairs, probe = len(series.values), np.full((1, *series.values.shape[2:]), np.nan)
    for calls in members:
        (call, steps), *_ = calls
        feature, window, rows = call.feature, call.window, int(steps.rows(*call.window))
        fitted = bool(feature.fit_key)
        begin = partial(_begun, steps, call)
        more = [begin(fits[0])] if steps.begin else []
        if fitted and not steps.begin:
            more = [parameters_of(feature, fits[0])]
        outputs = np.arange(steps.first(probe, 0, *window, *more).shape[1])
        columns = sum(widths) + outputs
        first = Reading(steps.first, series, rows, window, outputs, columns, feature, fitted)
        if steps.begin:
            first = replace(first, rows=1, state=(size, size + len(more[0])))
            going.append(Going(first, begin, rows))
            size = first.state[1]
        firsts.append(first)
        widths.append(len(outputs))
        behind = max(behind, rows)
    kept = _kept(members, widths, pairs, behind)
    readings = _readers(members, widths, kept)
    if not going:
        return FirstStep(kept, firsts, readings)
    states = np.empty((pairs, size))
    stated = [replace(of, reading=replace(of.reading, states=states)) for of in going]
    return StatedStep(kept, stated, readings)


def _abreast(members: Sequence[Readers], series: KeptSource, fits: Fits) -> AbreastStep:
    """The same of first steps that go on for all pairs at once."""
    going, widths, size = [], list[int](), 0
    probe = np.full((series.values[0, 0].size, 1), np.nan)
    for calls in members:
        (call, steps), *_ = calls
        begin = partial(_begun, steps, call)
        state, window = begin(fits[0]).reshape(-1, 1), call.window
        at, behind = (size, size + len(state)), int(steps.rows(*window))
        going.append(Abreast(steps.first, window, begin, behind, sum(widths), at))
        widths.append(len(steps.first(probe, 0, *window, state)))
        size = at[1]
    kept = _kept(members, widths, len(series.values), max(of.behind for of in going))
    return AbreastStep(series, kept, going, _readers(members, widths, kept))


def _kept(members: Sequence[Readers], widths: Sequence[int], pairs: int, behind: int) -> KeptSeries:
    """Where the rows of first steps are kept, side by side."""
    every = [(call, steps) for calls in members for call, steps in calls]
    longest = max(int(steps.reads(*call.window)) for call, steps in every)
    goes_on = members[0][0][1].begin is not None
    length = max(longest, _GOING) if goes_on else longest
    return KeptSeries(length, behind, pairs=pairs, shape=(sum(widths),))


def _readers(members: Sequence[Readers], widths: Sequence[int], kept: KeptSeries) -> list[Reading]:
    """What reads the rows of first steps."""
    starts = np.cumsum([0, *widths])
    readers = [
        (call, steps.last, int(steps.reads(*call.window)), int(start))
        for calls, start in zip(members, starts, strict=False)
        for call, steps in calls
    ]
    readings = [reading_of(call, last, kept, reads, at) for call, last, reads, at in readers]
    # What is copied alone is copied at once.
    plain = [reading for reading in readings if reading.kernel is as_it_is]
    others = [reading for reading in readings if reading.kernel is not as_it_is]
    if not plain:
        return others
    outputs, columns = (
        np.concatenate([getattr(reading, of) for reading in plain]) for of in ("outputs", "columns")
    )
    return [replace(plain[0], outputs=outputs, columns=columns), *others]


def _begun(steps: Steps, call: PlannedCall, fits: Mapping[str, Array] | None) -> Array:
    """State of a pair of some fits, before any row."""
    assert steps.begin is not None
    more = [parameters_of(call.feature, fits)] if call.feature.fit_key else []
    return steps.begin(*call.window, *more)
