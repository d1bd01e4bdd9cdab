"""Which columns a cell means: names, patterns, profiles, or features of one's own."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pandas as pd

from bqx.errors import ParameterError
from bqx.features import catalog, documents, lags
from bqx.features.lags import Column
from bqx.features.spec import Family, Feature

Wanted = str | Feature | Family | Column


def columns_of(wanted: Iterable[Wanted]) -> tuple[Column, ...]:
    """Columns in the order in which they are wanted, each once.

    Parameters
    ----------
    wanted : names or patterns such as ``rate_bollinger_*`` over the catalog, with ``_lag60`` for
        earlier values; ``core`` or another profile; features and families of one's own.

    Raises
    ------
    ParameterError : nothing is wanted, something that no column is called by, or a family of one's
        own whose feature has the name of another.
    """
    columns: dict[str, Column] = {}
    for column in (column for item in wanted for column in _columns(item)):
        feature = column.feature
        other = columns.setdefault(column.name, column).feature
        for known in (other, catalog.FEATURES.get(feature.name, other)):
            if known.family is not feature.family:
                raise ParameterError(
                    f"features: two have one name, got {feature.name} of {feature.family.kernel} "
                    f"beside that of {known.family.kernel}; expected different ones. Rename the "
                    "family."
                )
    if not columns:
        raise ParameterError(
            "features: none is named, got nothing; expected names or patterns such as rate_rsi_*, "
            "or core for those of a run."
        )
    return tuple(columns.values())


def _columns(wanted: Wanted) -> Iterator[Column]:
    if isinstance(wanted, Column):
        yield wanted
    elif isinstance(wanted, Feature):
        yield Column(wanted)
    elif isinstance(wanted, Family):
        yield from map(Column, wanted.features())
    elif not isinstance(wanted, str):
        raise ParameterError(
            f"features: no name, got {wanted!r:.60}; expected names and patterns one after the "
            "other, features or families. Write study.features(*names) for those of a list."
        )
    elif wanted in documents.NAMES:
        yield from map(Column, catalog.profile(wanted))
    else:
        yield from _matching(wanted)


def _matching(pattern: str) -> Iterator[Column]:
    names = _grid() if "_lag" in pattern else _now()
    matches = [name for name in names if fnmatchcase(name, pattern)]
    if not matches:
        near = get_close_matches(pattern, names, 3, 0.4)
        raise ParameterError(
            f"features: no column is called {pattern!r}; expected a name or a pattern of the "
            f"catalog, such as {', '.join(near) or 'rate_rsi_*'}. `bqx catalog` lists all."
        )
    yield from (names[name] for name in matches)


@cache
def _now() -> dict[str, Column]:
    return {name: Column(feature) for name, feature in catalog.FEATURES.items()}


@cache
def _grid() -> dict[str, Column]:
    return {column.name: column for column in lags.grid(tuple(catalog.FEATURES.values()))}


def described(frame: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """The frame with the unit, title and formula of each of its columns in ``attrs``."""
    frame.attrs["columns"] = {column.name: _about(column) for column in columns}
    return frame


def _about(column: Column) -> dict[str, Any]:
    feature = column.feature
    return {
        "title": feature.title + (f", {column.lag} minutes earlier" if column.lag else ""),
        "formula": feature.formula,
        "unit": feature.unit,
        "lookback": column.lookback,
    }
