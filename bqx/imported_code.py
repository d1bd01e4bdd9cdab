"""What code a module's work can depend on: a hash over it and every module that it imports."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache

from bqx import code_text


@cache
def module_hash(*names: str) -> str:
    """SHA-256 over modules of the package and all modules of it that they import.

    Code alone counts, prose does not; of a module that is imported all of it does. Nothing is
    imported to find out.
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
            waiting += [*_parents(module), *_imported(imports, package)]
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()


def imports_of(source: str) -> tuple[str, ...]:
    """Modules, and what may be modules, that some source imports, such as a notebook's cells."""
    return tuple(dict.fromkeys(_imported(code_text.imports(ast.parse(source)), "")))


def absolute(module: str, package: str) -> str:
    """A module's full name, where relative names begin with dots."""
    return importlib.util.resolve_name(module, package) if module.startswith(".") else module


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
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return ""
    return str(spec.origin) if spec and spec.origin else ""
