"""Lagged columns are shifts, never stored: a column is a feature some rows earlier.

The grid of columns spans the laggable features and the lags. A causality column reads bars up to
61 rows back and nothing newer; in the strict grid it replaces the unlagged column.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.features import catalog
from bqx.features.documents import Plan, plan_of
from bqx.features.engine.compute import compute
from bqx.features.engine.fitting import Fits
from bqx.features.spec import Feature
from bqx.market.bars import Bars
from bqx.params import Params

LAGS = (60, 120, 180, 240)
"""Default lags, rows."""

CAUSALITY_LAG = 61
"""Rows between a forecast and the newest bar that a causality column reads."""

BLOCK = 20_160
"""Rows whose features are held at a time, two weeks and a half of the grid."""


@dataclass(frozen=True)
class Column:
    """A feature, ``lag`` rows earlier; ``suffix`` ends its name."""

    feature: Feature
    lag: int = 0
    suffix: str = ""

    def __reduce__(self) -> tuple[Callable[..., "Column"], tuple[Any, ...]]:
        # Another process finds a feature of the catalog by name: a compiled kernel that travels is
        # compiled again when it arrives.
        known = catalog.FEATURES.get(self.feature.name)
        if known is None or known.family is not self.feature.family:
            return Column, (self.feature, self.lag, self.suffix)
        return _column, (self.feature.name, self.lag, self.suffix, catalog.adopted())

    @property
    def name(self) -> str:
        """Name of the feature with the suffix of the lag."""
        return self.feature.name + self.suffix

    @property
    def domain(self) -> str:
        """Domain of the feature."""
        return self.feature.domain

    @property
    def lookback(self) -> int:
        """Bars that reproduce a value, from the forecast's own bar back."""
        return self.feature.lookback + self.lag


def _column(name: str, lag: int, suffix: str, own: tuple[str, ...]) -> Column:
    catalog.adopt(own)
    return Column(catalog.FEATURES[name], lag, suffix)


def grid(
    features: Sequence[Feature],
    lags: Sequence[int] = LAGS,
    strict61: bool = False,
    plan: Plan | None = None,
) -> tuple[Column, ...]:
    """All columns of some features: each one now, at every lag, and 61 rows earlier.

    Features that are not laggable have the first column only; features under the 61-minute rule
    have the last one too, and with ``strict61`` not the first. Without lags there is no lagged
    column but those of ``strict61``. ``plan`` says which those are,
    where it is not the features themselves; what it puts under the rule beyond ``features`` has
    the last column alone, at the end.
    """
    plan = plan or plan_of(features)
    ruled = dict.fromkeys(plan.causality if lags or strict61 else ())
    columns: list[Column] = []
    for feature in features:
        if not (strict61 and feature in ruled):
            columns.append(Column(feature))
        if feature in ruled:
            columns.append(_causal(feature))
        if feature in plan.laggable:
            columns.extend(Column(feature, lag, f"_lag{lag}") for lag in lags)
    inside = set(features)
    return (*columns, *(_causal(feature) for feature in ruled if feature not in inside))


