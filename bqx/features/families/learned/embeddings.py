"""Short codes of the 802 inputs of v4, learnt once for all pairs: an autoencoder's and a PCA's.

The inputs are taken in pure numbers, those in points of the index or in quote units in shares of
the rate, so that one network serves all pairs at every level of their rates.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.features.declare import family
from bqx.features.families.learned import autoencoder, network
from bqx.features.families.learned.network import Network
from bqx.features.spec import Array, Family, Feature, Output, Source
from bqx.market.bars import Bars

SIZE = autoencoder.CODE
"""Features of a code."""

RATES = {"pt": (1, 0), "pt^2": (2, 0), "quote": (0, 1)}
"""Powers of the index, and of the close, that a unit holds; any other is a pure number."""

Rows = NDArray[np.int64]


def signature(inputs: Sequence[Feature]) -> float:
    """A whole number that tells lists of inputs apart."""
    text = " ".join(f"{feature.name}:{feature.unit}" for feature in inputs)
    return float(int(hashlib.sha256(text.encode()).hexdigest()[:13], 16))


def _pure(inputs: Sequence[Feature]) -> Callable[[Bars, Array], Array]:
    powers = [RATES.get(feature.unit.split("/")[0], (0, 0)) for feature in inputs]

    def build(bars: Bars, values: Array) -> Array:
        index, close = bars.index[-len(values) :], bars.close[-len(values) :]
        rates = {(1, 0): index, (2, 0): index * index, (0, 1): close}
        out = values.copy()
        for power, rate in rates.items():
            columns = [i for i, each in enumerate(powers) if each == power]
            out[:, columns] /= rate[:, None]
        return out

    return build


def _kernel(expected: float) -> Callable[[Array, int, Array], Array]:
    def code(x: Array, first_minute: int, parameters: Array) -> Array:
        """Code of each row: (T, inputs) -> (T, 64); NaN where nothing was learnt."""
        out = np.full((len(x), SIZE), np.nan)
        if not np.isnan(parameters[0]):
            made = network.unpack(parameters, expected)(x)
            out[:, : made.shape[1]] = made
        return out

    return code


def components(parts: Sequence[Array], size: int = SIZE) -> Network | None:
    """Projection on the first principal components of the standardised inputs.

    None where fewer rows than components have all inputs.
    """
    # Only a fit needs it, and it takes long to import.
    from sklearn.decomposition import PCA

    scale = network.scale(parts)
    z = network.complete(scale, parts)
    size = min(size, z.shape[1])
    if not 0 < size < len(z):
        return None
    # Threads would sum in another order.
    with threadpool_limits(1):
        found = PCA(size, svd_solver="covariance_eigh").fit(z)
    weights = np.ascontiguousarray(found.components_.T)
    return Network(scale, (weights,), (-(found.mean_ @ weights),))


def _learn(
    expected: float, fit: Callable[[Sequence[Array], Rows, int], Network | None]
) -> Callable[[Sequence[Array], Rows, int], Array]:
    def pool(parts: Sequence[Array], rows: Rows, reach: int) -> Array:
        made = fit(parts, rows, reach) if len(rows) else None
        return np.full(1, np.nan) if made is None else made.pack(expected)

    return pool


def families(
    inputs: Sequence[Feature], settings: autoencoder.Settings | None = None
) -> tuple[Family, ...]:
    """Families of the two codes of some inputs, each with its own features.

    Parameters
    ----------
    inputs : in their order.
    settings : of the autoencoder's training; a fit of features with others is read by the
        catalog's own.
    """
    settings = settings or autoencoder.Settings()
    reach = max(feature.lookback for feature in inputs)
    source = Source("learned", "learned", "1", reach, _pure(inputs), tuple(inputs))
    expected = signature(inputs)

    def encoder(parts: Sequence[Array], rows: Rows, reach: int) -> Network | None:
        trained = autoencoder.train(parts, rows, reach, settings)
        return trained.encoder if trained else None

    def code(name: str, fit: Callable[..., Network | None], noun: str) -> Family:
        return family(
            name,
            _kernel(expected),
            {
                str(k): Output(
                    "1",
                    alias=f"embedding_{k}",
                    title=f"{noun} {k} of {len(inputs)} inputs",
                    formula=f"{name}(inputs[t])[{k}]",
                )
                for k in range(1, SIZE + 1)
            },
            table=f"{name}_embeddings",
            sources=source,
            about=f"{noun.lower()} of {len(inputs)} inputs, learnt on the training rows",
            lookback=lambda *window: 1,
            laggable=False,
            pool=_learn(expected, fit),
        )

    return (
        code("autoencoder", encoder, "Unit of an autoencoder's middle layer"),
        code("pca", lambda parts, rows, reach: components(parts), "Principal component"),
    )
