"""The book's page of the architecture, the README's sentence and the contract say the same."""

import importlib
import re
from pathlib import Path

import pytest

from bqx.report import architecture

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "architecture.md").read_text(encoding="utf-8")


def test_the_picture_is_that_of_the_code() -> None:
    drawn = (ROOT / "book" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == architecture.picture(), "python -m bqx.report.architecture draws it anew"
    for row in architecture.layers():
        assert all(f">{name}<" in drawn for name in row)


def test_imports_point_downwards() -> None:
    level = {name: i for i, row in enumerate(architecture.layers()) for name in row}
    edges = architecture.imports()
    assert edges["cli"]
    for package, imported in edges.items():
        assert all(level[name] < level[package] for name in imported), package


def test_the_readme_tells_the_layers() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    sentence = re.search(r"only from those before it: (.*?); `make check`", readme)
    assert sentence
    told = [set(re.findall(r"\w+", row)) for row in sentence[1].split("→")]
    assert told == [set(row) for row in architecture.layers()]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(bqx\.[\w.]+)`", PAGE))))
def test_what_the_page_names_exists(name: str) -> None:
    module, _, member = name.rpartition(".")
    try:
        value = importlib.import_module(module)
    except ModuleNotFoundError:
        module, _, kind = module.rpartition(".")
        value = getattr(importlib.import_module(module), kind)
    assert hasattr(value, member)
