"""Which columns a model reads: one random forest over all horizons, balanced between domains.

Columns go before the forest sees them when they are mostly absent, constant, a combination of
others by declaration, nearly a copy of a better one, or so slow that they number the days of the
sample; a model would otherwise learn what happened on each day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.errors import ParameterError
from bqx.features.documents.groups import group_of
from bqx.features.lags import Column
from bqx.learning.facts import Facts, standard
from bqx.learning.models.design import thin
from bqx.learning.ranking import Growth, borda, grow, second_opinions, shares
from bqx.params import Params

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]
Vector = NDArray[np.float64]

MOST_ABSENT = 0.2
"""Largest share of rows at which a column may be NaN."""
COPY = 0.95
"""Absolute correlation from which two columns count as copies of each other."""
MOST_BETWEEN_DAYS = 0.7
"""Largest share of a column's variance that its daily means may carry."""
COMPARED = 10_000
"""Most rows on which columns are compared with each other."""
ASKED = 0.95
"""Share of the importance that the documents ask of the chosen columns."""
_CHUNK = 256


@dataclass(frozen=True)
class Settings:
    """How columns are chosen.

    ``k`` : columns to choose, fewer when fewer are left; ``domain_share`` : smallest share of them
    from the rate domain, and from the BQX domain; ``growth`` : of the forest; ``ranked_by`` :
    ``forest``, or ``borda`` for the mean rank over five rankers; ``quotas`` : columns of each
    group, instead of the domains' share; ``least_importance`` : of a column, share of the forest's.
    """

    k: int
    domain_share: float
    growth: Growth
    ranked_by: str = "forest"
    quotas: Mapping[str, int] = field(default_factory=dict)
    least_importance: float = 0.0

    @classmethod
    def from_params(cls, params: Params) -> Self:
        """Those of a run."""
        growth = Growth(params.forest_trees, params.forest_depth, params.seed)
        return cls(
            params.selected,
            params.domain_share,
            growth,
            ranked_by=params.ranked_by,
            quotas=params.quotas,
            least_importance=params.least_importance,
        )


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


def standardised(x: Matrix, columns: Rows) -> Matrix:
    """Columns of evenly spaced rows with mean 0 and deviation 1, absent ones at the mean."""
    z = x[thin(len(x), COMPARED)][:, columns]
    z -= np.nanmean(z, axis=0, dtype=np.float64).astype(np.float32)
    np.nan_to_num(z, copy=False)
    power = np.mean(z**2, axis=0, dtype=np.float64)
    z /= np.sqrt(np.maximum(power, np.finfo(np.float32).tiny)).astype(np.float32)
    return z


def copies(z: Matrix, order: Rows) -> dict[int, int]:
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


def _strong(importance: Vector, least: float) -> Rows:
    """Columns of at least so large a share of the importance; ParameterError where none is."""
    strong = np.flatnonzero(importance >= least)
    if not len(strong):
        raise ParameterError(
            f"least_importance: no column reaches it, got {least}; expected at most "
            f"{importance.max():.2g}, the largest share. Lower it."
        )
    return strong


