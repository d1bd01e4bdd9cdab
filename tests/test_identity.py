"""What a column, a bundle and a stage are known by: code that decides, and nothing else.

A copy of the package is changed in one place; a process of its own says what it sees.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from learned import PARAMS, learn

from bqx.features import catalog
from bqx.identity.imported import imports_of, module_hash
from bqx.identity.reached import code_hash
from bqx.learning import bundle
from bqx.runs.run import code_of

ROOT = Path(__file__).parents[1]

SEES = """
import json, sys
from pathlib import Path
from bqx.errors import BqxError
from bqx.features import catalog
from bqx.learning import bundle
from bqx.runs.run import code_of

try:
    bundle.load(Path(sys.argv[1]))
    told = ""
except BqxError as error:
    told = str(error)
stages = ("01_bars", "02_features", "04_lagging", "05_selection", "06_training")
print(json.dumps({
    "identities": catalog.identities(catalog.FEATURES.values()),
    "bundle": told,
    "stages": {stage: code_of(stage) for stage in stages},
}))
"""

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def made() -> bundle.Bundle:
    learned = learn("strong", 1)
    return bundle.bundle(learned.bars, learned.result.fits[-1], PARAMS, {})


@pytest.fixture(scope="module")
def folder(made: bundle.Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "eurusd"
    made.save(folder)
    return folder


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    return {
        "identities": catalog.identities(catalog.FEATURES.values()),
        "bundle": "",
        "stages": {
            stage: code_of(stage)
            for stage in ("01_bars", "02_features", "04_lagging", "05_selection", "06_training")
        },
    }


def after(change: Change, folder: Path, tmp_path: Path) -> dict[str, Any]:
    """What a process sees whose package was changed."""
    shutil.copytree(
        ROOT / "bqx", tmp_path / "bqx", ignore=shutil.ignore_patterns("__pycache__", "*.nb?")
    )
    change(tmp_path / "bqx")
    done = subprocess.run(
        [sys.executable, "-c", SEES, str(folder)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def replaced(path: str, old: str, new: str) -> Change:
    def change(package: Path) -> None:
        text = (package / path).read_text(encoding="utf-8")
        assert old in text
        (package / path).write_text(text.replace(old, new), encoding="utf-8")

    return change


def unlike(seen: dict[str, Any], now: dict[str, Any], what: str) -> set[str]:
    return {name for name, value in seen[what].items() if now[what][name] != value}


def reworded(package: Path) -> None:
    """Other docstrings and comments, and lines that moved."""
    for path in ("features/rolling/sums.py", "cli.py"):
        text = (package / path).read_text(encoding="utf-8")
        text = text.replace('"""', '"""In other words: ', 1) + "\n# The end.\n"
        (package / path).write_text("# A line more.\n" + text, encoding="utf-8")


MINE = """
from bqx.features.families.calendar import CLOCK
from bqx.features.spec import Family, Output, read
FAMILIES = (Family("mine", "mine", read, {"": Output("1")}, ((),), (CLOCK,), "mine"),)
"""


def with_a_family(package: Path) -> None:
    (package / "features" / "families" / "mine.py").write_text(MINE, encoding="utf-8")


def test_other_words_change_nothing(seen: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    assert after(reworded, folder, tmp_path) == seen


def test_another_description_keeps_every_column(
    seen: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    change = replaced("features/families/calendar.py", '"clock and calendar"', '"the clock"')
    now = after(change, folder, tmp_path)
    assert (now["identities"], now["bundle"]) == (seen["identities"], "")


def test_a_changed_primitive_refuses_the_columns_that_use_it(
    seen: dict[str, Any], made: bundle.Bundle, folder: Path, tmp_path: Path
) -> None:
    # One character in the rolling maximum.
    change = replaced("features/rolling/sums.py", "min(3 * span,", "min(2 * span,")
    now = after(change, folder, tmp_path)
    changed = unlike(seen, now, "identities")
    assert "rate_moments_max_w20" in changed
    assert not changed & {"rate_sma_w5", "rate_rsi_w14", "rate_lag_w1", "clock_session_tokyo"}
    own = set(made.identities) & changed
    assert bool(own) == bool(now["bundle"])
    told = now["bundle"].partition("another identity of ")[2].partition("; expected")[0]
    assert set(filter(None, told.split(", "))) == own
    assert unlike(seen, now, "stages") >= {"02_features", "05_selection", "06_training"}


@pytest.mark.parametrize("reads", [True, False])
def test_a_bundle_is_refused_for_its_own_columns_alone(
    made: bundle.Bundle, tmp_path: Path, reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.save(tmp_path / "eurusd")
    own = next(iter(made.identities))
    foreign = next(name for name in catalog.FEATURES if name not in made.identities)
    name = own if reads else foreign
    kernel = catalog.FEATURES[name].family.kernel
    real = type(catalog.FEATURES[name]).identity.func

    def identity(feature: Any) -> str:
        return "changed" if feature.name == name else real(feature)

    assert callable(kernel)
    monkeypatch.setattr(type(catalog.FEATURES[name]), "identity", property(identity))
    if not reads:
        assert bundle.load(tmp_path / "eurusd").columns == made.columns
        return
    with pytest.raises(bundle.ArtefactError, match=f"another identity of {own}; expected"):
        bundle.load(tmp_path / "eurusd")


def test_a_new_family_keeps_every_bundle(
    seen: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    now = after(with_a_family, folder, tmp_path)
    assert now["identities"].keys() - seen["identities"].keys() == {"clock_mine"}
    assert unlike(seen, now, "identities") == set()
    assert now["bundle"] == ""


def test_a_stage_runs_again_for_the_code_that_it_reaches(
    seen: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    def change(package: Path) -> None:
        for path in ("learning/selection.py", "cli.py"):
            with (package / path).open("a", encoding="utf-8") as file:
                file.write("\nMORE = 1\n")

    now = after(change, folder, tmp_path)
    assert unlike(seen, now, "stages") == {"05_selection", "06_training"}
    assert unlike(seen, now, "identities") == set()


def test_a_notebook_is_of_the_code_that_its_cells_import() -> None:
    source = "from bqx.report import figures\nfrom bqx.stages import bars as stage\nimport numpy"
    modules = imports_of(source)
    assert {"bqx.report.figures", "bqx.stages.bars"} <= set(modules)
    both = module_hash("bqx.report.figures", "bqx.stages.bars")
    assert module_hash(*modules) == both != module_hash("bqx.stages.bars")


def test_identities_do_not_depend_on_the_process(seen: dict[str, Any]) -> None:
    code = (
        "import json; from bqx.features import catalog as c; "
        "print(json.dumps(c.identities(reversed(c.FEATURES.values()))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == seen["identities"]


def factory(step: float) -> Callable[[float], float]:
    return lambda x: x + step


def test_functions_of_one_factory_and_lambdas_of_one_line_differ() -> None:
    one, other = (lambda x: x + 1.0), (lambda x: x + 2.0)
    assert code_hash(one) != code_hash(other)
    assert code_hash(factory(1.0)) == code_hash(factory(1.0)) != code_hash(factory(2.0))
    assert len({f.identity for f in catalog.FEATURES.values()}) == len(catalog.FEATURES)
