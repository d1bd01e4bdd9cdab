"""What a feature is: an output of a family's kernel over a source and a window.

Names, units, lookbacks, tables, counts and the lag grid all derive from the declaration of the
family; nothing about a feature is ever read back out of its name.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cache, cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.features.steps import Steps
from bqx.files import digest
from bqx.identity.reached import code_hash
from bqx.market.bars import Bars

Array = NDArray[np.float64]

NAME = re.compile("[a-z][a-z0-9_]{0,62}")
"""Names of features and tables, which are those of files and of a database's columns too."""

NAME_RULE = "lower-case letters, digits and underscores, a letter first, at most 63"
"""The same in words."""

FLAG = ("1", 0.0, 1.0)
"""Unit and bounds of a flag, a probability or a share."""

SIGNED = ("1", -1.0, 1.0)
"""Unit and bounds of a correlation or of a signed state."""

OPEN, HIGH, LOW, CLOSE, TICKS = range(5)
"""Columns of a source of bars."""

RATE_COLUMN, BQX_COLUMN = range(2)
"""Columns of a source of both domains."""


@dataclass(frozen=True)
class Source:
    """A series that kernels read.

    ``build(bars)`` gives (T,) or (T, C), of the last rows alone where it knows that no others are
    wanted (see ``bars.Panel``); ``lookback`` counts the bars behind one of its rows,
    that row's own bar included; ``unit`` is what ``{u}`` stands for in the units of outputs.
    ``inputs`` are features that it is made of: ``build(bars, values)`` is then given their values
    (n, len(inputs)) on the last n bars. ``series`` is what titles call it. ``reach`` counts the
    bars behind the column that looks back furthest, where that is more than ``lookback``.
    """

    key: str
    domain: str
    unit: str
    lookback: int
    build: Callable[..., Array]
    inputs: tuple["Feature", ...] = field(default=(), repr=False)
    series: str = ""
    reach: int = 0

    @cached_property
    def identity(self) -> str:
        """SHA-256 of what decides the series: its code, lookback and inputs."""
        inputs = [feature.identity for feature in self.inputs]
        return digest([self.key, self.lookback, _code(self.build, Bars), inputs])


@dataclass(frozen=True)
class Output:
    """One column of a kernel.

    ``alias`` is the name the field's documents use, with windows as ``{0}``, ``{1}``.
    ``lookback`` and ``skips`` in rows of the source, where they are not the family's.
    ``capped`` outputs search back and stop at the lookback: without its oldest bar there is no
    value, though that bar rarely decides it.
    ``spanned_by`` names the features, with ``{s}`` for the source, of which it is an exact linear
    combination: it is kept, and never selected.
    ``title`` is a short noun phrase, ``formula`` one expression, ``about`` what else is to be said;
    what is empty is the family's.
    """

    unit: str
    lo: float = -np.inf
    hi: float = np.inf
    _: KW_ONLY
    alias: str = ""
    lookback: Callable[..., int] | None = None
    spanned_by: tuple[str, ...] = ()
    about: str = ""
    capped: bool = False
    skips: Callable[..., int] | None = None
    title: str = ""
    formula: str = ""


def _largest(*window: int) -> int:
    return max(window)


def _none(*window: int) -> int:
    return 0


def read(x: Array, first_minute: int, *window: int) -> Array:
    """Columns that their source has made; lookbacks of outputs then count bars."""
    return x


@dataclass(frozen=True)
class Family:
    """A kernel ``(x, first_minute, *window) -> (T, outputs)`` over sources and windows.

    ``windows`` holds the tuples of numbers the kernel takes, ``((),)`` when it takes none.
    ``lookback(*window)`` in rows of the source defaults to the largest window; ``skips(*window)``
    counts the newest rows that are not read (a lag, a window that ends before now). The table is
    ``{table}_{idx|bqx}``, or ``table`` alone where the domain is neither.
    ``causality`` lists the windows whose features also get a column lagged by 61 rows.
    ``fit(x, first_minute)`` learns parameters (P,) from the source's training rows; the kernel of
    a family that has one takes them after the windows. They are NaN where nothing can be learnt.
    Without a NaN a value stands until the last row of a clock bucket of ``bucket(*window)`` rows.
    ``pool(parts, rows, reach)`` learns them once for all pairs instead: from (n, C) of the source a
    pair, at the same n rows of the grid, each of which looks ``reach`` bars back.
    """

    name: str
    table: str
    kernel: Callable[..., Array]
    outputs: Mapping[str, Output]
    windows: tuple[tuple[int, ...], ...]
    sources: tuple[Source, ...]
    about: str
    lookback: Callable[..., int] = _largest
    skips: Callable[..., int] = _none
    laggable: bool = True
    causality: tuple[tuple[int, ...], ...] = ()
    fit: Callable[[Array, int], Array] | None = None
    pool: Callable[[Sequence[Array], NDArray[np.int64], int], Array] | None = None
    steps: Steps | None = None
    bucket: Callable[..., int] | None = None
    abreast: Callable[[Array], Array] | None = None
    title: str = ""
    formula: str = ""

    def features(self) -> tuple["Feature", ...]:
        """All features of the family, in the order source, window, output."""
        return tuple(
            Feature(self, source, window, name)
            for source, window, name in product(self.sources, self.windows, self.outputs)
        )


