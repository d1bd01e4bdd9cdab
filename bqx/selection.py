"""Which columns a model reads: one random forest over all horizons, balanced between domains.

Columns go before the forest sees them when they are mostly absent, constant, a combination of
others by declaration, nearly a copy of a better one, or so slow that they number the days of the
sample; a model would otherwise learn what happened on each day.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from threadpoolctl import threadpool_limits

from bqx.errors import ParameterError
from bqx.lags import Column

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

MOST_ABSENT = 0.2
"""Largest share of rows at which a column may be NaN."""
COPY = 0.95
"""Absolute correlation from which two columns count as copies of each other."""
MOST_BETWEEN_DAYS = 0.7
"""Largest share of a column's variance that its daily means may carry."""
TRIED = 0.1
"""Share of columns that the forest tries at a split."""
BAG = 0.5
"""Share of rows that a tree sees."""
LEAF = 0.01
"""Smallest leaf, as a share of the rows."""
_CHUNK = 256


@dataclass(frozen=True)
class Selection:
    """Chosen columns, most important first.

    ``importance`` : of each one, shares of the forest's total; ``share`` : their sum.
    ``candidates`` : columns that the forest saw; ``dropped`` : why the others never reached it.
    """

    columns: tuple[str, ...]
    importance: tuple[float, ...]
    share: float
    candidates: int
    dropped: dict[str, str]


def _between_days(z: Matrix, day: NDArray[np.int64]) -> NDArray[np.float64]:
    """(C,) share of the variance of standardised columns that lies between days."""
    _, place, rows = np.unique(day, return_inverse=True, return_counts=True)
    sums = np.zeros((len(rows), z.shape[1]))
    np.add.at(sums, place, z)
    return (sums**2 / rows[:, None]).sum(axis=0) / np.maximum((z**2).sum(axis=0), 1.0)


def _copies(z: Matrix, order: Rows) -> dict[int, int]:
    """Columns that copy one earlier in the order, with the one they copy."""
    copied: dict[int, int] = {}
    kept: list[int] = []
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK].tolist()
        before = np.abs(z[:, kept].T @ z[:, chunk]) / len(z)
        among = np.abs(z[:, chunk].T @ z[:, chunk]) / len(z)
        new: list[int] = []
        for i, column in enumerate(chunk):
            if kept and before[:, i].max() > COPY:
                copied[column] = kept[int(before[:, i].argmax())]
            elif new and among[new, i].max() > COPY:
                copied[column] = chunk[new[int(among[new, i].argmax())]]
            else:
                new.append(i)
        kept.extend(chunk[i] for i in new)
    return copied


def _balanced(importance: NDArray[np.float64], domains: Sequence[str], k: int, least: int) -> Rows:
    """The k most important, at least ``least`` of them of the rate and of the BQX domain each."""
    order = np.argsort(-importance, kind="stable")
    chosen = [
        i
        for domain in ("rate", "bqx")
        for i in [j for j in order.tolist() if domains[j] == domain][:least]
    ]
    taken = set(chosen)
    chosen += [i for i in order.tolist() if i not in taken][: max(k - len(chosen), 0)]
    return np.array(sorted(chosen, key=lambda i: (-importance[i], i)), dtype=np.int64)


def select(
    x: Matrix,
    y: NDArray[np.float64],
    columns: Sequence[Column],
    day: NDArray[np.int64],
    k: int,
    domain_share: float,
    trees: int,
    depth: int,
    seed: int,
) -> Selection:
    """Choose k columns for all horizons by the importance of a random forest.

    Parameters
    ----------
    x : (n, C) training rows of the candidate columns, NaN allowed.
    y : (n, H) labels, finite, one column a horizon; each is standardised.
    day : (n,) trading day of each row.
    k : columns to choose; fewer when fewer are left.
    domain_share : smallest share of them from the rate domain, and from the BQX domain.
    trees, depth : of the forest.

    Raises
    ------
    ParameterError : no column is left for the forest.
    """
    with threadpool_limits(1):
        return _select(x, y, columns, day, k, domain_share, trees, depth, seed)


def _select(
    x: Matrix,
    y: NDArray[np.float64],
    columns: Sequence[Column],
    day: NDArray[np.int64],
    k: int,
    domain_share: float,
    trees: int,
    depth: int,
    seed: int,
) -> Selection:
    known = {column.feature.name for column in columns}
    dropped: dict[str, str] = {}
    left = []
    absent = np.isnan(x).mean(axis=0)
    for i, column in enumerate(columns):
        spans = column.feature.spanned_by
        if spans and known.issuperset(spans):
            dropped[column.name] = f"a linear combination of {', '.join(spans)}"
        elif absent[i] > MOST_ABSENT:
            dropped[column.name] = f"absent in {absent[i]:.0%} of rows"
        else:
            left.append(i)
    index = np.array(left, dtype=np.int64)
    z = x[:, index]
    mean = np.asarray(np.nanmean(z, axis=0, dtype=np.float64))
    std = np.asarray(np.nanstd(z, axis=0, dtype=np.float64))
    moving = std > 1e-6 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
    dropped |= {columns[i].name: "constant" for i in index[~moving]}
    index, z = index[moving], z[:, moving]
    z -= mean[moving].astype(np.float32)
    z /= std[moving].astype(np.float32)
    np.nan_to_num(z, copy=False)

    slow = _between_days(z, day)
    dropped |= {
        columns[i].name: f"daily means carry {share:.0%} of its variance"
        for i, share in zip(index, slow, strict=True)
        if share > MOST_BETWEEN_DAYS
    }
    index, z = index[slow <= MOST_BETWEEN_DAYS], z[:, slow <= MOST_BETWEEN_DAYS]
    if len(index) == 0:
        raise ParameterError(
            f"selection: no column left of {len(columns)}, got only absent, constant or slow ones; "
            "expected some that move within a day. Give more bars or other features."
        )

    labels = (y - y.mean(axis=0)) / y.std(axis=0)
    relevance = ((z.T @ labels.astype(np.float32) / len(z)) ** 2).sum(axis=1)
    copied = _copies(z, np.argsort(-relevance, kind="stable"))
    dropped |= {
        columns[index[i]].name: f"a copy of {columns[index[j]].name}" for i, j in copied.items()
    }
    alone = np.array([i for i in range(len(index)) if i not in copied])
    forest = RandomForestRegressor(
        n_estimators=trees,
        max_depth=depth,
        max_features=TRIED,
        max_samples=BAG,
        min_samples_leaf=max(int(LEAF * len(z)), 1),
        random_state=seed,
        n_jobs=1,
    ).fit(z[:, alone], labels if labels.shape[1] > 1 else labels.ravel())
    importance = np.asarray(forest.feature_importances_)
    members = [columns[i] for i in index[alone]]
    least = int(np.ceil(domain_share * min(k, len(members))))
    best = _balanced(importance, [c.domain for c in members], min(k, len(members)), least)
    return Selection(
        columns=tuple(members[i].name for i in best),
        importance=tuple(float(importance[i]) for i in best),
        share=float(importance[best].sum()),
        candidates=len(members),
        dropped=dropped,
    )
