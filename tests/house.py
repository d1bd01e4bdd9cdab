"""The size of the code: lines of each package on its layer, the longest functions and modules.

`make check` prints it, and fails where a module or a function is too long. A function's lines run
from its ``def`` to its end, docstring included. A declaration is excepted: a function whose only
statement beside its docstring is one expression, such as a table or a call that sets many values.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = {"module": 300, "function": 50}
"""Most lines of each."""
SHOWN = 5

Length = tuple[int, str]


def is_declaration(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether one expression is all that a function says.

    >>> is_declaration(ast.parse("def f(): return {1: 2}").body[0])
    True
    >>> is_declaration(ast.parse("def f(): x = 1; return x").body[0])
    False
    """
    statements = function.body[ast.get_docstring(function) is not None :]
    return len(statements) == 1 and isinstance(statements[0], ast.Return | ast.Expr)


def modules(package: Path) -> list[Length]:
    """Lines and name of each module, longest first."""
    return _sorted(
        (len(path.read_text(encoding="utf-8").splitlines()), str(path.relative_to(package.parent)))
        for path in package.rglob("*.py")
    )


def functions(package: Path) -> list[Length]:
    """Lines and place of each function that is no declaration, longest first."""
    return _sorted(
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(package.parent)} {node.name}")
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and not is_declaration(node)
    )


def layers() -> list[list[str]]:
    """Packages of each layer, the one that may import all others first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]
    return [line.replace("|", ":").replace(" ", "").split(":") for line in contract["layers"]]


def too_long(package: Path) -> list[str]:
    """What is longer than it may be, in words."""
    return [
        f"{place}: {kind} too long, got {lines} lines; expected at most {LONGEST[kind]}."
        for kind, lengths in (("module", modules(package)), ("function", functions(package)))
        for lines, place in lengths
        if lines > LONGEST[kind]
    ]


def report(package: Path) -> str:
    """Lines of the packages by layer, and the longest functions and modules."""
    sizes = dict.fromkeys((name for layer in layers() for name in layer), 0)
    for lines, place in modules(package):
        top = place.split("/")[1].removesuffix(".py")
        if top in sizes:
            sizes[top] += lines
    rows = [", ".join(f"{name} {sizes[name]:,}" for name in layer) for layer in layers()]
    longest = (
        (f"longest {kind}s", [f"{lines:5,} {place}" for lines, place in lengths[:SHOWN]])
        for kind, lengths in (("module", modules(package)), ("function", functions(package)))
    )
    total = sum(lines for lines, _ in modules(package))
    blocks = [(f"{total:,} lines, layer by layer", rows), *longest]
    return "\n".join(f"{title}\n" + "\n".join(f"  {row}" for row in rows) for title, rows in blocks)


def _sorted(lengths: Iterator[Length]) -> list[Length]:
    return sorted(lengths, key=lambda length: (-length[0], length[1]))


if __name__ == "__main__":
    print(report(ROOT / "bqx"))
    sys.exit("\n".join(too_long(ROOT / "bqx")) or None)
