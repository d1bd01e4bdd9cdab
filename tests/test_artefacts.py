"""Artefacts are declared in one place, and what they must hold is checked."""

import ast
from pathlib import Path

import pandas as pd
import pytest

import bqx
from bqx.errors import ArtefactError
from bqx.params import Params
from bqx.runs import artefacts
from bqx.runs.run import Run, write_json, write_parquet

PACKAGE = Path(bqx.__file__).parent
SOURCES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    # A published store has a catalog of its own, whether or not it lies in a run.
    if path not in (PACKAGE / "runs/artefacts.py", PACKAGE / "feature_store/month_file.py")
)
FOLDERS = tuple(f"{a.root}/" for a in artefacts.EVERY if a.root != a.pattern)
FILES = tuple(a.pattern for a in artefacts.EVERY if a.root == a.pattern and "." in a.pattern)


def texts(path: Path) -> list[str]:
    """Texts of a module that are no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_module_knows_the_path_of_an_artefact(path):
    assert [t for t in texts(path) if t.startswith(FOLDERS) or t in FILES] == []


def test_every_path_is_declared_once():
    patterns = [artefact.pattern for artefact in artefacts.EVERY]
    assert len(set(patterns)) == len(patterns) > 35


@pytest.fixture
def run(tmp_path):
    return Run.open(tmp_path / "run", Params())


def test_what_lacks_a_key_or_a_column_is_not_written(run):
    with run.stage("08_backtest", []) as stage:
        with pytest.raises(ArtefactError, match=r"netting\.json: 'saved' is missing, got netting"):
            artefacts.NETTING.write(stage, [{"netting": "none", "cost": 1.0}])
        with pytest.raises(ArtefactError, match=r"netting\.json: 'a list' is missing, got dict"):
            artefacts.NETTING.write(stage, {"netting": "none"})
    with run.stage("09_monitoring", []) as stage:
        frame = pd.DataFrame(
            {
                "feature": ["a"],
                "psi": [0.1],
                "threshold": [0.2],
                "drifted": [True],
                "pair": ["eurusd"],
            }
        )
        with pytest.raises(ArtefactError, match=r"drift\.parquet: 'fold' is missing"):
            artefacts.DRIFT.write(stage, frame)
        with pytest.raises(
            ArtefactError, match=r"column 'fold' has a wrong type, got float64; exp"
        ):
            artefacts.DRIFT.write(stage, frame.assign(fold=0.0))
        artefacts.DRIFT.write(stage, frame.assign(fold=0))
    assert artefacts.DRIFT.read(run)["fold"].tolist() == [0]


def test_what_was_written_otherwise_is_refused_and_the_notebook_named(run):
    with run.stage("09_monitoring", []) as stage:
        write_parquet(stage.path("drift/drift.parquet"), pd.DataFrame({"feature": ["a"]}))
        write_json(stage.path("split.json"), {"parameters": {}})
        stage.add("drift/drift.parquet", "split.json")
    with pytest.raises(ArtefactError, match="'pair' is missing.*Run 09_monitoring again"):
        artefacts.DRIFT.read(run)
    with pytest.raises(ArtefactError, match="'horizon' is missing.*Run 05_selection again"):
        artefacts.SPLIT.read(run)


def stopped(run):
    with run.stage("05_selection", []) as stage, stage.at_once():
        stage.write_json("selection/eurusd.json", [])
        assert stage.outputs == {}
        raise RuntimeError("stop")


def test_what_is_written_at_once_counts_together_or_not_at_all(run):
    with pytest.raises(RuntimeError, match="stop"):
        stopped(run)
    with run.stage("05_selection", []) as stage:
        assert not stage.done("selection")
        with stage.at_once():
            stage.write_json("selection/eurusd.json", [])
        assert list(stage.outputs) == ["selection/eurusd.json"]
