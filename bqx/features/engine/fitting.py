"""Parameters that fitted families learn from training rows, frozen with the fold or the bundle."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ArtefactError, ParameterError
from bqx.features.engine.compute import Stack
from bqx.features.spec import Array, Feature, Source, unfolded
from bqx.files import digest
from bqx.market.bars import Bars

POOLED = 60_000
"""Rows of all pairs together that they learn from in common, unless told otherwise."""


@dataclass(frozen=True)
class Fits:
    """What fitted families have learnt.

    ``parameters`` : float64 by ``Feature.fit_key``, as `compute` takes them; NaN where nothing
    could be learnt. ``until`` : epoch minute of the last bar that was read.
    """

    parameters: Mapping[str, Array]
    until: int

    def beside(self, other: "Fits | None") -> "Fits":
        """These and others."""
        if other is None or not other.parameters:
            return self
        parameters = {**self.parameters, **other.parameters}
        return Fits(parameters, max(self.until, other.until))

    def to_json(self) -> dict[str, Any]:
        """The bytes of the parameters in base 64, every bit of them, and their hash."""
        held = {
            key: base64.b64encode(np.asarray(values, "<f8").tobytes()).decode()
            for key, values in self.parameters.items()
        }
        return {"until": self.until, "parameters": held, "sha256": digest([self.until, held])}

    @staticmethod
    def from_json(held: Any) -> "Fits":
        """Fits of what `to_json` gives.

        Raises ArtefactError for anything else.
        """
        try:
            if digest([held["until"], held["parameters"]]) != held["sha256"]:
                raise ValueError("a hash that differs")
            parameters = {
                str(key): np.frombuffer(base64.b64decode(values, validate=True), "<f8").copy()
                for key, values in held["parameters"].items()
            }
            return Fits(parameters, int(held["until"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtefactError(
                f"fits: damaged, got {type(error).__name__} {error}; expected parameters by name, "
                "the minute of the last bar and their hash. Fit again."
            ) from error


def fit(
    bars: Bars,
    features: Sequence[Feature],
    rows: NDArray[np.int64],
    known: Mapping[str, Array] | None = None,
) -> Fits:
    """Learn the parameters of fitted families: of the features, and of what they are made of.

    Parameters
    ----------
    bars : T rows of one pair.
    features : those without a fit of the pair's own are passed over, see `pool`.
    rows : (n,) training rows, ascending; all from the first to the last are read, and no other.
    known : parameters that were learnt from these rows before, by ``Feature.fit_key``.

    Raises
    ------
    ParameterError : no rows.
    """
    if len(rows) == 0:
        raise ParameterError(f"{bars.pair}: no rows to fit on; expected at least 1. Give some.")
    part = bars.rows(int(rows[0]), int(rows[-1]) + 1)
    fitted = {each.fit_key: each for each in unfolded(features) if each.fit_key}
    parameters = {key: values for key, values in (known or {}).items() if key in fitted}
    for key, feature in fitted.items():
        learn = feature.family.fit
        if learn is not None and key not in parameters:
            x = np.ascontiguousarray(feature.source.build(part))
            parameters[key] = np.asarray(learn(x, part.first_market_minute), dtype=np.float64)
    return Fits(parameters, int(part.minutes[-1]))


def pool(
    bars: Mapping[str, Bars],
    features: Sequence[Feature],
    rows: NDArray[np.int64],
    most: int = POOLED,
) -> Fits:
    """Learn the parameters that all pairs share, once, from the training rows of all.

    Parameters
    ----------
    bars : of the pairs, on one grid.
    features, rows : as for `fit`; those without a pooled fit are passed over.
    most : rows that are read, of all pairs together, evenly spaced.

    Raises
    ------
    ParameterError : no rows.
    BqxError : what a family needs to learn is not installed.
    """
    if len(rows) == 0:
        raise ParameterError("fits: no rows to fit on; expected at least 1. Give some.")
    pooled = {each.fit_key: each for each in features if each.family.pool}
    parameters = {}
    for source in {id(each.source): each.source for each in pooled.values()}.values():
        parts, picked = gathered(bars, source, rows, most)
        for key, feature in pooled.items():
            if feature.source is source and feature.family.pool is not None:
                made = feature.family.pool(parts, picked, source.lookback)
                parameters[key] = np.asarray(made, dtype=np.float64)
    return Fits(parameters, max(int(each.minutes[rows[-1]]) for each in bars.values()))


def gathered(
    bars: Mapping[str, Bars], source: Source, rows: NDArray[np.int64], most: int = POOLED
) -> tuple[list[Array], NDArray[np.int64]]:
    """What `pool` gives a family: (n, C) of the source a pair, and the n rows of the grid.

    Rows whose bars would reach before the first training row are left out.
    """
    full = np.arange(int(rows[0]) + source.lookback - 1, int(rows[-1]) + 1)
    picked = full[:: max(-(-len(full) * len(bars) // most), 1)]
    parts = []
    for each in bars.values():
        own = fit(each, source.inputs, rows).parameters
        parts.append(values_of(each, source, picked, own))
    return parts, picked


def values_of(
    bars: Bars, source: Source, rows: NDArray[np.int64], own: Mapping[str, Array]
) -> Array:
    """A source that is made of features, at some ascending rows of a pair: (n, C).

    ``own`` : parameters of the fitted families among its inputs.
    """
    found = [np.empty((0, len(source.inputs)))]
    if len(rows):
        first = max(int(rows[0]) - source.lookback + 1, 0)
        part = bars.rows(first, int(rows[-1]) + 1)
        for start, (x,) in Stack(source)((part,), (own,), int(rows[-1] - rows[0]) + 1):
            at = rows - first - start
            found.append(x[at[(at >= 0) & (at < len(x))]])
    return np.concatenate(found)
