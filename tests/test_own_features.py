"""Features from a user's file: in the catalog, in a run's columns, never beside their proof."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bqx.errors import ParameterError
from bqx.features import catalog, own_modules
from bqx.market import simulated
from bqx.params import load

ROOT = Path(__file__).parents[1]

OWN = """
import numpy as np
from bqx.features.sources import RATE
from bqx.features.spec import Family, Output

def step(x, first_minute, window):
    out = np.full((len(x), 1), np.nan)
    out[window:, 0] = x[window:] - x[:-window]
    return out

FAMILIES = (
    Family("step", "mine", step, {"": Output("{u}")}, ((5,),), (RATE,), "mine",
           lookback=lambda window: window + 1),
)
"""

AHEAD = OWN.replace("out[window:, 0] = x[window:] - x[:-window]", "out[:-1, 0] = x[1:] - x[:-1]")

STAGES = """
import sys
from bqx.params import Params
from bqx.runs.run import Run
from bqx.stages import bars, features, lagging
params = Params(
    out=sys.argv[1], features=(sys.argv[2],), pairs=("eurusd", "gbpusd"), days=12, workers=2
)
bars.build(params)
shares = features.build(params)
grid = lagging.build(params)
own = grid[grid["feature"] == "rate_step_w5"]
missing = shares.loc[shares["feature"] == "rate_step_w5", "missing"].max()
run = Run.open(params.folder, params)
assert all(history.place for history in features.histories(run, bars.load(run).bars).values())
print(len(own), missing, features.republished(params))
print(own["identity"].iloc[0])
"""

SENDS = """
import sys
from joblib.externals import loky
from bqx.features import catalog, lags

def name_of(column):
    return column.name, column.feature.family.kernel.__name__

processes = loky.ProcessPoolExecutor(1)
processes.submit(str, 1).result()  # begun before the file is part of the catalog
(feature,) = catalog.adopt(sys.argv[1:])
print(*processes.submit(name_of, lags.Column(feature, 60, "_lag60")).result())
"""


def run(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine_of_a_test.py"
    path.write_text(OWN)
    return path


def test_a_run_computes_publishes_and_lags_them(file: Path, tmp_path: Path) -> None:
    first = run(STAGES, str(tmp_path / "run"), str(file))
    assert first.returncode == 0, first.stderr
    facts, identity = first.stdout.splitlines()[-2:]
    columns, missing, republished = facts.split()
    assert (int(columns), int(republished)) == (5, 0)
    assert float(missing) < 0.01
    file.write_text(OWN.replace("x[window:] - x[:-window]", "2 * (x[window:] - x[:-window])"))
    again = run(STAGES, str(tmp_path / "run"), str(file))
    assert again.returncode == 0, again.stderr
    # What is published by other code is written anew, and later notebooks run again.
    assert again.stdout.splitlines()[-2] == facts
    assert again.stdout.splitlines()[-1] != identity


def test_a_leak_stops_the_run_and_names_the_bar(file: Path, tmp_path: Path) -> None:
    file.write_text(AHEAD)
    done = run(STAGES, str(tmp_path / "run"), str(file))
    assert done.returncode == 1
    assert "features: not causal" in done.stderr
    assert "rate_step_w5: reads ahead" in done.stderr
    assert "1 minutes ahead" in done.stderr
    assert not list((tmp_path / "run" / "features").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (AHEAD, "rate_step_w5: reads ahead"),
        (OWN.replace("x[window:] -", "y[window:] -"), "rate_step_w5: its kernel fails"),
        (OWN.replace("return out", "return out[1:]"), "rate_step_w5: its kernel gives another"),
        (OWN.replace("len(x), 1", "len(x), 2"), "rate_step_w5: its kernel gives another array"),
    ],
    ids=["ahead", "fails", "rows", "columns"],
)
def test_no_tear_sheet_is_made_of_what_reads_ahead_or_fails(
    content: str, message: str, file: Path, tmp_path: Path
) -> None:
    file.write_text(content)
    frames = simulated.simulate("null", ("eurusd",), days=28).frames
    frames["eurusd"].reset_index().to_parquet(tmp_path / "eurusd.parquet")
    words = ["feature", "rate_step_w5", str(tmp_path / "eurusd.parquet"), "--features", str(file)]
    done = run("import sys; from bqx import cli; sys.exit(cli.main(sys.argv[1:]))", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Information coefficient" not in done.stdout


def test_a_process_that_began_before_finds_a_column(file: Path) -> None:
    sent = run(SENDS, str(file))
    assert sent.returncode == 0, sent.stderr
    assert sent.stdout.split() == ["rate_step_w5_lag60", "step"]


def test_two_files_of_one_name_are_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "also").mkdir()
    like = tmp_path / "also" / file.name
    like.write_text(OWN.replace('"step", "mine"', '"step_too", "mine"'))
    told = run("import sys; from bqx.features import catalog; catalog.adopt(sys.argv[1:])",
               str(file), str(like))  # fmt: skip
    assert told.returncode == 1
    assert "two files of one name" in told.stderr


def test_the_environment_names_files(file: Path) -> None:
    told = run(
        "from bqx.features import catalog; print('rate_step_w5' in catalog.FEATURES)",
        **{catalog.OWN: str(file)},
    )
    assert told.stdout == "True\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (OWN.replace('"step", "mine"', '"quadratic_r2", "mine"').replace("(5,)", "(15,)"), "taken"),
        ("FAMILIES = ()", "no families"),
        ("import absent_module", "cannot be imported"),
        (OWN.replace('"step", "mine"', '"MY feat!", "mine"'), "no name of a feature"),
    ],
)
def test_what_cannot_join_is_refused(content: str, message: str, file: Path) -> None:
    file.write_text(content)
    known = dict(catalog.FEATURES)
    try:
        with pytest.raises(ParameterError, match=message):
            catalog.adopt([str(file)])
    finally:
        sys.modules.pop(file.stem, None)
        own_modules._FILES.pop(file.stem, None)
    assert known == catalog.FEATURES
    assert catalog.adopted() == ()


def test_a_file_named_as_a_module_that_is_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text(OWN)
    with pytest.raises(ParameterError, match="another module is called json"):
        own_modules.families(str(path))


@pytest.mark.parametrize("value", ["my.py", ["my"], ["a.py", "a.py"], [5], ["a b.py"]])
def test_other_values_of_the_parameter_are_refused(value: object, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"features: {value!r}")
    with pytest.raises(ParameterError, match="features"):
        load(path)


def test_the_catalog_is_what_it_was() -> None:
    assert catalog.own() == ()
    assert catalog.plan("core") == catalog.LISTS.plan("core")
