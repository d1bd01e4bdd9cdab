"""The certificate: the checks over many cuts of the user's own bars and features."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from tqdm import tqdm

from bqx.causality import checks, tightness
from bqx.causality.checks import Array, Broken, Leak, Rows
from bqx.errors import BqxError, ParameterError
from bqx.features import catalog
from bqx.features.engine import fitting
from bqx.features.engine.compute import warm_up
from bqx.features.spec import Family, Feature
from bqx.market.bars import Bars

CUTS = 200

FITTED_ROWS = 10_000
"""First rows on which fitted families learn; what they have learnt is then frozen."""


@dataclass(frozen=True)
class Certificate:
    """What the checks found.

    ``features``, ``cuts`` : how many. ``leaks`` : values that changed when later bars did.
    ``insufficient`` : features whose last ``lookback`` bars do not reproduce them. ``loose`` :
    lookbacks that are padded and newest bars that are not felt. ``silent`` : features without a
    value at any cut, of which nothing is known.
    """

    features: int
    cuts: int
    leaks: tuple[Leak, ...]
    insufficient: Broken
    loose: Broken
    silent: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether no feature reads later bars, or more of the earlier ones than it says."""
        return not (self.leaks or self.insufficient)

    @property
    def verdict(self) -> str:
        """One line when clean, else the offending features, one a line."""
        if self.clean:
            return f"0 of {self.features} features changed over {self.cuts} cuts"
        lines = {name: f"{name}: {why}" for name, why in self.insufficient.items()}
        return "\n".join((lines | {leak.feature: str(leak) for leak in self.leaks}).values())

    def report(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {"clean": self.clean, "verdict": self.verdict} | asdict(self)


def certify(
    bars: Mapping[str, Bars],
    features: Sequence[Feature],
    cuts: int = CUTS,
    tries: int = 16,
    seed: int = 0,
) -> Certificate:
    """Try causality, sufficiency and tightness, with a progress bar.

    Parameters
    ----------
    bars : of pairs on one grid with their panel, see `bars.align`; pairs take turns.
    features : to be tried, all of them at every cut.
    cuts : rows to cut at; at every fourth a hole ends.
    tries : rows at which sufficiency is tried, and at most each of the others.

    Raises
    ------
    ParameterError : no features or cuts; a kernel that fails, or does not give (T, outputs).
    BarError : fewer than three rows.
    """
    first, one = next(iter(bars.items()))
    if not features or cuts < 1 or len(one) < 3:
        raise ParameterError(
            f"certify: nothing to try, got {len(features)} features, {cuts} cuts and "
            f"{len(one)} rows; expected at least 1, 1 and 3. Give more."
        )
    rows = checks.cuts(one, cuts, min(warm_up(features), len(one) // 2), seed)
    fits = _fits(bars, features)
    _try_kernels(one, features, fits[first])
    try:
        return _try_all(bars, features, rows, fits, tries, seed)
    except BqxError:
        raise
    except Exception as error:
        raise ParameterError(
            f"certify: a kernel fails on altered bars, got {type(error).__name__}: {error}; "
            "expected values or NaN whatever the bars are. Mend the kernel."
        ) from error


def _try_all(
    bars: Mapping[str, Bars],
    features: Sequence[Feature],
    cuts: Rows,
    fits: Mapping[str, Mapping[str, Array]],
    tries: int,
    seed: int,
) -> Certificate:
    pairs = list(bars)
    length = len(bars[pairs[0]])
    leaks: dict[str, Leak] = {}
    spoke: set[str] = set()
    insufficient: Broken = {}
    loose: Broken = {}
    late = np.arange(min(warm_up(features), length - 1), length)
    with tqdm(total=len(cuts) + tries + 2, desc="causality", unit="cut") as bar:
        for i, cut in enumerate(map(int, cuts)):
            pair = pairs[i % len(pairs)]
            trial = checks.at_cut(features, bars[pair], cut, fits[pair], checks.hole(i), seed)
            leaks = checks.merged(leaks, trial.leaks)
            spoke |= trial.spoke
            bar.update()
        bar.set_description("sufficiency")
        for i, row in enumerate(map(int, np.random.default_rng(seed).choice(late, tries))):
            pair = pairs[i % len(pairs)]
            insufficient |= checks.insufficient_at(features, bars[pair], row, fits[pair])
            bar.update()
        bar.set_description("tightness")
        heard = [feature for feature in features if feature.name in spoke]
        for check in (tightness.blind, tightness.padded):
            loose |= check(heard, bars[pairs[0]], tries, fits[pairs[0]], seed)
            bar.update()
    names = [feature.name for feature in features]
    found = tuple(leaks[name] for name in names if name in leaks)
    silent = tuple(name for name in names if name not in spoke)
    return Certificate(len(names), len(cuts), found, insufficient, loose, silent)


def _fits(
    bars: Mapping[str, Bars], features: Sequence[Feature]
) -> Mapping[str, Mapping[str, Array]]:
    if not any(feature.fit_key for feature in features):
        return {pair: {} for pair in bars}
    rows = np.arange(min(min(map(len, bars.values())), FITTED_ROWS))
    shared = fitting.pool(bars, features, rows)
    return {
        pair: fitting.fit(each, features, rows).beside(shared).parameters
        for pair, each in bars.items()
    }


def _try_kernels(bars: Bars, features: Sequence[Feature], fits: Mapping[str, Array]) -> None:
    # Kernels of others are tried one by one first, so that an error names its feature.
    for feature in {(id(f.family), f.source.key, f.window): f for f in features}.values():
        learnt = (fits[feature.fit_key],) if feature.fit_key else ()
        for rows in {min(len(bars), 100), min(len(bars), max(feature.lookback, 1))}:
            _try_kernel(bars.rows(0, rows), feature, learnt)


def _try_kernel(bars: Bars, feature: Feature, learnt: tuple[Array, ...]) -> None:
    rows, columns = len(bars), len(feature.family.outputs)
    try:
        if feature.source.inputs:
            return  # of the catalog's own kind, whose kernels are tried by the cuts
        x = np.ascontiguousarray(feature.source.build(bars))
        made = feature.family.kernel(x, bars.first_market_minute, *feature.window, *learnt)
    except BqxError:
        raise
    except Exception as error:
        raise ParameterError(
            f"{feature.name}: its kernel fails on {rows} rows, got {type(error).__name__}: "
            f"{error}; expected values or NaN. Mend the kernel or its source."
        ) from error
    is_table = isinstance(made, np.ndarray) and made.ndim == 2 and made.dtype == np.float64
    if not is_table or len(made) != rows or made.shape[1] < columns:
        got = f"{getattr(made, 'dtype', type(made).__name__)} {getattr(made, 'shape', '')}"
        raise ParameterError(
            f"{feature.name}: its kernel gives another shape, got {got}; expected float64 "
            f"({rows}, {columns}): a row a bar, a column an output. Mend the kernel."
        )


def of_module(name: str) -> tuple[Feature, ...]:
    """Features of the families in a module's ``FAMILIES``.

    ``name`` : a module that can be imported from here, or the path of a ``.py`` file.

    Raises
    ------
    ParameterError : no such module, one that fails on import, or one without families.
    """
    try:
        module = _of_file(Path(name)) if name.endswith(".py") else _imported(name)
    except Exception as error:
        raise ParameterError(
            f"--features: cannot be imported, got {name!r} ({type(error).__name__}: {error}); "
            "expected a module or a .py file. Correct the name or the module."
        ) from error
    families = getattr(module, "FAMILIES", None)
    listed = families if isinstance(families, tuple | list) else ()
    if not (listed and all(isinstance(family, Family) for family in listed)):
        raise ParameterError(
            f"--features: no families, got {type(families).__name__} for FAMILIES of {name!r}; "
            "expected a tuple of bqx.features.spec.Family. Declare it in the module."
        )
    return tuple(catalog.join(listed).values())


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(here)


def _of_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    # Numba and joblib look a function's module up by its name.
    sys.modules[path.stem] = module
    # As of a script, modules beside it can be imported, now and when a kernel is first called.
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.append(beside)
    spec.loader.exec_module(module)
    return module
