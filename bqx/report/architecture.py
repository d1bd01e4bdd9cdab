"""The picture of the package in the book: its layers and what they import, read from the code."""

import ast
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: the contract of the imports stands in its ``pyproject.toml``."""

WIDTH, ROW, GAP, MARGIN = 860, 44, 14, 10


@cache
def layers() -> tuple[tuple[str, ...], ...]:
    """Packages of each layer as the contract of the imports has them, lowest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rows = contracts["contracts"][0]["layers"]
    return tuple(tuple(name.strip() for name in row.split("|")) for row in reversed(rows))


def imports(package: Path = ROOT / "bqx") -> dict[str, set[str]]:
    """Packages (and single modules) of bqx that each one imports."""
    edges: dict[str, set[str]] = {}
    for path in sorted(set(package.rglob("*.py")) - {package / "__main__.py"}):
        name = path.relative_to(package).with_suffix("").parts[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module]
        for node in imported:
            root, _, rest = str(node.module).partition(".")
            if root == "bqx":
                packages = (
                    {rest.partition(".")[0]} if rest else {alias.name for alias in node.names}
                )
                edges.setdefault(name, set()).update(packages - {name})
    return edges


def purposes(package: Path = ROOT / "bqx") -> dict[str, str]:
    """First sentence of the docstring of each package and single module."""
    out = {}
    for row in layers():
        for name in row:
            folder = package / name / "__init__.py"
            path = folder if folder.exists() else package / f"{name}.py"
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            out[name] = text.split("\n\n")[0].replace("\n", " ").replace("``", "").rstrip(".")
    return out


def sizes(package: Path = ROOT / "bqx") -> dict[str, int]:
    """Lines of each package and single module."""
    lines: dict[str, int] = {}
    for path in package.rglob("*.py"):
        name = path.relative_to(package).with_suffix("").parts[0]
        lines[name] = lines.get(name, 0) + path.read_text(encoding="utf-8").count("\n")
    return lines


def picture(
    rows: Sequence[Sequence[str]] | None = None, about: Mapping[str, str] | None = None
) -> str:
    """The layers as an SVG, the highest on top: a package imports only from rows below it."""
    rows, about = rows or layers(), about or purposes()
    height = MARGIN * 2 + len(rows) * (ROW + GAP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="sans-serif"><title>Layers of bqx</title>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for place, row in enumerate(reversed(rows)):
        top, width = MARGIN + place * (ROW + GAP), (WIDTH - MARGIN) / len(row) - MARGIN
        for i, name in enumerate(row):
            left = MARGIN + i * (width + MARGIN)
            out.append(
                f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{ROW}" rx="6" '
                'fill="#e8f0f8" stroke="#0072b2"/>'
            )
            text = escape(_shortened(about.get(name, ""), int(width / 6.6)))
            out.append(
                f'<text x="{left + 10:.0f}" y="{top + 18}" font-size="14" font-weight="bold" '
                f'fill="#10324d">{escape(name)}</text>'
                f'<text x="{left + 10:.0f}" y="{top + 35}" font-size="11.5" fill="#333333">'
                f"{text}</text>"
            )
    return "\n".join([*out, "</svg>"]) + "\n"


def _shortened(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    return text[: letters - 1].rsplit(" ", 1)[0].rstrip(",:;") + " …"


def main() -> None:
    """Draw the picture anew: ``python -m bqx.report.architecture``."""
    (ROOT / "book" / "architecture.svg").write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
