"""What the README shows is what happens."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    example, printed = re.findall(r"```(?:python|text)\n(.*?)```", README, re.DOTALL)[:2]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_the_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets


def test_files_it_names_are_there() -> None:
    named = re.findall(r"`((?:bqx|tests|params|notebooks)/[\w/.]+)`", README)
    named += re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert named
    for name in named:
        assert (ROOT / name).exists(), name


def test_it_stays_short() -> None:
    assert len(README.splitlines()) <= 160
