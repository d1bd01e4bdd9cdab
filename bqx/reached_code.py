"""What code decides a value: a hash over a function and all that it calls, prose left out.

Two functions have the same hash when their code, that of everything they call and the constants
they read are the same: comments, docstrings, annotations and the place in a file do not count. The
standard library and installed packages count by name alone.
"""

import ast
import dis
import hashlib
import importlib
import inspect
import linecache
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache, cached_property, partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

PACKAGE = "bqx"

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
_PLAIN = (int, float, complex, str, bytes, type(None), type(...), slice, np.generic)
_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")


class _Node(NamedTuple):
    """A value that code reaches: what tells it apart, its own text, and what it refers to."""

    label: str
    text: str = ""
    references: tuple[Any, ...] = ()


def code_hash(*roots: Any) -> str:
    """SHA-256 over the code that functions, classes or compiled kernels reach, hexadecimal.

    An object with a method ``identity`` counts by what that returns.

    >>> code_hash(code_hash) == code_hash(code_hash) != code_hash(counts)
    True
    """
    waiting = [_node(root) for root in roots]
    texts = {f"{place}: {node.label}" for place, node in enumerate(waiting)}
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.label not in seen:
            seen.add(node.label)
            texts.add(f"{node.label}\n{node.text}")
            waiting += [_node(reference) for reference in node.references]
    return _sha256(sorted(texts))


@cache
def counts(module: str) -> bool:
    """Whether a module's code counts: the package's own, or a user's."""
    if module.partition(".")[0] in (PACKAGE, "__main__"):
        return True
    path = getattr(sys.modules.get(module), "__file__", None)
    return path is not None and not str(Path(path).resolve()).startswith(_INSTALLED)


def _node(value: Any) -> _Node:
    value = getattr(value, "py_func", value)
    if isinstance(value, partial):
        pieces = (value.func, value.args, value.keywords)
        return _Node(f"partial {[_node(piece).label for piece in pieces]}", "", pieces)
    if isinstance(value, MethodType):
        return _node(value.__func__)
    if isinstance(value, type):
        return _class(value)
    if callable(value) and hasattr(value, "__wrapped__"):
        value = inspect.unwrap(value)
    if isinstance(value, FunctionType):
        return _function(value)
    identity = getattr(value, "identity", None)
    return _Node(f"identity {identity()}") if callable(identity) else _constant(value)


def _function(function: FunctionType) -> _Node:
    label = f"{function.__module__}.{function.__qualname__}"
    if not counts(function.__module__):
        return _Node(label)
    read = _reads(function.__code__, function.__code__.co_filename)
    names = function.__globals__
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closed = {name: cell.cell_contents for name, cell in cells}
    if closed or "<lambda>" in label:
        # One factory makes many functions, one line several lambdas.
        made_of = [(name, _node(value).label) for name, value in sorted(closed.items())]
        label += f" {_sha256([read.text, str(made_of)])}"
    values = [names.get(name) for name in read.globals]
    members = ((names.get(name), attribute) for name, attribute in read.members)
    lazy = ((importlib.import_module(module), name) for module, name in read.imports)
    references = (
        *(value for value in values if not isinstance(value, ModuleType)),
        *(getattr(module, name, None) for module, name in (*members, *lazy) if _is_counted(module)),
        *_annotated(function),
        *closed.values(),
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
    )
    return _Node(label, read.text, references)


class _Reads(NamedTuple):
    """A definition's text; the globals, members of names and lazy imports that it reads."""

    text: str
    globals: tuple[str, ...]
    members: tuple[tuple[str, str], ...]
    imports: tuple[tuple[str, str], ...]


@cache
def _reads(code: CodeType, path: str) -> _Reads:
    definition = _definition(code, path)
    members, imports = set(), set()
    for node in ast.walk(definition):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            members.add((node.value.id, node.attr))
        elif isinstance(node, ast.ImportFrom) and counts(node.module or ""):
            imports |= {(str(node.module), alias.name) for alias in node.names}
    names = sorted(_globals(code))
    return _Reads(
        ast.unparse(definition), tuple(names), tuple(sorted(members)), tuple(sorted(imports))
    )


def _is_counted(value: Any) -> bool:
    return isinstance(value, ModuleType) and counts(value.__name__)


