"""Which columns a model reads: one random forest over all horizons, balanced between domains.

Columns go before the forest sees them when they are mostly absent, constant, a combination of
others by declaration, nearly a copy of a better one, or so slow that they number the days of the
sample; a model would otherwise learn what happened on each day.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.errors import ParameterError
from bqx.features.lags import Column
from bqx.learning.ranking import borda, grow, second_opinions, shares, thin

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]
Vector = NDArray[np.float64]

MOST_ABSENT = 0.2
"""Largest share of rows at which a column may be NaN."""
COPY = 0.95
"""Absolute correlation from which two columns count as copies of each other."""
MOST_BETWEEN_DAYS = 0.7
"""Largest share of a column's variance that its daily means may carry."""
COMPARED = 40_000
"""Most rows on which columns are compared with each other."""
ASKED = 0.95
"""Share of the importance that the documents ask of the chosen columns."""
_WIDTH = 64
_CHUNK = 256


@dataclass(frozen=True)
class Selection:
    """Chosen columns, most important first.

    ``importance`` : of each one, shares of the forest's total; ``share`` : their sum; ``needed`` :
    columns that would reach `ASKED`.
    ``permutation``, ``shap`` : what two other measures say of each, see `second_opinions`.
    ``candidates`` : columns that the forest saw; ``dropped`` : why the others never reached it.
    """

    columns: tuple[str, ...]
    importance: tuple[float, ...]
    permutation: tuple[float, ...]
    shap: tuple[float, ...]
    share: float
    needed: int
    candidates: int
    dropped: dict[str, str]


@dataclass(frozen=True)
class _Facts:
    """(C,) of each column: share of absent rows, mean, deviation, share of the variance between
    days, and squared correlation with the labels, summed over horizons."""

    absent: Vector
    mean: Vector
    deviation: Vector
    between: Vector
    relevance: Vector


def _facts(x: Matrix, labels: Vector, day: Rows) -> _Facts:
    starts = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    rows = np.diff(np.append(starts, len(day)))
    parts = []
    for start in range(0, x.shape[1], _WIDTH):
        # A few columns at a time are all that is ever held in 64 bits.
        part = x[:, start : start + _WIDTH].astype(np.float64)
        gone = np.isnan(part)
        count = np.maximum(len(x) - gone.sum(axis=0), 1)
        mean = np.nansum(part, axis=0) / count
        part -= mean
        part[gone] = 0.0
        power = np.einsum("nc,nc->c", part, part)
        deviation = np.sqrt(power / count)
        between = (np.add.reduceat(part, starts) ** 2 / rows[:, None]).sum(axis=0)
        tiny = np.finfo(np.float64).tiny
        relevance = ((labels.T @ part / len(x) / np.maximum(deviation, tiny)) ** 2).sum(axis=0)
        parts.append(
            (gone.mean(axis=0), mean, deviation, between / np.maximum(power, tiny), relevance)
        )
    return _Facts(*(np.concatenate(fact) for fact in zip(*parts, strict=True)))


def _standardised(x: Matrix, columns: Rows) -> Matrix:
    """Columns of evenly spaced rows with mean 0 and deviation 1, absent ones at the mean."""
    z = x[thin(len(x), COMPARED)][:, columns]
    z -= np.nanmean(z, axis=0, dtype=np.float64).astype(np.float32)
    np.nan_to_num(z, copy=False)
    power = np.mean(z**2, axis=0, dtype=np.float64)
    z /= np.sqrt(np.maximum(power, np.finfo(np.float32).tiny)).astype(np.float32)
    return z


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


