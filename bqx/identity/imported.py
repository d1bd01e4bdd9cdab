"""What code a module's work can depend on: a hash over it and every module that it imports."""

import hashlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from bqx.identity import code_text

_ROOT = Path(code_text.__file__).parents[2]

_NAMED = re.compile(rf"str '({code_text.PACKAGE}(?:\.\w+)+)'")
"""A module that a text names in a string."""


@cache
def module_hash(*names: str) -> str:
    """SHA-256 over modules of the package and all modules of it that they import.

    Code alone counts, prose does not; of a module that is imported all of it does. Nothing is
    imported to find out: a module that looks for others by name has all of the packages it names.
    """
    waiting, texts = [*names], dict[str, str]()
    while waiting:
        module = waiting.pop()
        if module in texts or module.partition(".")[0] != code_text.PACKAGE:
            continue
        path = _path(module)
        if path.endswith(".py"):
            texts[module], imports = code_text.module(path)
            package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
            names_of = [*_imported(imports, package), *_NAMED.findall(texts[module])]
            waiting += [*_parents(module), *names_of]
            if "import_module" in texts[module]:
                # It looks for modules itself: in the packages that it names.
                waiting += [found for name in names_of for found in _below(name)]
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()


def imports_of(source: str) -> tuple[str, ...]:
    """Modules, and what may be modules, that some source imports, such as a notebook's cells."""
    return tuple(dict.fromkeys(_imported(code_text.imports(code_text.parse(source)), "")))


def beside(file: Path) -> tuple[Path, ...]:
    """A file of a user's own code and the files beside it that it imports, each once.

    What is absent is no file, and what is no Python imports nothing.
    """
    found, waiting = dict[Path, None](), [file]
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found[path] = None
        for module, name in code_text.module(str(path))[1]:
            parts = [part for part in f"{module}.{name}".split(".") if part]
            if parts[0] != code_text.PACKAGE:
                folders = (file.parent, path.parent) if module.startswith(".") else (file.parent,)
                waiting += [near for folder in folders for near in _along(folder, parts)]
    return tuple(found)


def _along(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    """What may be the files of a dotted name in a folder."""
    for part in parts:
        folder /= part
        yield folder.with_name(f"{part}.py")
        yield folder / "__init__.py"


def absolute(module: str, package: str) -> str:
    """A module's full name, where relative names begin with dots."""
    return importlib.util.resolve_name(module, package) if module.startswith(".") else module


@cache
def _below(package: str) -> tuple[str, ...]:
    """Modules inside a package, however deep; none where it is no package."""
    path = Path(_path(package))
    if path.name != "__init__.py" or "." not in package:
        return ()
    files = (file.relative_to(path.parent).with_suffix("") for file in path.parent.rglob("*.py"))
    return tuple(f"{package}.{'.'.join(file.parts)}" for file in files if file.stem != "__init__")


def _parents(module: str) -> Iterator[str]:
    while module := module.rpartition(".")[0]:
        yield module


def _imported(imports: tuple[tuple[str, str], ...], package: str) -> Iterator[str]:
    for imported, name in imports:
        base = absolute(imported, package)
        yield base
        if name and name != "*":
            yield f"{base}.{name}"


@cache
def _path(module: str) -> str:
    """A module's source file, empty where there is no such module."""
    place = _ROOT.joinpath(*module.split("."))
    files = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((str(file) for file in files if file.is_file()), "")
