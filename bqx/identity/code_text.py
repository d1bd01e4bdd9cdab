"""The text of code as far as it decides what the code does, the same on every Python.

Comments, docstrings, annotations, ``pass`` and the place in a file are left out.
"""

import ast
import inspect
import linecache
import sysconfig
from functools import cache
from pathlib import Path
from threading import Lock
from types import CodeType
from typing import Any, NamedTuple

PACKAGE = "bqx"

_LEFT_OUT = {"ctx", "kind", "type_comment", "type_params", "annotation", "returns"}
_INSTALLED = tuple(
    f"{Path(sysconfig.get_path(name)).resolve()}/" for name in ("stdlib", "purelib", "platlib")
)
_PARSING = Lock()


class Definition(NamedTuple):
    """A function or class in its source: its node, and its text.

    ``chains`` : dotted names that it reads, such as ``("sums", "mean")``; a name that is read as a
    whole stands alone. ``imports`` : modules that it imports itself, with the names taken out of
    them; relative ones begin with dots.
    """

    text: str
    chains: tuple[tuple[str, ...], ...]
    imports: tuple[tuple[str, str], ...]


@cache
def is_installed(path: str) -> bool:
    """Whether a file is the standard library's or an installed package's."""
    if path.startswith("<frozen"):
        return True
    resolved = str(Path(path).resolve())
    return resolved.startswith(_INSTALLED) or "/dist-packages/" in resolved


def normal(node: Any) -> str:
    """Text of a syntax tree, a list of trees or what they hold."""
    if isinstance(node, list):
        return f"[{', '.join([normal(item) for item in node if not _is_prose(item)])}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__} {node.value!a}"
    if isinstance(node, ast.JoinedStr):
        # Python 3.12 ends some with an empty text.
        texts = [text for text in map(normal, node.values) if text != "str ''"]
        return f"JoinedStr[{', '.join(texts)}]"
    kept = [(name, getattr(node, name, None)) for name in node._fields if name not in _LEFT_OUT]
    fields = [(name, normal(value)) for name, value in kept if value is not None]
    shown = [f"{name}={text}" for name, text in fields if text != "[]"]
    return f"{type(node).__name__}({', '.join(shown)})"


def bytecode(code: CodeType) -> str:
    """Text of code without a source; another one on another Python."""
    constants = [bytecode(x) if isinstance(x, CodeType) else _constant(x) for x in code.co_consts]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return repr((code.co_code, code.co_exceptiontable, names, constants))


def definition(code: CodeType) -> Definition | None:
    """The definition of a function's code; None where no file holds the source it was made of."""
    path = code.co_filename
    # Numba takes this flag from a kernel that is called under a profiler, and never gives it back.
    whole = code.replace(co_flags=code.co_flags | inspect.CO_OPTIMIZED)
    return _definition(whole, path, _stamp(path))


def class_text(name: str, path: str) -> str:
    """Text of all classes of a name in a file, empty where there are none."""
    nodes = _definitions(path, _stamp(path)).get((name, 0), [])
    return ", ".join(map(normal, nodes))


def module(path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Text of a whole file, and what it imports."""
    return _module(path, _stamp(path))


def tree(path: str) -> ast.Module:
    """Syntax tree of a file; an empty one where it cannot be read as Python."""
    return _tree(path, _stamp(path))


def parse(source: str) -> ast.Module:
    """Syntax tree of a source; SyntaxError, ValueError where it is none of Python."""
    # Python 3.11 counts the depth of the trees of all threads together, and finds it wrong.
    with _PARSING:
        return ast.parse(source)


def imports(node: ast.AST) -> tuple[tuple[str, str], ...]:
    """Modules that are imported anywhere under a node, and the names taken out of them."""
    pairs: list[tuple[str, str]] = []
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            pairs += [(alias.name, "") for alias in each.names]
        elif isinstance(each, ast.ImportFrom):
            module = "." * each.level + (each.module or "")
            pairs += [(module, alias.name) for alias in each.names]
    return tuple(dict.fromkeys(pairs))


def _is_prose(node: Any) -> bool:
    is_text = (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
    return is_text or isinstance(node, ast.Pass)


def _constant(value: object) -> str:
    # The order of a set differs from process to process.
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


@cache
def _definition(code: CodeType, path: str, stamp: int) -> Definition | None:
    # Code of a module that was altered since it was imported, or as it was, is not its file's.
    if code not in _codes(path, stamp):
        return None
    nodes = _definitions(path, stamp).get((code.co_name, code.co_firstlineno), [])
    if code.co_name == "<lambda>":
        nodes = _innermost(nodes, code)
    if len(nodes) != 1:
        return None
    return Definition(normal(nodes[0]), _chains(nodes[0]), imports(nodes[0]))


def _innermost(lambdas: list[Any], code: CodeType) -> list[Any]:
    """The lambda of a line that a code is of, by the columns of its instructions."""
    places = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if None not in (line, end_line, column, end_column)
        and (line, column) != (end_line, end_column)
    ]
    around = [
        node
        for node in lambdas
        if all(
            (node.body.lineno, node.body.col_offset) <= start
            and end <= (node.body.end_lineno, node.body.end_col_offset)
            for start, end in places
        )
    ]
    return sorted(around, key=lambda node: (-node.body.lineno, -node.body.col_offset))[:1]


def _chains(node: ast.AST) -> tuple[tuple[str, ...], ...]:
    chains, inside = set(), set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute | ast.Name) and id(each) not in inside:
            names: list[str] = []
            base: ast.AST = each
            while isinstance(base, ast.Attribute):
                names.append(base.attr)
                base = base.value
                inside.add(id(base))
            if isinstance(base, ast.Name):
                chains.add((base.id, *reversed(names)))
    return tuple(sorted(chains))


@cache
def _codes(path: str, stamp: int) -> frozenset[CodeType]:
    """All code objects of a file."""
    try:
        waiting = [compile(_source(path, stamp), path, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        return frozenset()
    codes = set()
    while waiting:
        code = waiting.pop()
        codes.add(code)
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return frozenset(codes)


@cache
def _definitions(path: str, stamp: int) -> dict[tuple[str, int], list[Any]]:
    """A file's functions and lambdas by name and first line, its classes by name and 0."""
    nodes: dict[tuple[str, int], list[Any]] = {}
    for node in ast.walk(_tree(path, stamp)):
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = getattr(node, "decorator_list", ())
            line = min([node.lineno, *(decorator.lineno for decorator in decorators)])
            nodes.setdefault((getattr(node, "name", "<lambda>"), line), []).append(node)
        elif isinstance(node, ast.ClassDef):
            nodes.setdefault((node.name, 0), []).append(node)
    return nodes


@cache
def _module(path: str, stamp: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    node = _tree(path, stamp)
    return normal(node), imports(node)


@cache
def _tree(path: str, stamp: int) -> ast.Module:
    try:
        return parse(_source(path, stamp))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


@cache
def _source(path: str, stamp: int) -> str:
    linecache.checkcache(path)
    return "".join(linecache.getlines(path))


def _stamp(path: str) -> int:
    file = Path(path)
    return file.stat().st_mtime_ns if file.exists() else len(linecache.getlines(path))
