"""Features that a user brings: their module, and a first try of their kernels."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BqxError, ParameterError
from bqx.features import catalog
from bqx.features.spec import Family, Feature
from bqx.market.bars import Bars

Array = NDArray[np.float64]


def try_kernels(bars: Bars, features: Sequence[Feature], fits: Mapping[str, Array]) -> None:
    """Compute a few rows of each kernel.

    Raises ParameterError for one that fails, or does not give (T, outputs).
    """
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


def loaded() -> dict[str, Path]:
    """Modules that were read from a file by its path, for `load` in another process."""
    return dict(_FILES)


def load(files: Mapping[str, Path]) -> None:
    """Read modules that another process has read from files."""
    for path in files.values():
        _of_file(path)


_FILES: dict[str, Path] = {}


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
    _FILES[path.stem] = path.resolve()
    return module
