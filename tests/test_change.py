"""Each example of the book's page "Change it", added to a copy of the project and run there."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bqx import cli
from bqx.market import simulated

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "change.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCK = re.compile(r"```\{code-block\} (\w+)\n(?::caption: ([^\n]+)\n)?(.*?)```", re.DOTALL)


def changed(text: str, diff: str) -> str:
    """A text with the lines that a diff adds below the one before, without those it removes."""
    text, before = f"{text}\n", ""
    for line in (f"{line[1:]}\n{line[0]}" for line in diff.splitlines()):
        content, sign = line[:-1], line[-1]
        if sign == "+":
            text = text.replace(before, before + content)
            before = content
        else:
            assert text.count(content) == 1, f"{content!r} stands {text.count(content)} times"
            before = content if sign == " " else "\0"
            text = text if sign == " " else text.replace(content, before)
    return text.replace("\0", "")[:-1]


def changed_notebook(text: str, diff: str) -> str:
    """A notebook of which one cell is changed."""
    notebook = json.loads(text)
    known = next(line[1:] for line in diff.splitlines() if line[0] != "+")
    (cell,) = (c for c in notebook["cells"] if known in "".join(c["source"]).splitlines())
    cell["source"] = changed("".join(cell["source"]), diff).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


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
            change = changed_notebook if path.suffix == ".ipynb" else changed
            path.write_text(change(path.read_text(encoding="utf-8"), content), encoding="utf-8")
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


def test_the_feature_of_your_own_does_not_read_ahead(tmp_path: Path) -> None:
    frame = simulated.simulate("null", ("eurusd",), days=7).frames["eurusd"]
    frame.iloc[:2_000].reset_index().to_parquet(tmp_path / "eurusd.parquet")
    blocks = BLOCK.findall(SECTIONS["A feature of your own"])
    (code,) = (content for _, caption, content in blocks if caption == "my_features.py")
    (tmp_path / "my_features.py").write_text(code, encoding="utf-8")
    module = str(tmp_path / "my_features.py")
    asked = ["certify", "--bars", str(tmp_path), "--cuts", "6", "--features", module]
    assert cli.main(asked) == 0


def test_all_are_shown() -> None:
    own = ["A feature of your own", "A rule of your own"]
    assert list(SECTIONS) == ["A feature", *own, "A model", "A format of bars", "A parameter"]
