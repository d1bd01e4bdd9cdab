import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import papermill
import pytest
import yaml

from bqx import cli
from bqx.errors import BqxError
from bqx.features.catalog import profile, tables
from bqx.params import NOTEBOOK_KEYS
from bqx.serving import captured

CI = Path(__file__).parents[1] / "params" / "ci.yaml"


@pytest.fixture
def calls(monkeypatch):
    """What the command line passes on to report and serving."""
    made: list[tuple] = []
    report = ModuleType("bqx.report.runner")
    report.run = lambda *given: made.append(given) or Path("index.html")  # type: ignore[attr-defined]
    app = ModuleType("bqx.serving.app")
    app.serve = lambda *given, **named: made.append((*given, named))  # type: ignore[attr-defined]
    serving = ModuleType("bqx.serving")
    serving.app, serving.captured = app, captured  # type: ignore[attr-defined]
    for module in (report, serving, app):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("bqx.report.runner", report, raising=False)
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
    assert printed.err == (
        "bqx: --set: unknown parameter, got 'sed'; expected another. Did you mean 'seed'?\n"
    )
    assert calls == []


def test_the_file_may_stand_behind_set(calls):
    cli.main(["run", "--set", "seed=3", "days=40", str(CI)])
    assert (calls[0][0].seed, calls[0][0].days) == (3, 40)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["feature", "NAME", "--features", "own.py", "DIR"], {"name": "NAME", "place": "DIR"}),
        (["feature", "NAME", "--features", "own.py"], {"name": "NAME", "place": None}),
        (["alert", "a", "--server", "url", "b"], {"measurements": ["a", "b"]}),
        (["compare", "a", "b"], {"runs": [Path("a"), Path("b")]}),
        (["run", "--out", "x", "FILE", "--set", "seed=3"], {"params": Path("FILE")}),
    ],
)
def test_options_may_stand_between_words(arguments, words):
    asked = vars(cli._parser().parse_args(arguments))
    assert {name: asked[name] for name in words} == words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "seed=3"], "bqx: FILE: not there, got no file of parameters; expected one such"),
        ([str(CI), "--set", "seed=x"], "bqx: --set: seed has a wrong value, got 'x'"),
        ([str(CI), "--set", "seed=3", "seed=4"], "--set: seed twice, got '4' after 3; expected"),
        ([str(CI), "--set", "test_groups=9"], "bqx: --set: groups: expected at least 2 more"),
        ([str(CI), "--set", "profile=coer"], "Did you mean 'core'?"),
        ([str(CI), "--set", "market=plantd"], "Did you mean 'planted'?"),
        ([str(CI), "--set", "models=[xgbost]"], "'xgbost' may mean 'xgboost'."),
        ([str(CI), "--set", "signal=mine"], "signal has a wrong value, got 'mine'"),
        ([str(CI), "--set", "exclude=[a-b]"], "expected a list of families, tables or patterns"),
    ],
)
def test_a_wrong_value_is_blamed_on_where_it_stands(arguments, message, calls, capsys):
    assert cli.main(["run", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert calls == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("settings={ridge: {alpa: 3}}", "settings: ridge has no such setting, got 'alpa'"),
        ("signal=absent.py:side", "signal: not there, got 'absent.py:side'"),
        ("features=[absent.py]", "features: cannot be imported"),
        ("include=[nonsense_*]", "include: no feature is called so, got 'nonsense_*'"),
        ("days=1", "too few for a fold, got 1 trading days"),
    ],
)
def test_parameters_are_shown_only_where_a_run_would_begin(override, message, capsys):
    assert cli.main(["params", str(CI), "--set", override]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""


def test_papermill_is_given_what_a_notebook_knows_and_nothing_else(tmp_path, capsys, caplog):
    for stem, keys in NOTEBOOK_KEYS.items():
        assert cli.main(["params", str(CI), "--notebook", stem[:2]]) == 0
        (tmp_path / "own.yaml").write_text(capsys.readouterr().out)
        assert set(yaml.safe_load((tmp_path / "own.yaml").read_text())) == set(keys)
        source = Path(__file__).parents[1] / "notebooks" / f"{stem}.ipynb"
        papermill.execute_notebook(
            source,
            tmp_path / "out.ipynb",
            papermill.iorw.read_yaml_file(str(tmp_path / "own.yaml")),
            prepare_only=True,
        )
    assert "unknown parameter" not in caplog.text
    assert cli.main(["params", str(CI), "--notebook", "99"]) == 2
    assert "--notebook: no such notebook" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["bars", ""], ["certify", "--bars", ""], ["params", ""]])
