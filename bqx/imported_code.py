"""What code a module's work can depend on: a hash over it and every module that it imports."""

import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache

from bqx import code_text


def module_hash(name: str) -> str:
    """SHA-256 over a module and all modules of its package and of bqx that it imports.

    Code alone counts, prose does not; of a module that is imported all of it does. Nothing is
    imported to find out.
    """
    tops = (code_text.PACKAGE, name.partition(".")[0])
    waiting, texts = [name], dict[str, str]()
    while waiting:
        module = waiting.pop()
        if module in texts or module.partition(".")[0] not in tops:
            continue
        path = _path(module)
        if path.endswith(".py"):
            texts[module], imports = code_text.module(path)
            package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
            waiting += [*_parents(module), *_imported(imports, package)]
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()


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
