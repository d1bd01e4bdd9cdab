"""What is changed in the package's code, and what then counts as changed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bqx"

ASK = """
import json
from bqx.features import catalog
from bqx.imported_code import module_hash
from bqx.params import NOTEBOOK_KEYS
stages = {n: module_hash(f"bqx.stages.{n[3:]}") for n in NOTEBOOK_KEYS}
print(json.dumps([catalog.identities(catalog.FEATURES.values()), stages]))
"""

Answer = tuple[dict[str, str], dict[str, str]]


def answer(folder: Path) -> Answer:
    """Identities of all features, and hash of the code of all stages, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )  # fmt: skip
    identities, stages = json.loads(done.stdout)
    return identities, stages


@pytest.fixture(scope="module")
def before() -> Answer:
    return answer(PACKAGE.parent)


def changed(folder: Path, before: Answer, file: str, old: str, new: str) -> tuple[set[str], ...]:
    """Features and stages that count as changed after an edit of a copy of the package."""
    shutil.copytree(PACKAGE, folder / "bqx", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "bqx" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return tuple(
        {name for name, held in then.items() if now.get(name) != held}
        for then, now in zip(before, answer(folder), strict=True)
    )


def test_prose_changes_nothing(tmp_path: Path, before: Answer) -> None:
    docstring = '"""The command line: ``bqx run``'
    edit = ("cli.py", docstring, '"""Commands: ``bqx run``')
    assert changed(tmp_path, before, *edit) == (set(), set())


def test_an_about_changes_no_identity(tmp_path: Path, before: Answer) -> None:
    features, _ = changed(
        tmp_path, before, "features/families/calendar.py", "about=about", "about=about + '!'"
    )
    assert features == set()


def test_a_family_less_leaves_the_others(tmp_path: Path, before: Answer) -> None:
    features, _ = changed(
        tmp_path, before, "features/catalog.py", "    fibonacci,\n    mov", "    mov"
    )
    assert features
    assert all("fib" in name for name in features)


def test_arithmetic_of_a_primitive_changes_those_that_use_it(
    tmp_path: Path, before: Answer
) -> None:
    edit = ("features/sources.py", "past[row] - now[row]", "past[row] + now[row]")
    features, stages = changed(tmp_path, before, *edit)
    assert "bqx_quadratic_r2_w15" in features
    assert not features & {"rate_quadratic_r2_w15", "rate_moments_std_w15"}
    assert "01_bars" not in stages
    assert {"02_features", "05_selection", "06_training"} <= stages


def test_code_counts_for_the_stages_that_reach_it(tmp_path: Path, before: Answer) -> None:
    edit = ("learning/selection.py", "def kuncheva(", "CHANGED = 1\n\n\ndef kuncheva(")
    features, stages = changed(tmp_path, before, *edit)
    assert features == set()
    assert "05_selection" in stages
    assert not stages & {"01_bars", "02_features", "03_reconciliation", "04_lagging"}


def test_code_in_the_command_line_counts_for_no_stage(tmp_path: Path, before: Answer) -> None:
    edit = ("cli.py", "import argparse\n", "import argparse\n\nCHANGED = 1\n")
    assert changed(tmp_path, before, *edit) == (set(), set())
