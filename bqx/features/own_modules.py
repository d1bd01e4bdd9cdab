"""Modules in which users declare features of their own, read from files."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from bqx.errors import ParameterError
from bqx.features.spec import NAME, NAME_RULE, Family
from bqx.identity import own_code

_FILES: dict[str, Path] = {}


def families(name: str) -> tuple[Family, ...]:
    """Families that a module declares as ``FAMILIES``.

    ``name`` : a module that can be imported from here, or the path of a ``.py`` file.

    Raises
    ------
    ParameterError : no such module, one that fails on import, one without families, or a name
        that no file and no column can have.
    """
    try:
        module = _of_file(Path(name)) if name.endswith(".py") else _imported(name)
    except Exception as error:
        raise ParameterError(
            f"features: cannot be imported, got {name!r} ({type(error).__name__}: {error}); "
            "expected a module or a .py file. Correct the name or the module."
        ) from error
    declared = getattr(module, "FAMILIES", None)
    listed = declared if isinstance(declared, tuple | list) else ()
    if not (listed and all(isinstance(family, Family) for family in listed)):
        raise ParameterError(
            f"features: no families, got {type(declared).__name__} for FAMILIES of {name!r}; "
            "expected a tuple of bqx.features.spec.Family. Declare it in the module."
        )
    for family in listed:
        _check_names(family, name)
    return tuple(listed)


def _check_names(family: Family, where: str) -> None:
    features = family.features()
    names = [("feature", f.name) for f in features] + [("table", f.table) for f in features]
    for kind, name in names:
        if not NAME.fullmatch(name):
            raise ParameterError(
                f"features: no name of a {kind}, got {name!r} of family {family.name!r}; expected "
                f"{NAME_RULE}. Rename it in {where}."
            )


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


def _of_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(path)
    if path.stem not in _FILES:
        own_code.check_name(path.stem, path)
    module = own_code.module(path, path.stem, path.read_bytes())
    _FILES[path.stem] = path
    return module
