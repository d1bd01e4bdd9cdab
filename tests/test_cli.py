import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bqx import cli
from bqx.errors import BqxError
from bqx.features.catalog import FEATURES

CI = Path(__file__).parents[1] / "params" / "ci.yaml"


@pytest.fixture
def calls(monkeypatch):
    """What the command line passes on to report and serving."""
    made: list[tuple] = []
    report = ModuleType("bqx.report")
    report.run = lambda *given: made.append(given) or Path("index.html")  # type: ignore[attr-defined]
    app = ModuleType("bqx.serving.app")
    app.serve = lambda *given: made.append(given)  # type: ignore[attr-defined]
    serving = ModuleType("bqx.serving")
    serving.app = app  # type: ignore[attr-defined]
    for module in (report, serving, app):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("bqx.report", report, raising=False)
    return made


def test_run_passes_parameters_on(calls, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status = cli.main(
        ["run", str(CI), "--set", "market=null", "seed=3", "--set", "days=40", "--from", "06",
         "--out", "some where"]
    )  # fmt: skip
    ((params, from_stage),) = calls
    assert status == 0
    assert (params.market, params.seed, params.days, from_stage) == ("null", 3, 40, "06")
    assert params.folder == tmp_path / "some where"
    assert capsys.readouterr().out == "index.html\n"


def test_out_defaults_to_the_file(calls):
    cli.main(["run", str(CI)])
    assert calls[0][0].out == "runs/ci"
    assert calls[0][1] is None


def test_error_is_one_line_and_status_two(calls, capsys):
    assert cli.main(["run", str(CI), "--set", "sed=3"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("bqx: --set: unknown parameter, got 'sed'; expected one of out,")
    assert printed.err.endswith("Did you mean 'seed'?\n")
    assert printed.err.count("\n") == 1
    assert calls == []


def test_other_errors_are_not_swallowed(calls, monkeypatch, capsys):
    def fail(*given):
        raise ValueError("a defect")

    monkeypatch.setattr(sys.modules["bqx.report"], "run", fail)
    with pytest.raises(ValueError, match="a defect"):
        cli.main(["run", str(CI)])

    def stop(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["bqx.report"], "run", stop)
    assert cli.main(["run", str(CI)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_failed_notebook_has_status_two(calls, monkeypatch, capsys):
    def fail(*given):
        raise BqxError("06_training.ipynb cell 4: failed\nKeyError: 'x'")

    monkeypatch.setattr(sys.modules["bqx.report"], "run", fail)
    assert cli.main(["run", str(CI)]) == 2
    assert capsys.readouterr().err == "bqx: 06_training.ipynb cell 4: failed\nKeyError: 'x'\n"


def test_serve_passes_folder_and_port_on(calls):
    assert cli.main(["serve", "runs/ci/bundles", "--port", "9000"]) == 0
    assert cli.main(["serve", "runs/ci/bundles"]) == 0
    assert calls == [(Path("runs/ci/bundles"), 9000), (Path("runs/ci/bundles"), 8080)]


def test_catalog_lists_every_feature(capsys):
    assert cli.main(["catalog"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["name", *FEATURES]
    assert len({line.count("\t") for line in lines}) == 1
    assert cli.main(["catalog", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"]: row["lookback"] for row in rows} == {
        name: feature.lookback for name, feature in FEATURES.items()
    }


def test_reader_that_has_seen_enough_ends_the_list():
    command = f"{sys.executable} -m bqx.cli catalog | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("name\talias")
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [[], ["run"], ["dance"], ["run", str(CI), "--form", "06"]])
def test_wrong_usage_exits_with_status_two(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: bqx" in capsys.readouterr().err
