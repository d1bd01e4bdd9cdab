"""What code decides a value: a hash over a function and all that it calls, prose left out.

Two functions have the same hash when their code, that of everything they call and the constants
they read are the same, each under the same name: comments, docstrings, annotations, the names of
modules and the place in a file do not count. The standard library and installed packages count by
name alone. What is called on an argument is followed only where an annotation names its class.
"""

import builtins
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache, cached_property, partial
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from bqx.identity import code_text
from bqx.identity.imported import absolute, module_hash

_PLAIN = (int, float, complex, str, bytes, type(None), type(...), slice, range, np.generic)
_SEES_ALL = {"globals", "eval", "exec", "vars", "__import__"}
"""Builtins through which a function reads any name of its module."""


def code_hash(*roots: Any) -> str:
    """SHA-256 over the code that functions, classes or compiled kernels reach, hexadecimal.

    An object with a property ``identity`` counts by its value.

    >>> code_hash(code_hash) == code_hash(code_hash) != code_hash(_names)
    True
    """
    reached = _Reached(roots)
    records = [reached.token(root) for root in roots]
    # A record may reach more values, which join the list while it is read.
    records += [reached.record(value) for value in reached.values]
    return hashlib.sha256(repr(records).encode()).hexdigest()


class _Reached:
    """The values that roots reach, numbered in the order in which they are met."""

    def __init__(self, roots: tuple[Any, ...]) -> None:
        self.values: list[Any] = []
        self._numbers: dict[int, int] = {}
        modules = (str(getattr(root, "__module__", "")) for root in roots)
        self._tops = {code_text.PACKAGE, "__main__", *(m.partition(".")[0] for m in modules)}

    def token(self, value: Any) -> str:
        """A value's text where it is plain, else its number."""
        value = _bare(value)
        if isinstance(value, _PLAIN) and not isinstance(value, type):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, np.ndarray) and value.dtype != object:
            content = np.ascontiguousarray(value)
            return f"{value.dtype} {value.shape} {hashlib.sha256(content.tobytes()).hexdigest()}"
        if isinstance(value, MethodType):
            return f"method({self.token(value.__func__)}, {self.token(value.__self__)})"
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self.values)
            self.values.append(value)
        return f"#{self._numbers[id(value)]}"

    def record(self, value: Any) -> str:
        """What tells a value apart: its text, and the tokens of what it refers to."""
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, ModuleType):
            return self._module(value.__name__)
        if isinstance(value, partial):
            return f"partial {self._tokens((value.func, value.args, value.keywords))}"
        if isinstance(getattr(type(value), "identity", None), property | cached_property):
            return f"identity {value.identity}"
        if isinstance(value, Mapping):
            return f"mapping {[(self.token(k), self.token(item)) for k, item in value.items()]}"
        if isinstance(value, list | tuple):
            return f"list {self._tokens(value)}"
        if isinstance(value, set | frozenset):
            # Their order differs from process to process.
            return f"set {sorted(code_hash(item) for item in value)}"
        return self._instance(value)

    def _tokens(self, values: Any) -> list[str]:
        return [self.token(value) for value in values]

    def _counts(self, module: str, path: str = "") -> bool:
        """Whether code counts: the package's, that of the roots' packages, or a user's."""
        if module.partition(".")[0] in self._tops:
            return True
        path = path or str(getattr(sys.modules.get(module), "__file__", None) or "")
        return bool(path) and not code_text.is_installed(path)

    def _function(self, function: FunctionType) -> str:
        code, cells = function.__code__, dict(_cells(function))
        if not self._counts(function.__module__ or "", code.co_filename):
            # Such as a wrapper from a library around a function of the user's.
            inner = [value for value in cells.values() if self._is_own(value)]
            return f"{function.__module__}.{function.__qualname__} {self._tokens(inner)}"
        definition = code_text.definition(code)
        names = _names(code)
        chains = definition.chains if definition else tuple((name,) for name in names)
        imports = definition.imports if definition else ()
        read: list[Any] = [(name, self.token(value)) for name, value in sorted(cells.items())]
        for chain in chains:
            if chain[0] in names and chain[0] in function.__globals__:
                read.append((chain, self._end(function.__globals__[chain[0]], chain[1:])))
        if _SEES_ALL & set(names):
            read.append(self._module(function.__module__))
        package = str(function.__globals__.get("__package__") or "")
        read += [self._imported(absolute(module, package), name) for module, name in imports]
        defaults = (function.__defaults__ or (), function.__kwdefaults__ or {})
        annotated = [self.token(kind) for kind in _annotated(function) if self._is_own(kind)]
        text = definition.text if definition else code_text.bytecode(code)
        return repr((text, read, self._tokens(defaults), annotated))

    def _end(self, value: Any, names: tuple[str, ...]) -> str:
        """Token of what a dotted name stands for, as far as it leads through modules."""
        module = ""
        while isinstance(value, ModuleType) and names and hasattr(value, names[0]):
            module, value, names = value.__name__, getattr(value, names[0]), names[1:]
        state = isinstance(value, Mapping | list | set | MethodType)
        if state and module and not self._counts(module):
            # Such as sys.modules: depends on what else was imported, or is patched.
            return f"{module} {type(value).__name__}"
        if isinstance(value, ModuleType) and not self._counts(value.__name__):
            return value.__name__
        return self.token(value)

    def _is_own(self, value: Any) -> bool:
        value = _bare(value)
        if isinstance(value, Mapping):
            return any(map(self._is_own, value.values()))
        if isinstance(value, FunctionType):
            path = value.__code__.co_filename
            return self._counts(value.__module__ or "", path) or "__wrapped__" in vars(value)
        return isinstance(value, partial) or (
            isinstance(value, type) and self._counts(value.__module__)
        )

    def _module(self, name: str) -> str:
        path = str(getattr(sys.modules.get(name), "__file__", None) or "")
        own = code_text.module(path)[0] if path.endswith(".py") else ""
        return f"{module_hash(name)} {own}" if self._counts(name) else name

    def _imported(self, module: str, name: str) -> str:
        # Not imported to look: what a fit needs may take seconds, or not be installed.
        spec = importlib.util.find_spec(top) if (top := module.partition(".")[0]) else None
        if not self._counts(module, str(spec.origin or "") if spec else ""):
            return module
        return module_hash(module) + module_hash(f"{module}.{name}")

    def _class(self, kind: type) -> str:
        if not self._counts(kind.__module__):
            return f"{kind.__module__}.{kind.__qualname__}"
        members = [
            (name, self._tokens(_functions(member)))
            for name, member in sorted(vars(kind).items())
            if isinstance(member, FunctionType) or not name.startswith("__")
        ]
        path = str(getattr(sys.modules.get(kind.__module__), "__file__", None) or "")
        text = code_text.class_text(kind.__name__, path) if path else ""
        return repr((text, self._tokens((*kind.__bases__, type(kind))), members))

    def _instance(self, value: Any) -> str:
        kind = type(value)
        if isinstance(value, PurePath):
            return f"path {value.name}"
        if not self._counts(kind.__module__):
            if callable(value) and hasattr(value, "__name__"):
                return f"{getattr(value, '__module__', '')}.{value.__name__}"
            if kind.__module__.startswith(("numba.", "llvmlite.")):
                # The state of their types differs from process to process; their text does not.
                text = str(value)
                return (
                    f"{kind.__module__}.{kind.__qualname__} {text if ' at 0x' not in text else ''}"
                )
            try:
                state = value.__reduce_ex__(2)
            except Exception:  # a lock, a file: nothing that decides a value
                return f"{kind.__module__}.{kind.__qualname__}"
            return f"{kind.__module__}.{kind.__qualname__} {self._tokens(state)}"
        cached = {n for k in kind.__mro__ for n, m in vars(k).items() if _is_cached(m)}
        slots = [n for k in kind.__mro__ for n in getattr(k, "__slots__", ()) if hasattr(value, n)]
        state = getattr(value, "__dict__", {}) | {name: getattr(value, name) for name in slots}
        attributes = [
            (name, self.token(state[name])) for name in sorted(state) if name not in cached
        ]
        return f"{self.token(kind)} {attributes}"


