"""What columns are worth to a model: a forest's gains, and other opinions beside them.

The forest is boosting's of one round with many trees on binned columns: it asks of each column
which of a few bins a row falls in, where scikit-learn's sorts the rows anew at every split.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy import stats
from sklearn.feature_selection import mutual_info_regression
from sklearn.linear_model import lasso_path

from bqx.learning.models import trees
from bqx.learning.models.boosters import Boosters
from bqx.learning.models.design import EDGES, in_bins, thin

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]

MAX_FEATURES = 0.1
"""Share of columns that the forest tries at a split."""
ALL_SEEN = 1_000
"""Most columns of which every tree sees all."""
SEEN = 400
"""Most columns that a tree sees where there are more."""
MAX_SAMPLES = 0.5
"""Share of rows that a tree sees."""
MIN_SAMPLES_LEAF = 0.01
"""Smallest leaf, as a share of the rows."""
HELD_BACK = 0.2
"""Last share of the rows, which the forest behind permutation and SHAP does not see."""
JUDGED = 2_000
"""Most rows on which permutation and mutual information are measured."""
EXPLAINED = 500
"""Most rows on which SHAP values are measured, which cost the most."""
_BLOCK = 20_000


class _Blocks(xgboost.DataIter):
    """Some columns of a matrix in blocks of rows, so that no copy of all of them is made."""

    def __init__(self, x: Matrix, columns: NDArray[np.int64]) -> None:
        super().__init__()
        self.x, self.columns, self.at = x, columns, 0

    def next(self, input_data: Any) -> bool:
        if self.at >= len(self.x):
            return False
        input_data(data=self.x[self.at : self.at + _BLOCK][:, self.columns])
        self.at += _BLOCK
        return True

    def reset(self) -> None:
        self.at = 0


@dataclass(frozen=True)
class Growth:
    """Trees of all horizons together, splits above a leaf at most, and seed."""

    n_estimators: int
    max_depth: int
    random_state: int


@dataclass(frozen=True)
class Part:
    """Trees that see the same columns: ``columns`` of those that the forest was grown on, and one
    booster per horizon."""

    columns: NDArray[np.int64] | slice
    boosters: tuple[xgboost.Booster, ...]


@dataclass
class Forest:
    """Forests of each horizon, in parts that see other columns.

    ``gains`` : (c,) total gain of each column over all horizons, in variances of a label.
    """

    parts: tuple[Part, ...]
    gains: Vector

    def predict(self, x: Matrix) -> Vector:
        """(n, H) forecasts."""
        forecasts = [
            np.column_stack([booster.inplace_predict(rows) for booster in part.boosters])
            for part in self.parts
            for rows in (np.ascontiguousarray(x[:, part.columns]),)
        ]
        return np.asarray(np.mean(forecasts, axis=0))

    def exchanged(self, x: Matrix, others: Matrix) -> Vector:
        """(c, n, H) that each column's values of ``others`` in its place add to the forecasts."""
        out = np.empty((len(self.gains), len(x), len(self.parts[0].boosters)), np.float32)
        for part in self.parts:
            stored = [bytes(booster.save_raw("ubj")) for booster in part.boosters]
            rows = (np.ascontiguousarray(values[:, part.columns]) for values in (x, others))
            out[part.columns] = trees.of(stored).exchanged(*rows)
        return out / len(self.parts)

    def shap(self, x: Matrix) -> Vector:
        """(c,) mean absolute SHAP value of each column on even rows, mean over horizons."""
        out, explained = np.empty(len(self.gains)), x[thin(len(x), EXPLAINED)]
        for part in self.parts:
            rows = xgboost.DMatrix(explained[:, part.columns], nthread=1)
            values = [b.predict(rows, pred_contribs=True)[:, :-1] for b in part.boosters]
            out[part.columns] = np.mean(np.abs(values), axis=(0, 1))
        return out / len(self.parts)


