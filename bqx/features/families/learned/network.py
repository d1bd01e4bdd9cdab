"""A network that turns many inputs into a short code: scale, affine layers, and their bytes.

A row's code depends on that row alone, bit for bit: a matrix product of a library would sum in
an order that changes with the number of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.errors import ArtefactError
from bqx.features.rolling.sums import F

KNOWN = 0.95
"""Least share of the rows of every pair on which an input has a value, else it is not used."""

TAIL = 1e-3
"""Share of the rows below, and above, that an input is cut off at."""

_STILL = 1e-9  # deviation over the mean at which an input is rounding
_BLOCK = 16
_HEAD = 4  # numbers before the sizes of the layers


@dataclass(frozen=True)
class Scale:
    """What standardises inputs: (C,) each, NaN for an input that is not used.

    Values are cut off at ``low`` and ``high``, then stand in deviations from the mean.
    """

    low: F
    high: F
    mean: F
    deviation: F

    @property
    def used(self) -> NDArray[np.bool_]:
        """(C,) inputs that are used."""
        return ~np.isnan(self.deviation)

    def __call__(self, x: F) -> F:
        """Used inputs of (n, C) in deviations: (n, used); a row with an absent one is NaN."""
        used = self.used
        part = x[:, used]
        z = (np.clip(part, self.low[used], self.high[used]) - self.mean[used]) / self.deviation[
            used
        ]
        z[~np.isfinite(part).all(axis=1)] = np.nan
        return np.asarray(z)


def scale(parts: Sequence[F]) -> Scale:
    """Scale of the inputs over the rows of all pairs, one (n, C) a pair.

    An input that a pair mostly lacks, or that stands still, is not used.
    """
    known = np.min([np.isfinite(part).mean(axis=0) for part in parts], axis=0) >= KNOWN
    x = np.concatenate(parts)
    facts = np.full((4, x.shape[1]), np.nan)
    for column in np.flatnonzero(known):
        values = x[:, column]
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, (TAIL, 1.0 - TAIL))
        values = np.clip(values, low, high)
        mean, deviation = values.mean(), values.std()
        if deviation > _STILL * abs(mean):
            facts[:, column] = low, high, mean, deviation
    return Scale(*facts)


@dataclass(frozen=True)
class Network:
    """Layers behind a scale: ``weights`` (inputs, outputs) and ``biases`` (outputs,) of each.

    What a layer gives is cut off at 0 before the next one; that of the last one where ``relu``.
    """

    scale: Scale
    weights: tuple[F, ...]
    biases: tuple[F, ...]
    relu: bool = False

    def __call__(self, x: F) -> F:
        """Code of rows: (n, C) inputs to (n, K); NaN where a used input is absent."""
        z, out = self.scale(x), np.full((len(x), self.biases[-1].size), np.nan)
        complete = np.flatnonzero(~np.isnan(z).any(axis=1))
        if len(complete):
            made = np.ascontiguousarray(z[complete])
            for i, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
                made = layer(made, weights, bias, self.relu or i + 1 < len(self.weights))
            out[complete] = made
        return out

    def pack(self, signature: float) -> F:
        """One array of all, behind the signature of the inputs that it was learnt on."""
        sizes = [len(self.weights[0]), *(bias.size for bias in self.biases)]
        head = [signature, float(self.relu), len(self.weights), len(self.scale.mean), *sizes]
        rows = (self.scale.low, self.scale.high, self.scale.mean, self.scale.deviation)
        both = chain(*zip(self.weights, self.biases, strict=True))
        layers = [array.ravel() for array in both]
        return np.concatenate([np.array(head), *rows, *layers])


def unpack(held: F, signature: float) -> Network:
    """The network of what `Network.pack` gives.

    Raises ArtefactError when it was learnt on other inputs, or is not whole.
    """
    if held[0] != signature:
        raise ArtefactError(
            f"weights: learnt on other inputs, got signature {held[0]:.0f}; expected "
            f"{signature:.0f}. Fit again with this catalog."
        )
    inputs, sizes = _shape(held)
    at = _HEAD + len(sizes)
    scaled = Scale(*held[at : at + 4 * inputs].reshape(4, inputs))
    at += 4 * inputs
    weights, biases = [], []
    for rows, columns in pairwise(sizes):
        weights.append(held[at : at + rows * columns].reshape(rows, columns))
        at += rows * columns
        biases.append(held[at : at + columns])
        at += columns
    return Network(scaled, tuple(weights), tuple(biases), bool(held[1]))


def _shape(held: F) -> tuple[int, list[int]]:
    """Inputs, and sizes of the layers from the used inputs on."""
    head = held[:_HEAD]
    if len(head) == _HEAD and np.isfinite(head).all() and head.min() >= 0.0:
        inputs, count = int(head[3]), int(head[2])
        found = held[_HEAD : _HEAD + count + 1]
        if np.isfinite(found).all():
            sizes = list(map(int, found))
            length = _HEAD + len(sizes) + 4 * inputs + sum((a + 1) * b for a, b in pairwise(sizes))
            if len(sizes) == count + 1 and min(sizes) >= 1 and length == len(held):
                return inputs, sizes
    raise ArtefactError(
        f"weights: damaged, got {len(held):,} numbers that do not fit their layers; expected what "
        "a fit has learnt. Fit again."
    )


@kernel
def layer(x: F, weights: F, bias: F, relu: bool) -> F:
    """``x @ weights + bias``, cut off at 0 where ``relu``: (n, inputs) -> (n, outputs).

    Every sum runs over the inputs in their order, whatever the number of rows.
    """
    rows, inputs = x.shape
    outputs = len(bias)
    out = np.empty((rows, outputs))
    for start in range(0, rows, _BLOCK):
        stop = min(start + _BLOCK, rows)
        for row in range(start, stop):
            out[row] = bias
        # Four inputs at a time, so that a sum is loaded and stored once for four products.
        for i in range(0, inputs - inputs % 4, 4):
            for row in range(start, stop):
                a, b, c, d = x[row, i], x[row, i + 1], x[row, i + 2], x[row, i + 3]
                to = out[row]
                for j in range(outputs):
                    two = to[j] + a * weights[i, j] + b * weights[i + 1, j]
                    to[j] = two + c * weights[i + 2, j] + d * weights[i + 3, j]
        for i in range(inputs - inputs % 4, inputs):
            for row in range(start, stop):
                for j in range(outputs):
                    out[row, j] += x[row, i] * weights[i, j]
        if relu:
            for row in range(start, stop):
                for j in range(outputs):
                    out[row, j] = max(out[row, j], 0.0)
    return out


def complete(scale: Scale, parts: Sequence[F]) -> F:
    """Standardised rows of all pairs that have every used input: (n, used)."""
    z = np.concatenate([scale(part) for part in parts])
    return np.asarray(z[~np.isnan(z).any(axis=1)])