def _bare(value: Any) -> Any:
    """A compiled kernel's function, and what is behind a cache."""
    if type(value).__module__.partition(".")[0] == "numba":
        value = getattr(value, "py_func", getattr(value, "_defn", value))
    while not isinstance(value, FunctionType | type) and hasattr(type(value), "__wrapped__"):
        value = value.__wrapped__
    if type(value).__name__ == "_lru_cache_wrapper":
        value = inspect.unwrap(value)
    return value


def _cells(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            yield name, None


def _functions(member: Any) -> tuple[Any, ...]:
    """What a member of a class holds: functions behind a property or method, or a value."""
    if isinstance(member, property):
        return member.fget, member.fset
    if isinstance(member, cached_property):
        return (member.func,)
    if isinstance(member, classmethod | staticmethod):
        return (member.__func__,)
    is_made = isinstance(member, FunctionType) and member.__code__.co_filename.startswith("<")
    is_slot = inspect.ismemberdescriptor(member) or inspect.isgetsetdescriptor(member)
    # A dataclass's own methods follow from its text, and differ from Python to Python.
    return () if is_made or is_slot else (member,)


def _is_cached(member: Any) -> bool:
    return isinstance(member, cached_property)


@cache
def _names(code: CodeType) -> tuple[str, ...]:
    """Names that a function, and those inside it, may read from its module or the builtins."""
    inner = [_names(each) for each in code.co_consts if isinstance(each, CodeType)]
    return tuple(sorted(set(code.co_names).union(*inner)))


def _annotated(function: FunctionType) -> list[type]:
    """Classes among a function's annotations: it may call their methods."""
    waiting, kinds = list(inspect.get_annotations(function).values()), []
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, str):
            try:
                kind = eval(kind, vars(builtins) | function.__globals__)
            except Exception:  # a name that only a type checker sees
                continue
        waiting += getattr(kind, "__args__", ())
        if isinstance(kind, type):
            kinds.append(kind)
    return kinds
