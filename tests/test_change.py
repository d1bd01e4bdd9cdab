"""Each example of the book's page "Change it", added to a copy of the project and run there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "change.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCK = re.compile(r"```\{code-block\} (\w+)\n(?::caption: ([^\n]+)\n)?(.*?)```", re.DOTALL)


def inserted(text: str, change: str) -> str:
    """A file with the lines that a diff adds, each below the one before."""
    after = ""
    for line in change.splitlines():
        if line.startswith("+"):
            assert text.count(after) == 1, f"{after!r} stands {text.count(after)} times"
            text = text.replace(after, f"{after}{line[1:]}\n")
            after = f"{line[1:]}\n"
        else:
            after = f"{line[1:]}\n"
    return text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What a change needs of the project."""
    ignored = shutil.ignore_patterns("__pycache__", "benchmarks", "studies")
    for name in ("bqx", "tests", "params", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("section", SECTIONS)
def test_an_example_works(section: str, project: Path) -> None:
    commands = 0
    for kind, caption, content in BLOCK.findall(SECTIONS[section]):
        if kind == "diff":
            path = project / caption
            path.write_text(inserted(path.read_text(encoding="utf-8"), content), encoding="utf-8")
        elif kind == "console":
            for line in content.strip().splitlines():
                command = shlex.split(line.removeprefix("$ "))
                assert command[0] == "python"
                done = subprocess.run(
                    [sys.executable, *command[1:]],
                    cwd=project,
                    env={**os.environ, "PYTHONPATH": str(project)},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
                commands += 1
        else:
            assert not (project / caption).exists()
            (project / caption).write_text(content, encoding="utf-8")
    assert commands


def test_all_four_are_shown() -> None:
    assert list(SECTIONS) == ["A feature", "A model", "A format of bars", "A parameter"]