def candidates(
    profile: str,
    lags: Sequence[int],
    strict61: bool,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> tuple[Column, ...]:
    """All columns of a profile, lagged as its document says, or as its features declare.

    Parameters
    ----------
    include, exclude : families, tables or patterns of names, of the whole catalog, that join the
        profile's columns, and that are left out of all of them.

    Raises ParameterError for a name that no feature has, and where no column is left.
    """
    added, left_out = (
        {feature for name in names for feature in _called(name, key)}
        for key, names in (("include", include), ("exclude", exclude))
    )
    columns = grid(catalog.profile(profile), lags, strict61, catalog.plan(profile))
    inside = {column.feature for column in columns}
    new = [f for f in catalog.FEATURES.values() if f in added and f not in inside]
    columns = (*columns, *(grid(new, lags, strict61) if new else ()))
    wanted = tuple(column for column in columns if column.feature not in left_out)
    if not wanted:
        raise ParameterError(
            f"exclude: leaves no column, got {', '.join(exclude)}; expected some of profile "
            f"{profile} to stay. Exclude less."
        )
    return wanted


def candidates_of(params: Params) -> tuple[Column, ...]:
    """Columns that a run's parameters name, see `candidates`; models choose among them."""
    return candidates(
        params.profile,
        params.lags,
        params.strict61,
        include=params.include,
        exclude=params.exclude,
    )


def _called(name: str, key: str) -> list[Feature]:
    """Features of a family, of a table, or with a name of a pattern."""
    features = catalog.FEATURES.values()
    matches = [
        feature
        for feature in features
        if name in (feature.family.name, feature.table) or fnmatchcase(feature.name, name)
    ]
    if not matches:
        names = {word for feature in features for word in (feature.family.name, feature.table)}
        near = get_close_matches(name, sorted(names), 1)
        raise ParameterError(
            f"{key}: no feature is called so, got {name!r}; expected a family, a table or a "
            f"pattern of names that `bqx catalog` lists."
            + (f" Did you mean {near[0]!r}?" if near else "")
        )
    return matches


def _causal(feature: Feature) -> Column:
    return Column(feature, CAUSALITY_LAG, f"_causality_lag{CAUSALITY_LAG}")


def steps(columns: Sequence[Column], count: int, spacing: int) -> tuple[Column, ...]:
    """Columns at ``count`` times ``spacing`` rows apart, the oldest first, the last one now.

    >>> line = Column(catalog.FEATURES["rate_quadratic_r2_w15"])
    >>> [(column.lag, column.suffix) for column in steps([line], 3, 5)]
    [(10, '_step10'), (5, '_step5'), (0, '_step0')]
    """
    return tuple(
        Column(column.feature, column.lag + back, f"{column.suffix}_step{back}")
        for back in range((count - 1) * spacing, -1, -spacing)
        for column in columns
    )


def place(
    values: Sequence[NDArray[np.floating]],
    first: int,
    features: Sequence[Feature],
    columns: Sequence[tuple[int, Column]],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Put what a stretch of features holds of some columns where it belongs in a matrix.

    Parameters
    ----------
    values : (T,) of each feature, from row ``first`` on.
    columns : where each stands in the matrix, and the column; all of these features.
    rows : (n,) of the matrix, ascending.
    out : (n, C); where a lag reaches out of the stretch, nothing is changed.
    """
    of = dict(zip(features, values, strict=True))
    by_lag: dict[int, list[tuple[int, Feature]]] = {}
    for i, column in columns:
        by_lag.setdefault(column.lag, []).append((i, column.feature))
    for lag, members in by_lag.items():
        below = first + lag
        start, stop = np.searchsorted(rows, (below, below + len(values[0])))
        source = rows[start:stop] - below
        for i, feature in members:
            out[start:stop, i] = of[feature].take(source)


def read(
    values: NDArray[np.floating],
    features: Sequence[Feature],
    columns: Sequence[Column],
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Columns at some ascending rows: (n, C); NaN where a lag reaches behind row 0.

    Parameters
    ----------
    values : (T, F) values of ``features``, one column each.
    rows : (n,) rows of ``values``.
    """
    out = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
    place(list(values.T), 0, features, list(enumerate(columns)), rows, out)
    return out


def fill(
    bars: Bars,
    columns: Sequence[tuple[int, Column]],
    rows: NDArray[np.int64],
    out: NDArray[np.float32],
    fits: Fits | None = None,
    block: int = BLOCK,
) -> None:
    """Compute columns where they belong in a matrix, see `matrix` and `place`."""
    learnt = fits.parameters if fits else None
    features = tuple(dict.fromkeys(column.feature for _, column in columns))
    reach = max((column.lookback for _, column in columns), default=0)
    at = 0
    while at < len(rows):
        stop = int(np.searchsorted(rows, rows[at] + block))
        first = max(int(rows[at]) - reach, 0)
        part = bars.rows(first, int(rows[stop - 1]) + 1)
        values = compute(part, features, fits=learnt)
        place(list(values.T), first, features, columns, rows[at:stop], out[at:stop])
        at = stop


def matrix(
    bars: Bars,
    columns: Sequence[Column],
    rows: NDArray[np.int64],
    fits: Fits | None = None,
    block: int = BLOCK,
) -> NDArray[np.float32]:
    """Columns at some ascending rows of the bars: (n, C), computed block by block.

    Only ``block`` rows of features and their lookback are held at a time. The values do not
    depend on ``block``, nor on bars more than a column's lookback old. ``fits`` holds what the
    fitted families among the columns have learnt.
    """
    out = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
    fill(bars, list(enumerate(columns)), rows, out, fits, block)
    return out
