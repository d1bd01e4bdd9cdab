"""A user's own files of code: imported as modules, and known by their content."""

import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from bqx.identity.imported import beside

_READ: dict[Path, bytes] = {}
"""Files beside users' own as they were when they were last imported."""


def known_by_content(path: Path) -> tuple[ModuleType, str]:
    """A user's file as a module, read once for as long as its code is the same.

    Returns
    -------
    The module, which other processes know under the same name, and the SHA-256 over its file and
    those beside it that it imports.

    Raises
    ------
    ImportError : see `module`; and whatever the file raises.
    """
    sources = _sources(path)
    code = _hash(sources)
    title = f"own_{path.stem}_{code[:16]}"
    return sys.modules.get(title) or module(path, title, sources[0]), code


def content(path: Path) -> str:
    """SHA-256 over a user's file and those beside it that it imports, none of which is run."""
    return _hash(_sources(path))


def _sources(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in beside(path)]


def _hash(sources: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\0".join(sources)).hexdigest()


def module(path: Path, title: str, source: bytes) -> ModuleType:
    """A user's file as a module of some name.

    As of a script, modules beside it can be imported, now and when something of it is first called.

    Raises
    ------
    ImportError : another module has the name of one beside it; and whatever the file raises.
    """
    near, folder = beside(path)[1:], str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    _forget_changed(near)
    spec = importlib.util.spec_from_loader(title, None, origin=str(path))
    assert spec is not None
    read = importlib.util.module_from_spec(spec)
    read.__file__ = str(path)
    # Numba, joblib and dataclasses look a function's module up by its name.
    sys.modules[title] = read
    try:
        exec(compile(source, str(path), "exec"), vars(read))
        for file in near:
            check_name(_name(file, path.parent), file)
    except BaseException:
        del sys.modules[title]
        raise
    return read


def _forget_changed(near: Sequence[Path]) -> None:
    """Have files beside a user's read again when one of them has changed since it was."""
    sources = {file: file.read_bytes() for file in near}
    if any(_READ.get(file, source) != source for file, source in sources.items()):
        for name, imported in list(sys.modules.items()):
            if _file(imported) in sources:
                del sys.modules[name]
    _READ.update(sources)
    importlib.invalidate_caches()


def check_name(name: str, file: Path) -> None:
    """Refuse a file whose module could not be imported under its name.

    Raises ImportError.
    """
    imported = sys.modules.get(name)
    if imported is not None and _file(imported) != file:
        raise ImportError(f"another module is called {name}; call {file} something else")


def _name(file: Path, folder: Path) -> str:
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _file(known: ModuleType) -> Path | None:
    path = getattr(known, "__file__", None)
    return Path(path).resolve() if path else None
