"""What each column adds to a forecast, and how much a model learns from how many rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from bqx.learning.models import Design, Estimator, Matrix, point, unfitted
from bqx.learning.models.ensemble import Ensemble
from bqx.learning.models.line import Line
from bqx.learning.models.martingale import Martingale
from bqx.learning.models.xgb import XGBoost

Vector = NDArray[np.float64]

ROUNDS = 4
"""Orders of the columns, forwards and backwards, by which a model of another kind is explained."""
BEFORE = 50
"""Most rows that stand for a column that is left out."""
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the training rows, the latest ones, that a learning curve fits."""


def contributions(model: Estimator, x: Matrix, seed: int = 0) -> Vector:
    """(n, C, H) SHAP values: what each of (n, C) columns adds to each forecast.

    Exact for lines, boosted trees and their ensembles: for a line against columns at their mean,
    for trees against the rows that the trees have seen. Of other models they are sampled, against
    the rows given, and exact in their sum.

    Source: Lundberg and Lee (2017); for trees Lundberg et al. (2020), as XGBoost has it.
    """
    if isinstance(model, Martingale):
        return np.zeros((*x.shape, model.horizons))
    if isinstance(model, Line):
        return model.scaler.apply(x)[:, :, None] * model.coefficients[None]
    if isinstance(model, XGBoost):
        return np.stack([_boosted(booster, x) for booster in model.boosters], axis=2)
    if isinstance(model, Ensemble):
        parts = [
            contributions(member, x, seed) * own
            for member, own in zip(model.members, model.weights, strict=True)
        ]
        return np.asarray(np.sum(parts, axis=0))
    return _sampled(model, x, seed)


def _boosted(booster: xgboost.Booster, x: Matrix) -> Vector:
    found = booster.predict(xgboost.DMatrix(x, nthread=1), pred_contribs=True)
    # Quantiles stand between rows and columns; the middle one is the forecast.
    middle = found if found.ndim == 2 else found[:, found.shape[1] // 2]
    return np.asarray(middle[:, :-1], np.float64)


def _sampled(model: Estimator, x: Matrix, seed: int) -> Vector:
    """Shapley values by orders of the columns: each is put in after those before it."""
    draw = np.random.default_rng(seed)
    before = x[draw.permutation(len(x))[:BEFORE]]
    base = point(model.predict(before)).mean(axis=0)
    out = np.zeros((*x.shape, len(base)))
    orders = [draw.permutation(x.shape[1]) for _ in range(ROUNDS)]
    orders += [order[::-1] for order in orders]
    for order in orders:
        filled = before[draw.integers(len(before), size=len(x))].copy()
        last = point(model.predict(filled))
        out_of_nothing = base - last
        for column in order:
            filled[:, column] = x[:, column]
            made = point(model.predict(filled))
            out[:, column] += made - last
            last = made
        # What the drawn rows differ from the mean is nobody's; shared, the sum stays exact.
        out -= out_of_nothing[:, None, :] / x.shape[1]
    return out / len(orders)


def learning(
    model: Estimator,
    x: Matrix,
    y: Vector,
    weight: Vector,
    later: Matrix,
    truth: Vector,
    shares: Sequence[float] = SHARES,
) -> pd.DataFrame:
    """Skill of a model by the number of its training rows, its settings held.

    Parameters
    ----------
    model : its settings are kept, it is fitted anew.
    x, y, weight : (n, C) columns, (n, H) labels and (n,) weights, ascending in time.
    later, truth : (m, C) columns and (m, H) labels that it has not seen.

    Returns
    -------
    A row a share: rows, seen (skill on the rows that it was fitted on) and unseen.
    """
    rows = []
    for share in shares:
        part = slice(len(x) - int(len(x) * share), None)
        fit = unfitted(model).fit(Design(x[part]), y[part], weight[part])
        rows.append(
            {
                "rows": len(x[part]),
                "seen": _skill(fit, x[part], y[part]),
                "unseen": _skill(fit, later, truth),
            }
        )
    return pd.DataFrame(rows)


def _skill(model: Estimator, x: Matrix, y: Vector) -> float:
    """Mean over horizons of the share of the labels' power that a model explains."""
    wrong = (y - point(model.predict(x))) ** 2
    return float(np.mean(1.0 - wrong.sum(axis=0) / (y**2).sum(axis=0)))