def grow(
    x: Matrix,
    labels: Vector,
    columns: NDArray[np.int64],
    *,
    weight: Vector,
    growth: Growth,
    max_features: float = MAX_FEATURES,
) -> Forest:
    """A forest over some columns, its trees shared out among the horizons.

    Where the columns are many, each tree sees a part of them, of which a split looks at so many
    more: a split's histograms are made of all that its tree sees.

    Parameters
    ----------
    x : (n, C) columns, NaN allowed.
    labels : (n, H) standardised labels.
    columns : (c,) columns of ``x`` to grow on.
    weight : (n,) of the rows, mean 1.
    max_features : share of the columns that a split looks at.

    Source: Ho (1998), The random subspace method for constructing decision forests.
    """
    count = -(-len(columns) // SEEN) if len(columns) > ALL_SEEN else 1
    parts: list[NDArray[np.int64] | slice] = [slice(None)]
    if count > 1:
        order = np.random.default_rng(growth.random_state).permutation(len(columns))
        parts = [np.sort(subset) for subset in np.array_split(order, count)]
    settings = {
        **(Boosters.GROWTH | Boosters.OBJECTIVE),
        "max_depth": growth.max_depth,
        "learning_rate": 1.0,
        "num_parallel_tree": -(-growth.n_estimators // (labels.shape[1] * count)),
        "subsample": MAX_SAMPLES,
        "colsample_bynode": min(max_features * count, 1.0),
        "min_child_weight": MIN_SAMPLES_LEAF * len(x),
        "reg_lambda": 0.0,
    }
    grown, gains = [], np.zeros(len(columns))
    for subset in parts:
        boosters, of_part = _boosters(x, labels, columns[subset], weight, settings, growth)
        gains[subset] = of_part
        grown.append(Part(subset, boosters))
    return Forest(tuple(grown), gains)


def _boosters(
    x: Matrix,
    labels: Vector,
    columns: NDArray[np.int64],
    weight: Vector,
    settings: dict[str, Any],
    growth: Growth,
) -> tuple[tuple[xgboost.Booster, ...], Vector]:
    """One booster per horizon over the same bins, and the columns' gains in all of them."""
    edges = in_bins(x[thin(len(x), EDGES)][:, columns])
    binned = in_bins(_Blocks(x, columns), edges)
    binned.set_weight(weight)
    boosters, gains = [], np.zeros(len(columns))
    for h in range(labels.shape[1]):
        binned.set_label(labels[:, h])
        booster = xgboost.train(settings | {"seed": growth.random_state + h}, binned, 1)
        for name, gain in booster.get_score(importance_type="total_gain").items():
            gains[int(name.removeprefix("f"))] += gain
        boosters.append(booster)
    return tuple(boosters), gains


def shares(gains: Vector) -> Vector:
    """Gains as shares of their sum; 0 where none gained."""
    return gains / max(float(gains.sum()), np.finfo(np.float64).tiny)


def second_opinions(
    x: Matrix, labels: Vector, *, weight: Vector, growth: Growth
) -> tuple[Vector, Vector]:
    """Permutation importance and mean absolute SHAP value of each column.

    A forest is grown on the first rows. Permutation importance is the error, in shares of the
    labels' power, that a column's shuffling adds on the last rows, which the forest has not seen.

    Parameters
    ----------
    x : (n, k) columns; labels, weight, growth : as for `grow`.
    """
    stop = int(len(x) * (1 - HELD_BACK))
    every = np.arange(x.shape[1])
    forest = grow(
        x[:stop],
        labels[:stop],
        every,
        weight=weight[:stop],
        growth=growth,
        max_features=max(MAX_FEATURES, 1 / len(every)),
    )
    rows, truth = x[stop:], labels[stop:]
    kept = thin(len(rows), JUDGED)
    rows, truth = rows[kept], truth[kept]
    power = float(np.mean(truth**2))
    missed = truth - forest.predict(rows)
    shuffled = np.random.default_rng(growth.random_state).permuted(rows, axis=0)
    moved = forest.exchanged(rows, shuffled)
    # (missed - moved)^2 - missed^2, without a copy of every forecast.
    added = np.einsum("cnh,cnh->c", moved, moved) - 2 * np.einsum("nh,cnh->c", missed, moved)
    return added / truth.size / power, forest.shap(rows)


def borda(
    x: Matrix,
    labels: Vector,
    columns: NDArray[np.int64],
    *,
    relevance: Vector,
    forest: Forest,
    random_state: int,
) -> Vector:
    """(c,) mean rank from 0 (worst) to 1 over five rankers of some columns.

    Mutual information with the mean label, squared correlation, the forest's gains, its SHAP values
    and the coefficients along the lasso's path; what is slow sees an even choice of rows.

    Parameters
    ----------
    x, labels, columns : as for `grow`, the columns standardised up to NaN.
    relevance : (c,) squared correlation, sum over horizons.
    """
    rows = x[thin(len(x), JUDGED)][:, columns]
    mean = labels[thin(len(x), JUDGED)].mean(axis=1)
    spread = np.nanstd(rows, axis=0)
    z = np.nan_to_num((rows - np.nanmean(rows, axis=0)) / np.where(spread > 0, spread, 1.0))
    path = lasso_path(z.astype(np.float64), mean, eps=0.1, alphas=10, precompute=True)[1]
    scores = (
        mutual_info_regression(z, mean, random_state=random_state),
        relevance,
        forest.gains,
        forest.shap(rows),
        np.abs(path).sum(axis=1),
    )
    return np.mean([(stats.rankdata(s) - 1) / max(len(s) - 1, 1) for s in scores], axis=0)
