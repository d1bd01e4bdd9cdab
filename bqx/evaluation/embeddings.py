"""Learned codes side by side: what they keep of their inputs, and what they add to a forecast."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.errors import ParameterError
from bqx.evaluation import skill
from bqx.feature_store.history import History
from bqx.features import catalog
from bqx.features.engine import fitting
from bqx.features.engine.fitting import Fits
from bqx.features.families.learned import autoencoder, embeddings, network
from bqx.features.families.learned.autoencoder import Settings
from bqx.features.families.learned.network import Network, Scale
from bqx.features.lags import Column
from bqx.features.spec import Array
from bqx.learning import losses, pair_selection, training
from bqx.learning.folds import Fold, longest_run
from bqx.market.bars import Bars
from bqx.params import Params

CODES = tuple(feature for feature in catalog.FEATURES.values() if feature.source.inputs)
"""Features of the codes."""

SOURCE = CODES[0].source
"""What the codes are made of."""

CLUSTERS = 10
"""Clusters that a code is parted into."""

LOOKED_AT = 5_000
"""Most rows that errors, dead units and clusters are measured on."""

_STILL = 1e-6  # deviation of a dead unit over that of the liveliest


@dataclass(frozen=True)
class Errors:
    """Mean squared and mean absolute error of standardised inputs that went through a code."""

    mse: float
    mae: float


def inverse(components: Network) -> Network:
    """What gives the standardised inputs back from a code of principal components."""
    (weights,), (bias,) = components.weights, components.biases
    scale = _plain(weights.shape[1])
    return Network(scale, (np.ascontiguousarray(weights.T),), (-(bias @ weights.T),))


def _plain(size: int) -> Scale:
    return Scale(*np.array([[-np.inf], [np.inf], [0.0], [1.0]]).repeat(size, axis=1))


def errors(encoder: Network, decoder: Network, x: Array) -> Errors:
    """Errors on rows (n, C) of raw inputs; rows with an absent input are left out."""
    z = network.complete(encoder.scale, [x])
    code = encoder(x)
    error = decoder(code[~np.isnan(code).any(axis=1)]) - z
    return Errors(float((error**2).mean()), float(np.abs(error).mean()))


def dead(code: Array) -> int:
    """Units of (n, K) that hardly move: below a millionth of the liveliest one's deviation."""
    deviation = code.std(axis=0)
    return int((deviation <= _STILL * deviation.max()).sum())


def silhouette(code: Array, seed: int = 0) -> float:
    """Mean silhouette of ten clusters of the rows (n, K) by k-means."""
    # Only this needs them, and they take long to import.
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    with threadpool_limits(1):
        labels = KMeans(CLUSTERS, n_init=3, random_state=seed).fit_predict(code)
        return float(silhouette_score(code, labels))


@dataclass(frozen=True)
class _Code:
    """A code learnt in one fold: its parameters under their key, and what it is worth."""

    key: str
    parameters: Array
    facts: dict[str, float]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(feature) for feature in CODES if feature.fit_key == self.key)


def compare(
    bars: Mapping[str, Bars],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    params: Params,
    settings: Mapping[str, Settings],
    name: str = training.MODEL,
    most: int = fitting.POOLED,
) -> pd.DataFrame:
    """The principal components and autoencoders beside the columns without any code.

    Everything is learnt anew on each fold's training rows, and measured on its test rows.

    ``bars`` : of the pairs that share each code, on one grid; ``columns`` : candidates that every
    row of the table selects from, each code joins them; ``settings`` : of the autoencoders, by the
    name of their row; ``name`` : of the model; ``most`` : rows of all pairs together that a code
    is learnt from.

    Returns one row ``none``, one ``pca`` and one for each of the settings. Of the code: ``inputs``
    that it uses, ``mse`` and ``mae`` of these in training deviations, ``dead`` units,
    ``silhouette``, ``seconds`` of its training, all means over the folds. Of the forecasts, over
    all pairs and horizons alike: ``skill`` with its interval, ``gain``, the share of the squared
    error without a code that the code saves, with its interval, and ``importance``, the share of
    it that the code's columns have.

    Raises BqxError where PyTorch is not installed, or rows are too few to learn from.
    """
    codes = _codes(bars, folds, settings, most)
    daily, table = {}, {}
    for code, per_fold in codes.items():
        joined, coded = list(columns), list(folds)
        if per_fold:
            joined += per_fold[0].columns
            coded = [
                replace(fold, shared=Fits({fold_code.key: fold_code.parameters}, 0))
                for fold, fold_code in zip(folds, per_fold, strict=True)
            ]
        daily[code], importance = _losses(bars, joined, coded, params, name)
        facts = pd.DataFrame([fold_code.facts for fold_code in per_fold])
        table[code] = facts.mean().to_dict() | {"importance": importance}
    plain = daily["none"]
    for code, errors in daily.items():
        for what, against in (("skill", plain["known_loss"]), ("gain", plain["loss"])):
            gain = skill.interval(
                errors["loss"].to_numpy(), against.to_numpy(), params.confidence, params.seed
            )
            table[code] |= gain.row(what)
    return pd.DataFrame(table.values(), index=pd.Index(table, name="code"))