def _class(kind: type) -> _Node:
    label = f"{kind.__module__}.{kind.__qualname__}"
    if not counts(kind.__module__):
        return _Node(label)
    references: list[Any] = list(kind.__bases__)
    for member in vars(kind).values():
        if isinstance(member, property):
            member = member.fget
        elif isinstance(member, cached_property):
            member = member.func
        elif isinstance(member, classmethod | staticmethod):
            member = member.__func__
        # Those that a dataclass has made have no source.
        if isinstance(member, FunctionType) and _ours_by_source(member):
            references.append(member)
    path = inspect.getfile(kind)
    texts = [
        ast.unparse(node) for node in _definitions(path, _stamp(path)).get((kind.__name__, 0), ())
    ]
    return _Node(label, "\n".join(texts), tuple(references))


def _ours_by_source(function: FunctionType) -> bool:
    code = inspect.unwrap(function).__code__
    return counts(function.__module__) and not code.co_filename.startswith("<string")


def _constant(value: Any) -> _Node:
    if isinstance(value, _PLAIN):
        return _Node(f"constant {value!r}")
    if isinstance(value, np.ndarray):
        return _Node(f"array {value.dtype} {value.shape} {_sha256([repr(value.tolist())])}")
    if isinstance(value, Mapping):
        items = [(_node(key).label, _node(item).label) for key, item in value.items()]
        return _Node(f"mapping {items}", "", tuple(value.values()))
    if isinstance(value, list | tuple):
        return _Node(f"list {[_node(item).label for item in value]}", "", tuple(value))
    if isinstance(value, set | frozenset):
        return _Node(f"set {sorted(_node(item).label for item in value)}", "", tuple(value))
    return _Node(f"of {type(value).__module__}.{type(value).__qualname__}")


def _globals(code: CodeType) -> set[str]:
    """Global names that a function reads, and those inside it."""
    names = {str(step.argval) for step in dis.get_instructions(code) if step.opname in _GLOBAL}
    return names.union(
        *(_globals(inner) for inner in code.co_consts if isinstance(inner, CodeType))
    )


def _annotated(function: FunctionType) -> Iterator[type]:
    """Classes of the package among a function's annotations: it may call their methods."""
    waiting = list(function.__annotations__.values())
    while waiting:
        kind = waiting.pop()
        waiting += getattr(kind, "__args__", ())
        if isinstance(kind, type) and counts(kind.__module__):
            yield kind


def _definition(code: CodeType, path: str) -> ast.AST:
    """The definition of a function's code in its source."""
    definitions = _definitions(path, _stamp(path)).get((code.co_name, code.co_firstlineno), [])
    if len(definitions) > 1:
        *_, last = code.co_positions()
        definitions = [node for node in definitions if _span(node.body) == last]
    if len(definitions) != 1:
        raise ValueError(f"{code.co_qualname}: its source cannot be found, got {path}")
    return definitions[0]


@cache
def _definitions(path: str, stamp: int) -> dict[tuple[str, int], list[Any]]:
    """A file's functions, lambdas and classes by name and first line."""
    found: dict[tuple[str, int], list[Any]] = {}
    for node in ast.walk(_parsed(path, stamp)):
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            found.setdefault((getattr(node, "name", "<lambda>"), _first_line(node)), []).append(
                node
            )
        elif isinstance(node, ast.ClassDef):
            found.setdefault((node.name, 0), []).append(node)
    return found


def _first_line(node: Any) -> int:
    return min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])


def _span(node: Any) -> tuple[int, int, int, int]:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def _tree(path: str) -> ast.Module:
    return _parsed(path, _stamp(path))


def _stamp(path: str) -> int:
    file = Path(path)
    return file.stat().st_mtime_ns if file.exists() else len(linecache.getlines(path))


@cache
def _parsed(path: str, stamp: int) -> ast.Module:
    linecache.checkcache(path)
    tree: ast.Module = _Bare().visit(ast.parse("".join(linecache.getlines(path))))
    return tree


class _Bare(ast.NodeTransformer):
    """Leaves docstrings and annotations out."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if is_text else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.AnnAssign(node.target, ast.Constant(None), node.value, node.simple)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node


def _sha256(texts: Any) -> str:
    return hashlib.sha256("\n\n".join(texts).encode()).hexdigest()
