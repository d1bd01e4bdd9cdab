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
from bqx.learning import targets, training
from bqx.learning.folds import Fold, longest_run
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params

CODES = tuple(each for each in catalog.FEATURES.values() if each.source.inputs)
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
    return Network(_plain(weights.shape[1]), (np.ascontiguousarray(weights.T),),
                   (-(bias @ weights.T),))  # fmt: skip


def _plain(size: int) -> Scale:
    return Scale(*np.array([[-np.inf], [np.inf], [0.0], [1.0]]).repeat(size, axis=1))


def errors(encoder: Network, decoder: Network, x: Array) -> Errors:
    """Errors on rows (n, C) of raw inputs; rows with an absent input are left out."""
    z = network.complete(encoder.scale, [x])
    code = encoder(x)
    off = decoder(code[~np.isnan(code).any(axis=1)]) - z
    return Errors(float((off**2).mean()), float(np.abs(off).mean()))


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
    """A code that one fold taught: its parameters under their key, and what it is worth."""

    key: str
    parameters: Array
    facts: dict[str, float]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(each) for each in CODES if each.fit_key == self.key)


def compare(
    bars: Mapping[str, Bars],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    params: Params,
    settings: Mapping[str, Settings],
    name: str = training.MODEL,
    most: int = fitting.POOLED,
) -> pd.DataFrame:
    """The principal components and autoencoders beside the columns without any code.

    Everything is learnt anew on each fold's training rows, and measured on its test rows.

    Parameters
    ----------
    bars : of the pairs that share each code, on one grid.
    columns : candidates that every row of the table selects from; each code joins them.
    folds, params : as for `training.select_pair` and `training.fit_pair`.
    settings : of the autoencoders, by the name of their row.
    name : of the model.
    most : rows of all pairs together that a code is learnt from.

    Returns
    -------
    A row ``none``, ``pca`` and each of the settings. Of the code: ``inputs`` that it uses, ``mse``
    and ``mae`` of these in training deviations, ``dead`` units, ``silhouette``, ``seconds`` of its
    training, all means over the folds. Of the forecasts, over all pairs and horizons alike:
    ``skill`` with its interval, ``gain``, the share of the squared error without a code that the
    code saves, with its interval, and ``importance``, the share of it that the code's columns
    have.

    Raises
    ------
    BqxError : PyTorch is not installed, or too few rows to learn from.
    """
    made: dict[str, list[_Code]] = {each: [] for each in ("pca", *settings)}
    for fold in folds:
        rows = longest_run(fold.train)
        parts, picked = fitting.gathered(bars, SOURCE, rows, most)
        later = _later(bars, fold, rows)
        for each, codes in made.items():
            codes.append(_code(each, parts, picked, later, settings.get(each)))
    losses, table = {}, {}
    for each, codes in {"none": list[_Code](), **made}.items():
        joined, taught = list(columns), list(folds)
        if codes:
            joined += codes[0].columns
            taught = [
                replace(fold, shared=Fits({code.key: code.parameters}, 0))
                for fold, code in zip(folds, codes, strict=True)
            ]
        losses[each], importance = _losses(bars, joined, taught, params, name)
        table[each] = _mean([code.facts for code in codes]) | {"importance": importance}
    known, plain = losses["none"]["known_loss"].to_numpy(), losses["none"]["loss"].to_numpy()
    for each, daily in losses.items():
        loss = daily["loss"].to_numpy()
        for what, against in (("skill", known), ("gain", plain)):
            low, high = skill.interval(loss, against, params.confidence, params.seed)
            ends = {what: 1.0 - loss.sum() / against.sum(), f"{what}_lo": low, f"{what}_hi": high}
            table[each] |= ends
    return pd.DataFrame(table.values(), index=pd.Index(table, name="code"))


def _later(bars: Mapping[str, Bars], fold: Fold, rows: NDArray[np.int64]) -> Array:
    """Inputs of all pairs on evenly spaced test rows."""
    picked = fold.test[:: max(len(fold.test) * len(bars) // LOOKED_AT, 1)]
    parts = []
    for each in bars.values():
        own = fitting.fit(each, SOURCE.inputs, rows).parameters
        parts.append(fitting.values_of(each, SOURCE, picked, own))
    return np.concatenate(parts)


def _code(
    name: str, parts: Sequence[Array], picked: NDArray[np.int64], later: Array,
    settings: Settings | None,
) -> _Code:  # fmt: skip
    start = time.perf_counter()
    family = "pca" if settings is None else "autoencoder"
    if settings is None:
        encoder = embeddings.components(parts)
        decoder = encoder and inverse(encoder)
    else:
        trained = autoencoder.train(parts, picked, SOURCE.lookback, settings)
        encoder, decoder = (trained.encoder, trained.decoder) if trained else (None, None)
    if encoder is None or decoder is None:
        raise ParameterError(
            f"{name}: too few rows to learn a code from, got {len(picked)} a pair; expected more "
            f"than a batch beyond the warm-up of {SOURCE.lookback}. Raise train_days."
        )
    seconds = time.perf_counter() - start
    code = encoder(later)
    code = code[~np.isnan(code).any(axis=1)]
    off = errors(encoder, decoder, later)
    facts = {
        "inputs": float(encoder.scale.used.sum()), "mse": off.mse, "mae": off.mae,
        "dead": float(dead(code)), "silhouette": silhouette(code), "seconds": seconds,
    }  # fmt: skip
    return _Code(f"{SOURCE.key}_{family}", encoder.pack(embeddings.signature(SOURCE.inputs)), facts)


def _mean(facts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return pd.DataFrame(facts).mean().to_dict() if facts else {}


def _losses(
    bars: Mapping[str, Bars], columns: Sequence[Column], folds: Sequence[Fold], params: Params,
    name: str,
) -> tuple[pd.DataFrame, float]:  # fmt: skip
    """Squared errors by day, in shares of each cell's own, and the learnt columns' importance."""
    learnt = {column.name for column in columns if column.domain == SOURCE.domain}
    parts, shares = [], []
    for each in bars.values():
        chosen = training.select_pair(History(each), columns, folds, params)
        shares += [
            sum(s for c, s in zip(one.columns, one.importance, strict=True) if c in learnt)
            for one in chosen
        ]
        found = training.fit_pair(History(each), columns, folds, chosen, params, len(bars), name)
        day = sessions.trading_days(each.minutes)
        for horizon, made in found.forecasts.groupby("horizon"):
            target = targets.make(each, params.window(int(str(horizon))), int(str(horizon)))
            rows = each.ts.get_indexer(pd.DatetimeIndex(made["ts_utc"]))
            forecast = np.full(len(each), np.nan)
            forecast[rows] = made["forecast"]
            y, known = target.label(params.target), target.martingale_of(params.target)
            off = target.from_innovation(forecast, params.target)
            frame = pd.DataFrame(
                {"day": day, "loss": (y - off) ** 2, "known_loss": (y - known) ** 2}
            ).dropna()  # fmt: skip
            sums = frame.groupby("day").sum()
            parts.append(sums / sums["known_loss"].sum())
    return pd.concat(parts).groupby("day").sum(), float(np.mean(shares))