def _codes(
    bars: Mapping[str, Bars], folds: Sequence[Fold], settings: Mapping[str, Settings], most: int
) -> dict[str, list[_Code]]:
    """Codes of every row of the table, one per fold; none for the row without."""
    codes: dict[str, list[_Code]] = {name: [] for name in ("none", "pca", *settings)}
    for fold in folds:
        rows = longest_run(fold.train)
        inputs, picked = fitting.gathered(bars, SOURCE, rows, most)
        later = _later(bars, fold, rows)
        for name in ("pca", *settings):
            codes[name].append(_code(name, inputs, picked, later, settings.get(name)))
    return codes


def _later(bars: Mapping[str, Bars], fold: Fold, rows: NDArray[np.int64]) -> Array:
    """Inputs of all pairs on evenly spaced test rows."""
    picked = fold.test[:: max(len(fold.test) * len(bars) // LOOKED_AT, 1)]
    inputs = []
    for pair_bars in bars.values():
        parameters = fitting.fit(pair_bars, SOURCE.inputs, rows).parameters
        inputs.append(fitting.values_of(pair_bars, SOURCE, picked, parameters))
    return np.concatenate(inputs)


def _code(
    name: str,
    inputs: Sequence[Array],
    picked: NDArray[np.int64],
    later: Array,
    settings: Settings | None,
) -> _Code:
    start = time.perf_counter()
    family = "pca" if settings is None else "autoencoder"
    if settings is None:
        encoder = embeddings.components(inputs)
        decoder = encoder and inverse(encoder)
    else:
        trained = autoencoder.train(inputs, picked, SOURCE.lookback, settings)
        encoder, decoder = (trained.encoder, trained.decoder) if trained else (None, None)
    if encoder is None or decoder is None:
        raise ParameterError(
            f"{name}: too few rows to learn a code from, got {len(picked)} per pair; expected more "
            f"than a batch beyond the warm-up of {SOURCE.lookback}. Raise train_days."
        )
    seconds = time.perf_counter() - start
    code = encoder(later)
    code = code[~np.isnan(code).any(axis=1)]
    error = errors(encoder, decoder, later)
    facts = {
        "inputs": float(encoder.scale.used.sum()),
        "mse": error.mse,
        "mae": error.mae,
        "dead": float(dead(code)),
        "silhouette": silhouette(code),
        "seconds": seconds,
    }
    return _Code(f"{SOURCE.key}_{family}", encoder.pack(embeddings.signature(SOURCE.inputs)), facts)


def _losses(
    bars: Mapping[str, Bars],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    params: Params,
    name: str,
) -> tuple[pd.DataFrame, float]:
    """Squared errors by day, in shares of each cell's own, and the learnt columns' importance."""
    learnt = {column.name for column in columns if column.domain == SOURCE.domain}
    daily, shares = [], []
    for pair_bars in bars.values():
        chosen = pair_selection.select_pair(History(pair_bars), columns, folds, params)
        shares += [
            sum(
                s
                for c, s in zip(selection.columns, selection.importance, strict=True)
                if c in learnt
            )
            for selection in chosen
        ]
        fitted = training.fit_pair(
            History(pair_bars),
            columns,
            folds,
            selections=chosen,
            params=params,
            name=name,
        )
        errors = losses.out_of_sample(pair_bars, fitted.forecasts, params)
        for _, cell in errors.groupby("horizon"):
            sums = cell.set_index("day")[["loss", "known_loss"]]
            daily.append(sums / sums["known_loss"].sum())
    return pd.concat(daily).groupby("day").sum(), float(np.mean(shares))
