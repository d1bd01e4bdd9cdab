"""A reader who was never told finds what there is to find: two clicks from README at most."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
QUESTIONS = {
    "how to bring bars": "clock",
    "where the verdict is": "verdict.json",
    "why R² 0.5 is nothing": "in advance",
    "how to add a feature": "FAMILIES",
    "how to add a model": "my_model.py",
    "what real bars gave": "Six majors",
    "what BQX is": "BQX_w(t) =",
}
"""What a page that answers says."""


def links(page: Path) -> set[Path]:
    """Files of the project that a page links to."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"\]\(([^)#:\s]+)", text) + re.findall(
        r"`((?:book|notebooks)/[\w/.]+)`", text
    )
    paths = {(base / name).resolve() for name in found for base in (page.parent, ROOT)}
    return {path for path in paths if path.is_file() and path.suffix in (".md", ".ipynb")}


def within(clicks: int) -> set[Path]:
    pages = {README}
    for _ in range(clicks):
        pages |= {target for page in pages for target in links(page)}
    return pages


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_two_clicks_away(question: str) -> None:
    answers = [
        page for page in within(2) if QUESTIONS[question] in page.read_text(encoding="utf-8")
    ]
    assert answers, question