def test_an_empty_name_is_no_folder(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "got an empty name; expected a folder or a file" in capsys.readouterr().err


def test_other_errors_are_not_swallowed(calls, monkeypatch, capsys):
    def fail(*given):
        raise ValueError("a defect")

    monkeypatch.setattr(sys.modules["bqx.report.runner"], "run", fail)
    with pytest.raises(ValueError, match="a defect"):
        cli.main(["run", str(CI)])

    def stop(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["bqx.report.runner"], "run", stop)
    assert cli.main(["run", str(CI)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_termination_ends_a_command_as_an_interrupt_does(calls, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)

    def terminate(*given):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr(sys.modules["bqx.report.runner"], "run", terminate)
    assert cli.main(["run", str(CI)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture
def interruptible():
    """Ctrl-C interrupts, though a shell has what it starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_name_that_is_no_utf_8_is_told(tmp_path, capsys):
    place = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xffdir")
    assert cli.main(["verify", place]) == 2
    assert "a name with bytes that are no UTF-8, got surrogates" in capsys.readouterr().err


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("seconds", [0, 5])
def test_an_interrupt_that_a_callback_loses_comes_again(calls, monkeypatch, capsys, seconds):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]

    def lose(*given):
        # As LLVM calls back when it has compiled: what is raised there ends there.
        ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()
        time.sleep(seconds)
        raise RuntimeError("no compiled object yet")

    monkeypatch.setattr(sys.modules["bqx.report.runner"], "run", lose)
    told = sys.unraisablehook
    assert cli.main(["run", str(CI)]) == 130
    printed = capsys.readouterr().err
    assert printed == "bqx: interrupted; run the same command again\n"
    assert sys.unraisablehook is told
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)] == handlers


def test_failed_notebook_has_status_two(calls, monkeypatch, capsys):
    def fail(*given):
        raise BqxError("06_training.ipynb cell 4: failed\nKeyError: 'x'")

    monkeypatch.setattr(sys.modules["bqx.report.runner"], "run", fail)
    assert cli.main(["run", str(CI)]) == 2
    assert capsys.readouterr().err == "bqx: 06_training.ipynb cell 4: failed\nKeyError: 'x'\n"


@pytest.mark.parametrize("option", ["--capture", "--state"])
def test_serve_refuses_a_place_that_nothing_can_be_written_to(
    calls, option, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv(captured.PLACE, "")
    (tmp_path / "file").touch()
    words = ["--live", "feed", option, str(tmp_path / "file" / "here")]
    assert cli.main(["serve", "runs/ci/bundles", *words]) == 2
    assert "cannot be used" in capsys.readouterr().err
    assert not calls


def test_serve_passes_folder_and_port_on(calls):
    options = ["--port", "9000", "--unapproved", "--pair", "eurusd"]
    assert cli.main(["serve", "runs/ci/bundles", *options]) == 0
    assert cli.main(["serve", "runs/registry/files"]) == 0
    live = ["--live", "feed", "--history", "bars", "--state", "live.npz"]
    assert cli.main(["serve", "runs/ci/bundles", *live]) == 0
    no_feed = {"feed": "", "history": None, "state": None}
    fed = {"feed": "feed", "history": Path("bars"), "state": Path("live.npz")}
    assert calls == [
        (Path("runs/ci/bundles"), 9000, {"pair": "eurusd", "unapproved": True} | no_feed),
        (Path("runs/registry/files"), 8080, {"pair": "", "unapproved": False} | no_feed),
        (Path("runs/ci/bundles"), 8080, {"pair": "", "unapproved": False} | fed),
    ]


def test_catalog_lists_every_feature_and_counts(capsys):
    assert cli.main(["catalog"]) == 0
    listed, counted = capsys.readouterr().out.split("\n\n")
    lines = [line.split("\t") for line in listed.splitlines()]
    assert lines[0] == ["name", "alias", "table", "unit", "lookback", "laggable"]
    assert [line[0] for line in lines[1:]] == [feature.name for feature in profile()]
    assert {len(line) for line in lines} == {6}
    counts = {table: int(n) for table, n in (line.split("\t") for line in counted.splitlines())}
    total = counts.pop("total")
    assert counts == {table: len(members) for table, members in tables(profile()).items()}
    assert total == sum(counts.values()) == len(profile())


def test_compile_runs_every_family(capsys):
    assert cli.main(["compile", "--profile", "core"]) == 0
    written = capsys.readouterr()
    families = {feature.family.name for feature in profile("core")}
    assert written.out == f"{len(families)} families compiled\n"
    assert f"{len(families)}/{len(families)}" in written.err


def test_catalog_as_json(capsys):
    assert cli.main(["catalog", "--json", "--profile", "full"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told["features"]] == [feature.name for feature in profile()]
    assert told["features"][0] == {
        key: profile()[0].row()[key]
        for key in ("name", "alias", "table", "unit", "lookback", "laggable", "title", "formula")
    }
    assert told["total"] == sum(told["tables"].values()) == len(profile())


@pytest.mark.parametrize(
    "command",
    [["catalog"], ["certify", "--bars", "x"], ["build", "--bars", "x", "--out", "y"]],
)
def test_an_unknown_profile_is_an_error(command, capsys):
    assert cli.main([*command, "--profile", "fool"]) == 2
    assert "profile: unknown profile, got 'fool'; expected one of" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["certify", "--cuts", "3"], ["build", "--out", "out"], ["build", "--out", "out",
                "--pairs", "eurusd"]],
)  # fmt: skip
def test_bars_that_are_not_there_are_an_error(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for bars in ("nowhere", "empty"):
        assert cli.main([*command, "--bars", bars]) == 2
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1
        assert "no bar files, got" in printed


def test_reader_that_has_seen_enough_ends_the_list():
    command = f"{sys.executable} -m bqx catalog | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("name\talias")
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["dance"], ["run", str(CI), "--form", "06"], ["certify"], ["build"],
        ["build", "--bars", "x"],
        ["certify", "--bars", "x", "--profile", "v1", "--features", "mine"],
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_status_two(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: bqx" in capsys.readouterr().err


def test_a_run_without_a_file_asks_for_one(capsys):
    assert cli.main(["run"]) == 2
    assert "got no file of parameters; expected one such as" in capsys.readouterr().err


INTERRUPTED = """
import asyncio, os, signal
from bqx import cli

async def cell():
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(5.0)

def run(*arguments):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(loop.create_task(cell()))

cli._bars = run
raise SystemExit(cli.main(["bars", "."]))
"""


def test_a_run_that_is_ended_says_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 130
    assert done.stderr == "bqx: interrupted; run the same command again\n"
