"""Tables of the book's pages that benchmarks and studies write."""

from collections.abc import Iterable
from typing import Any


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