_TABLES = {"rate": "_idx", "bqx": "_bqx"}


@dataclass(frozen=True)
class Feature:
    """One column of the catalog; everything about it derives from its family."""

    family: Family = field(repr=False)
    source: Source = field(repr=False)
    window: tuple[int, ...]
    output: str
    name: str = field(init=False)

    def __post_init__(self) -> None:
        suffix = "w" + "_".join(map(str, self.window)) if self.window else ""
        words = (self.source.key, self.family.name, self.output, suffix)
        object.__setattr__(self, "name", "_".join(filter(None, words)))

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Feature) and other.name == self.name

    @property
    def spec(self) -> Output:
        """The output's declaration."""
        return self.family.outputs[self.output]

    @property
    def alias(self) -> str:
        """Name in the field's documents, empty where they have none."""
        return self.spec.alias.format(*self.window)

    @property
    def title(self) -> str:
        """Short noun phrase that says what it is."""
        title = self.spec.title or self.family.title
        return title.format(*self.window, x=self.source.series)

    @property
    def formula(self) -> str:
        """One expression that says how it is computed, see ``notation.NOTATION``."""
        formula = self.spec.formula or self.family.formula
        return formula.format(*self.window, x=self.source.series)

    @property
    def domain(self) -> str:
        """``rate``, ``bqx``, ``cross``, ``clock`` or ``learned``."""
        return self.source.domain

    @property
    def table(self) -> str:
        """Family table in stores, without the pair."""
        return self.family.table + _TABLES.get(self.domain, "")

    @property
    def unit(self) -> str:
        """Unit of the values; ``pt`` is a point of the rate index, ``1`` a pure number."""
        return self.spec.unit.format(u=self.source.unit)

    @property
    def lookback(self) -> int:
        """Bars that reproduce a value, the current one included; 0 for clock features."""
        if not self.source.lookback:
            return 0
        rows = (self.spec.lookback or self.family.lookback)(*self.window)
        return self.source.lookback - 1 + int(rows)

    @property
    def skips(self) -> int:
        """Newest bars that it does not read."""
        return int((self.spec.skips or self.family.skips)(*self.window))

    @property
    def lo(self) -> float:
        """Smallest possible value."""
        return self.spec.lo

    @property
    def hi(self) -> float:
        """Largest possible value."""
        return self.spec.hi

    @property
    def laggable(self) -> bool:
        """Whether the lag grid holds earlier values of it."""
        return self.family.laggable

    @property
    def causality_lag(self) -> bool:
        """Whether it also gets a column lagged by 61 rows."""
        return self.window in self.family.causality

    @property
    def fit_key(self) -> str:
        """What its parameters are called among fits, empty for a feature that needs none."""
        fitted = self.family.fit or self.family.pool
        return f"{self.source.key}_{self.family.name}" if fitted else ""

    @property
    def spanned_by(self) -> tuple[str, ...]:
        """Features of which this one is an exact linear combination."""
        return tuple(name.format(*self.window, s=self.source.key) for name in self.spec.spanned_by)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of what decides the values: the declaration without prose, and all code behind.

        Two features of one identity have the same values on the same bars; descriptions, aliases,
        units and the other features of the catalog are no part of it.
        """
        family = self.family
        place = [family.name, self.output, list(family.outputs).index(self.output), self.window]
        code = _code(*filter(None, (family.kernel, family.fit, family.pool)))
        return digest([self.name, self.source.identity, place, self.lookback, self.skips, code])

    def row(self) -> dict[str, Any]:
        """The feature as a row of the catalog table."""
        return {
            "name": self.name,
            "alias": self.alias,
            "title": self.title,
            "formula": self.formula,
            "domain": self.domain,
            "table": self.table,
            "unit": self.unit,
            "lookback": self.lookback,
            "laggable": self.laggable,
            "lo": self.lo if np.isfinite(self.lo) else None,
            "hi": self.hi if np.isfinite(self.hi) else None,
            "spanned_by": " ".join(self.spanned_by),
            "about": self.spec.about or self.family.about,
        }


@cache
def _code(*functions: Callable[..., Any]) -> str:
    return code_hash(*functions)


def unfolded(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """Features, each once, behind the inputs that their sources are made of."""
    chains = ((*feature.source.inputs, feature) for feature in features)
    return tuple(dict.fromkeys(feature for chain in chains for feature in chain))
