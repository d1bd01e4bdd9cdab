"""How much of a label is its own: rows whose labels overlap share the weight of one."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def uniqueness(rows: Rows, horizon: int) -> NDArray[np.float64]:
    """(n,) average uniqueness of each row's label, scaled to a mean of 1.

    The label of row t lives in the minutes t+1 to t+horizon; a minute in which c labels live
    belongs to each of them by 1 / c.

    Parameters
    ----------
    rows : (n,) ascending rows of the grid.
    horizon : minutes.

    Source: López de Prado (2018), Advances in Financial Machine Learning, chapter 4.

    >>> uniqueness(np.array([0, 1, 10]), 2).round(3)
    array([0.9, 0.9, 1.2])
    """
    first = rows - rows[0]
    alive = np.zeros(first[-1] + horizon + 1)
    np.add.at(alive, first, 1.0)
    np.add.at(alive, first + horizon, -1.0)
    shared = np.cumsum(alive)
    parts = np.concatenate(([0.0], np.cumsum(1.0 / np.maximum(shared, 1.0))))
    unshared = parts[first + horizon] - parts[first]
    return np.asarray(unshared / unshared.mean())
