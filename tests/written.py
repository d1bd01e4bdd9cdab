"""Tables of the book's pages that benchmarks and studies write."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from bqx.features import catalog
from bqx.identity.imported import imports_of, module_hash


def code_of(module: Path) -> str:
    """Hash of the package's code that a module of benchmarks or studies can reach."""
    return module_hash(*imports_of(module.read_text(encoding="utf-8")))


@cache
def features_code() -> str:
    """Hash of the code that decides the features' values, and nothing else."""
    return catalog.catalog_hash(catalog.profile())


def note(code: str, module: Path, of_catalog: str = "") -> str:
    """Whether what a module has measured, with the hashes that it kept, is of this code.

    ``of_catalog`` : see `features_code`, empty where it was not kept.
    """
    if code == code_of(module):
        return "Measured on this code."
    if of_catalog == features_code():
        return "**Measured on older code**: all features' own code is the same, other code is not."
    return "**Measured on older code**: it has changed since."


def rounded(value: Any) -> Any:
    """Numbers to three digits, in whatever holds them."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return float(f"{value:.3g}") if isinstance(value, float) else value


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table; numbers stand right."""
    heads, lines = list(heads), [[str(cell) for cell in row] for row in rows]
    rule = [":--"] + ["--:"] * (len(heads) - 1)
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rule, *lines)) + "\n"
