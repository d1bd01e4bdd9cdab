"""What code a module's work can depend on: a hash over it and every module that it imports."""

import dis
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType

from bqx.reached_code import counts


@cache
def module_hash(*names: str) -> str:
    """SHA-256 over modules and all modules of the package that they import, hexadecimal.

    Code alone counts, comments and docstrings do not; of a module that is imported all of it does.
    """
    waiting, texts = [*names], dict[str, str]()
    while waiting:
        module = waiting.pop()
        if module not in texts:
            code = _compiled(_path(module))
            texts[module] = _text(code)
            waiting += _imported(code)
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()


def _constant(value: object) -> str:
    # The order of a set differs from process to process.
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


def imports_of(source: str) -> tuple[str, ...]:
    """Modules of the package that some source imports, such as the cells of a notebook."""
    return tuple(dict.fromkeys(_imported(compile(source, "<cells>", "exec"))))


@cache
def _compiled(path: str) -> CodeType:
    # Without docstrings, and without asserts, on which no artefact depends.
    return compile(Path(path).read_bytes(), path, "exec", optimize=2, dont_inherit=True)


def _text(code: CodeType) -> str:
    """What a code object does, wherever in its file it stands."""
    constants = [_text(x) if isinstance(x, CodeType) else _constant(x) for x in code.co_consts]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return repr((code.co_code, code.co_exceptiontable, names, constants))


def _imported(code: CodeType) -> Iterator[str]:
    """Modules of the package that a module imports, wherever it does so."""
    steps = list(dis.get_instructions(code))
    for place, step in enumerate(steps):
        if step.opname == "IMPORT_NAME" and counts(step.argval):
            yield step.argval
            for following in steps[place + 1 :]:
                if following.opname == "IMPORT_FROM" and _path(f"{step.argval}.{following.argval}"):
                    yield f"{step.argval}.{following.argval}"
                elif following.opname in ("POP_TOP", "IMPORT_NAME"):
                    break
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imported(constant)


@cache
def _path(module: str) -> str:
    """A module's source file, empty where there is no such module."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return ""
    return str(spec.origin) if spec and spec.origin else ""