def _balanced(rank: Vector, columns: Sequence[Column], settings: Settings) -> Rows:
    """The k most important; each group has its quota, or each of the two domains its share."""
    k = min(settings.k, len(columns))
    sorts = [group_of(c.feature) if settings.quotas else c.domain for c in columns]
    # Of so few columns that half is no whole number, both domains cannot have so many.
    share = min(int(np.ceil(settings.domain_share * k)), k // 2)
    least = settings.quotas or {"rate": share, "bqx": share}
    order = np.argsort(-rank, kind="stable").tolist()
    chosen = [i for sort, n in least.items() for i in [j for j in order if sorts[j] == sort][:n]]
    taken = set(chosen)
    chosen += [i for i in order if i not in taken][: max(k - len(chosen), 0)]
    return np.array(sorted(chosen, key=lambda i: (-rank[i], i)), dtype=np.int64)


def select(
    x: Matrix,
    y: Vector,
    columns: Sequence[Column],
    *,
    facts: Facts,
    settings: Settings,
    weight: Vector | None = None,
) -> Selection:
    """Choose columns for all horizons by the importance of a random forest.

    Parameters
    ----------
    x : (n, C) training rows of the candidate columns, NaN allowed.
    y : (n, H) labels, finite, one column per horizon; each is standardised.
    facts : of the columns, see `facts_of`.
    weight : (n,) of the rows, mean 1; None for equal ones.

    Raises
    ------
    ParameterError : no column is left for the forest.
    """
    share = np.ones(len(y)) if weight is None else weight
    growth = settings.growth
    with threadpool_limits(1):
        labels = standard(y)
        seen, dropped = _candidates(x, facts, columns)
        forest = grow(x, labels, seen, weight=share, growth=growth)
        importance = shares(forest.gains)
        rank = importance
        if settings.ranked_by == "borda":
            relevance, seed = facts.relevance[seen], growth.random_state
            rank = borda(x, labels, seen, relevance=relevance, forest=forest, random_state=seed)
        strong = _strong(importance, settings.least_importance)
        best = strong[_balanced(rank[strong], [columns[seen[i]] for i in strong], settings)]
        permutation, shap = second_opinions(
            np.ascontiguousarray(x[:, seen[best]]), labels, weight=share, growth=growth
        )
    return Selection(
        columns=tuple(columns[i].name for i in seen[best]),
        importance=tuple(importance[best].tolist()),
        permutation=tuple(permutation.tolist()),
        shap=tuple(shap.tolist()),
        share=float(importance[best].sum()),
        needed=int(np.searchsorted(np.cumsum(-np.sort(-importance)), ASKED)) + 1,
        candidates=len(seen),
        dropped=dropped,
    )


def _candidates(x: Matrix, facts: Facts, columns: Sequence[Column]) -> tuple[Rows, dict[str, str]]:
    """Columns that the forest sees, and why the others are left out."""
    index, dropped = useful(facts, columns)
    order = np.argsort(-facts.relevance[index], kind="stable")
    copied = copies(standardised(x, index), order)
    dropped |= {
        columns[index[i]].name: f"a copy of {columns[index[j]].name}" for i, j in copied.items()
    }
    return index[[i for i in range(len(index)) if i not in copied]], dropped


def useful(facts: Facts, columns: Sequence[Column]) -> tuple[Rows, dict[str, str]]:
    """Columns that are worth a look, and why the others are not."""
    names = {column.feature.name for column in columns}
    constant = facts.constant
    left, dropped = [], {}
    for i, column in enumerate(columns):
        spans = column.feature.spanned_by
        if spans and names.issuperset(spans):
            dropped[column.name] = f"a linear combination of {', '.join(spans)}"
        elif facts.absent[i] > MOST_ABSENT:
            dropped[column.name] = f"absent in {facts.absent[i]:.0%} of rows"
        elif constant[i]:
            dropped[column.name] = "constant"
        elif facts.between[i] > MOST_BETWEEN_DAYS:
            dropped[column.name] = f"daily means carry {facts.between[i]:.0%} of its variance"
        else:
            left.append(i)
    if not left:
        raise ParameterError(
            f"selection: no column left of {len(columns)}, got only absent, constant or slow ones; "
            "expected some that move within a day. Raise days or change profile."
        )
    return np.array(left, dtype=np.int64), dropped


def jaccard(first: Selection, second: Selection) -> float:
    """Common columns as a share of all that either has.

    >>> jaccard(*(Selection(c, (), (), (), 0, 0, 9, {}) for c in [("a", "b"), ("b", "c")]))
    0.3333333333333333
    """
    a, b = set(first.columns), set(second.columns)
    return len(a & b) / len(a | b)


def kuncheva(first: Selection, second: Selection) -> float:
    """Common columns beyond those of chance: 0 for two random choices, 1 for the same one.

    Chance draws from as many candidates as the larger forest saw; NaN where all are chosen.

    Source: Kuncheva (2007), A stability index for feature selection.

    >>> kuncheva(*(Selection(c, (), (), (), 0, 0, 4, {}) for c in [("a", "b"), ("b", "c")]))
    0.0
    """
    a, b = set(first.columns), set(second.columns)
    chance = len(a) * len(b) / max(first.candidates, second.candidates)
    room = min(len(a), len(b)) - chance
    return (len(a & b) - chance) / room if room > 0 else float("nan")