def _balanced(importance: Vector, domains: Sequence[str], k: int, least: int) -> Rows:
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
    y: Vector,
    columns: Sequence[Column],
    day: Rows,
    k: int,
    domain_share: float,
    trees: int,
    depth: int,
    seed: int,
    weight: Vector | None = None,
    ranked_by: str = "forest",
) -> Selection:
    """Choose k columns for all horizons by the importance of a random forest.

    Parameters
    ----------
    x : (n, C) training rows of the candidate columns, NaN allowed.
    y : (n, H) labels, finite, one column a horizon; each is standardised.
    day : (n,) trading day of each row, ascending.
    k : columns to choose; fewer when fewer are left.
    domain_share : smallest share of them from the rate domain, and from the BQX domain.
    trees, depth : of the forest.
    weight : (n,) of the rows, mean 1; None for equal ones.
    ranked_by : ``forest``, or ``borda`` for the mean rank over five rankers.

    Raises
    ------
    ParameterError : no column is left for the forest.
    """
    with threadpool_limits(1):
        labels = (y - y.mean(axis=0)) / y.std(axis=0)
        facts = _facts(x, labels, day)
        index, dropped = _useful(facts, columns)
        order = np.argsort(-facts.relevance[index], kind="stable")
        copied = _copies(_standardised(x, index), order)
        dropped |= {
            columns[index[i]].name: f"a copy of {columns[index[j]].name}" for i, j in copied.items()
        }
        alone = index[[i for i in range(len(index)) if i not in copied]]
        share = np.ones(len(y)) if weight is None else weight
        forest = grow(x, labels, alone, share, trees, depth, seed)
        importance = shares(forest.gains)
        rank = importance
        if ranked_by == "borda":
            rank = borda(x, labels, alone, facts.relevance[alone], forest, seed)
        members = [columns[i] for i in alone]
        most = min(k, len(members))
        least = int(np.ceil(domain_share * most))
        best = _balanced(rank, [c.domain for c in members], most, least)
        permuted, explained = second_opinions(
            np.ascontiguousarray(x[:, alone[best]]), labels, share, trees, depth, seed
        )
    return Selection(
        columns=tuple(members[i].name for i in best),
        importance=tuple(importance[best].tolist()),
        permutation=tuple(permuted.tolist()),
        shap=tuple(explained.tolist()),
        share=float(importance[best].sum()),
        needed=int(np.searchsorted(np.cumsum(-np.sort(-importance)), ASKED)) + 1,
        candidates=len(members),
        dropped=dropped,
    )


def _useful(facts: _Facts, columns: Sequence[Column]) -> tuple[Rows, dict[str, str]]:
    """Columns that are worth a look, and why the others are not."""
    known = {column.feature.name for column in columns}
    flat = facts.deviation <= 1e-6 * np.maximum(np.abs(facts.mean), np.finfo(np.float32).tiny)
    left, dropped = [], {}
    for i, column in enumerate(columns):
        spans = column.feature.spanned_by
        if spans and known.issuperset(spans):
            dropped[column.name] = f"a linear combination of {', '.join(spans)}"
        elif facts.absent[i] > MOST_ABSENT:
            dropped[column.name] = f"absent in {facts.absent[i]:.0%} of rows"
        elif flat[i]:
            dropped[column.name] = "constant"
        elif facts.between[i] > MOST_BETWEEN_DAYS:
            dropped[column.name] = f"daily means carry {facts.between[i]:.0%} of its variance"
        else:
            left.append(i)
    if not left:
        raise ParameterError(
            f"selection: no column left of {len(columns)}, got only absent, constant or slow ones; "
            "expected some that move within a day. Give more bars or other features."
        )
    return np.array(left, dtype=np.int64), dropped


def jaccard(one: Selection, other: Selection) -> float:
    """Common columns as a share of all that either has.

    >>> jaccard(*(Selection(c, (), (), (), 0, 0, 9, {}) for c in [("a", "b"), ("b", "c")]))
    0.3333333333333333
    """
    a, b = set(one.columns), set(other.columns)
    return len(a & b) / len(a | b)


def kuncheva(one: Selection, other: Selection) -> float:
    """Common columns beyond those of chance: 0 for two random choices, 1 for the same one.

    Chance draws from as many candidates as the larger forest saw; NaN where all are chosen.

    Source: Kuncheva (2007), A stability index for feature selection.

    >>> kuncheva(*(Selection(c, (), (), (), 0, 0, 4, {}) for c in [("a", "b"), ("b", "c")]))
    0.0
    """
    a, b = set(one.columns), set(other.columns)
    chance = len(a) * len(b) / max(one.candidates, other.candidates)
    room = min(len(a), len(b)) - chance
    return (len(a & b) - chance) / room if room > 0 else float("nan")
