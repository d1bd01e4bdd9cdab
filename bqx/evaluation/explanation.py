"""How much a model learns from how many rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bqx.learning.models import Design, Matrix, Model, Vector, point

SHARES = (0.25, 0.5, 1.0)
"""Shares of the training rows, the latest ones, that a learning curve fits: each twice the last."""


def learning(
    model: Model,
    x: Matrix,
    y: Vector,
    *,
    weight: Vector,
    validation: tuple[Matrix, Vector],
    shares: Sequence[float] = SHARES,
) -> pd.DataFrame:
    """Skill of a model by the number of its training rows, its settings held.

    Parameters
    ----------
    model : its settings are kept, it is fitted anew.
    x, y, weight : (n, C) columns, (n, H) labels and (n,) weights, ascending in time.
    validation : (m, C) columns and (m, H) labels that it has not seen.

    Returns
    -------
    One row per share: rows, seen (skill on the rows that it was fitted on) and unseen.
    """
    rows = []
    for share in shares:
        latest = slice(len(x) - int(len(x) * share), None)
        fit = model.unfitted().fit(Design(x[latest]), y[latest], weight=weight[latest])
        rows.append(
            {
                "rows": len(x[latest]),
                "seen": _skill(fit, x[latest], y[latest]),
                "unseen": _skill(fit, *validation),
            }
        )
    return pd.DataFrame(rows)


def _skill(model: Model, x: Matrix, y: Vector) -> float:
    """Mean over horizons of the share of the labels' power that a model explains."""
    wrong = (y - point(model.predict(x))) ** 2
    return float(np.mean(1.0 - wrong.sum(axis=0) / (y**2).sum(axis=0)))
