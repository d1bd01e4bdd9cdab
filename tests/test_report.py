import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bar_files import market
from nbformat import v4
from offline import foreign

from bqx.errors import ArtefactError, BqxError, ParameterError
from bqx.params import Params
from bqx.report import beforehand, runner
from bqx.runs import run as store
from bqx.runs.run import Run
from bqx.stages.bars import build

WRITE = """\
from bqx.params import for_notebook, NOTEBOOK_KEYS
from bqx.runs.run import Run
params = for_notebook({stem!r}, globals())
run = Run.open(params.folder, params)
with run.stage({stem!r}, NOTEBOOK_KEYS[{stem!r}], {inputs}) as stage:
    stage.write_json({path!r}, {value})
"""

BARS = WRITE.format(stem="01_bars", inputs=(), path="bars/dataset.json", value="seed")
LAGS = WRITE.format(stem="04_lagging", inputs=["bars"], path="columns.json", value="lags")


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A tiny project: two notebooks and a book of three pages."""
    monkeypatch.setattr(runner.verdict, "write", verdict)
    front = {"index": "# Front\n\n$S(n) = n^2$\n"}
    monkeypatch.setattr(runner.book.front_page, "pages", lambda run: front)
    monkeypatch.setattr(runner.book.asked, "page", lambda run, pages: "---\norphan: true\n---\n# A")
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / "book").mkdir()
    for name in ("_config.yml", "conf.py"):
        shutil.copy(Path(__file__).parents[1] / "book" / name, root / "book")
    toc = "format: jb-book\nroot: index\nchapters:\n- file: notebooks/01_bars\n"
    (root / "book" / "_toc.yml").write_text(toc + "- file: notebooks/04_lagging\n")
    notebook(root, "01_bars", "out = 'x'\nseed = 9", BARS, "print('seed is', seed)")
    notebook(root, "04_lagging", "out = 'x'\nlags = [1]", LAGS)
    return root


def verdict(run: Run) -> dict[str, Any]:
    for name in ("verdict.json", "verdict.pdf"):
        (run.folder / name).write_text("{}")
    return {"ledger": {"faults": ["A trial lacks."]}}


def notebook(root: Path, stem: str, parameters: str, *code: str) -> Path:
    cells = [
        v4.new_markdown_cell(f"# {stem}\n\nWhat it does."),
        v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *(v4.new_code_cell(textwrap.dedent(text)) for text in code),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    path = root / "notebooks" / f"{stem}.ipynb"
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
    return path


def params(root: Path, **values: object) -> Params:
    return Params(out=str(root / "run"), lags=(60, 120), **values)


def outcomes(printed: str) -> dict[str, str]:
    """Outcome per notebook of the printed lines, seconds as 'ran'."""
    lines = [line.split() for line in printed.splitlines()]
    return {line[-3] if line[-1] == "s" else line[-2]: line[-1].replace("s", "ran", 1)
            for line in lines if "/" in line[0]}  # fmt: skip


def test_run_executes_builds_keeps_and_repeats(sources, capsys, monkeypatch):
    index = runner.run(params(sources, seed=5), sources=sources)
    folder = sources / "run"
    assert index == folder / "book" / "index.html"
    printed = capsys.readouterr()
    assert outcomes(printed.out) == {"01_bars": "ran", "04_lagging": "ran"}
    assert "note: A trial lacks. The trials are at least so many" in printed.err
    assert store.read_json(folder / "bars/dataset.json") == 5
    assert store.read_json(folder / "columns.json") == [60, 120]
    manifest = store.read_json(folder / "manifest.json")
    assert manifest["params"]["seed"] == 5
    assert set(manifest["notebooks"]) == {"01_bars", "04_lagging"}
    assert {path.name for path in folder.iterdir()} == {
        ".lock", ".stages", "bars", "book", "columns.json", "manifest.json", "notebooks",
        "verdict.json", "verdict.pdf",
    }  # fmt: skip
    page = (folder / "book" / "notebooks" / "01_bars.html").read_text()
    assert "seed is 5" in page
    assert "print(" not in page
    assert 'href="../_sources/notebooks/01_bars.ipynb"' in page
    assert (folder / "book" / "_sources" / "notebooks" / "01_bars.ipynb").exists()
    assert (folder / "book" / "verdict.json").read_text() == "{}"
    assert "Front" in index.read_text()
    assert "mathjax" in index.read_text().lower()
    assert foreign(folder / "book") == []
    # What jupyter-book builds as well.
    assert {path.name for path in (folder / "book" / "_sources").iterdir()} == {
        "_config.yml", "_toc.yml", "asked.md", "catalog.md", "conf.py", "cost.md", "index.md",
        "notebooks",
    }  # fmt: skip

    built = []
    monkeypatch.setattr(runner.book, "build", lambda *rest: built.append(rest))
    runner.run(params(sources, seed=5), sources=sources)
    assert outcomes(capsys.readouterr().out) == {"01_bars": "kept", "04_lagging": "kept"}
    runner.run(params(sources, seed=5), "04", sources)
    assert outcomes(capsys.readouterr().out) == {"01_bars": "kept", "04_lagging": "ran"}
    (folder / "columns.json").write_text("damaged")
    runner.run(params(sources, seed=5), sources=sources)
    assert outcomes(capsys.readouterr().out) == {"01_bars": "kept", "04_lagging": "ran"}
    hashes = Run.open(folder, params(sources)).outputs
    runner.run(params(sources, seed=6), sources=sources)
    assert outcomes(capsys.readouterr().out) == {"01_bars": "ran", "04_lagging": "ran"}
    runner.run(params(sources, seed=5), sources=sources)
    assert Run.open(folder, params(sources)).outputs == hashes
    assert len(built) == 5


def test_first_failing_cell_stops_the_run(sources, capsys):
    notebook(sources, "01_bars", "out = 'x'\nseed = 1", "1 + 1", "a = 1\nraise KeyError('no such')")
    with pytest.raises(BqxError) as caught:
        runner.run(params(sources), sources=sources)
    message = str(caught.value)
    folder = sources / "run"
    failed = folder / "failed" / "01_bars.ipynb"
    assert message == (
        "01_bars.ipynb cell 4: failed, got KeyError: 'no such'; expected it to run. "
        f"See its traceback in {failed}."
    )
    assert "Traceback" in failed.read_text()
    assert not (folder / "notebooks" / "01_bars.ipynb").exists()
    assert not (folder / "book").exists()
    assert store.read_json(folder / "manifest.json")["notebooks"] == {}
    assert outcomes(capsys.readouterr().out) == {}


def test_an_own_error_of_a_cell_is_one_line(sources):
    code = "from bqx.errors import BarError\nraise BarError('x.csv: no bars, got 0.\\nMend it.')"
    notebook(sources, "01_bars", "out = 'x'\nseed = 1", code)
    with pytest.raises(BqxError) as caught:
        runner.run(params(sources), sources=sources)
    assert str(caught.value).startswith(
        "01_bars.ipynb cell 3: failed, since x.csv: no bars, got 0. Mend it. See its traceback in"
    )


def test_notebooks_run_on_the_interpreter_that_runs_bqx(sources, tmp_path, monkeypatch):
    foreign = tmp_path / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    spec = {"argv": ["/nowhere/python", "{connection_file}"], "display_name": "x"}
    (foreign / "kernel.json").write_text(json.dumps(spec | {"language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    check = f"import sys\nassert sys.executable == {sys.executable!r}"
    notebook(sources, "01_bars", "out = 'x'\nseed = 1", check, "raise KeyError('here')")
    with pytest.raises(BqxError, match="cell 4: failed, got KeyError: 'here'"):
        runner.run(params(sources), sources=sources)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"days": 1}, "too few for a fold, got 1 trading days; expected at least 46: train_days"),
        ({"train_days": 100}, "too few for a fold, got 60 trading days; expected at least 126"),
        (
            {"days": 10}
            | dict.fromkeys(("train_days", "validation_days", "test_days"), 0)
            | {"step_days": 0},
            "bars: too few for a fold, got 8 trading days; expected at least 10: train_days",
        ),
        ({"models": ("absent.py:Mine",)}, "models: not there, got 'absent.py:Mine'"),
        ({"features": ("absent.py",)}, "features: cannot be imported"),
        ({"settings": {"ridge": {"alpa": 3}}}, "settings: ridge has no such setting, got 'alpa'"),
        ({"ranges": {"ridge": {"alpa": (1, 3)}}}, "ranges: ridge has no such setting, got 'alpa'"),
        ({"scheme": "combinatorial", "days": 3}, ""),
        ({"bars": "/nope"}, "/nope: no bars, got neither a folder nor a file"),
        ({"out": "/proc/x"}, "/proc/x: no run folder, got"),
        ({"out": "/dev/null"}, "/dev/null: no run folder, got"),
    ],
)
def test_parameters_that_cannot_fit_are_refused_before_anything_runs(sources, values, message):
    with pytest.raises(BqxError) as caught:
        runner.run(Params(**{"out": str(sources / "run")} | values), sources=sources)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (sources / "run").exists()


def test_a_model_that_cannot_be_made_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nfrom bqx.learning.models import Model\n"
        "@dataclass\nclass Mine(Model):\n    depth: int\n"
    )
    values = Params(models=("mine.py:Mine",))
    with pytest.raises(ParameterError, match=r"models: mine.py:Mine cannot be made, got TypeErr"):
        beforehand.check(values)
    beforehand.check(values.model_copy(update={"settings": {"mine.py:Mine": {"depth": 3}}}))


@pytest.mark.parametrize(
    ("model", "settings", "reason"),
    [
        ("forest", {"max_depth": "deep"}, "XGBoostError Invalid Parameter format for max_depth"),
        ("xgboost", {"learning_rate": -3}, "XGBoostError value -3 for Parameter learning_rate"),
        ("forest", {"n_estimators": 0}, "ZeroDivisionError"),
    ],
)
def test_a_wrong_value_of_a_setting_is_refused_before_anything_runs(model, settings, reason):
    values = Params(models=(model,), settings={model: settings})
    with pytest.raises(ParameterError, match=f"settings: {model} cannot be fitted.*{reason}"):
        beforehand.check(values)


@pytest.mark.parametrize(("lacks", "message"), [
    (slice("2024-02-05 20:00", None), "gbpusd fold 0: no test rows, got no bars from 2024-02-"),
    (slice("2024-01-20", None), "gbpusd fold 0: no validation rows, got no labels from 2024-01-31"),
])  # fmt: skip
def test_bars_that_a_fold_cannot_learn_from_are_refused_before_features(tmp_path, lacks, message):
    (tmp_path / "bars").mkdir()
    frame = market("2024-01-07 22:00", "2024-02-16 21:59", every=2)
    gone = frame.index.isin(frame.loc[lacks].index[:-1])
    for pair, of_pair in {"eurusd": frame, "gbpusd": frame[~gone]}.items():
        of_pair.to_csv(tmp_path / "bars" / f"{pair}.csv")
    values = Params(
        bars=str(tmp_path / "bars"), out=str(tmp_path / "run"), pairs=(),
        train_days=18, validation_days=3, test_days=5, step_days=5, stride=1, gap=True,
    )  # fmt: skip
    run = Run.open(values.folder, values)
    build(values)
    with pytest.raises(ParameterError, match=message):
        beforehand.check_bars(values, run)


def test_dead_kernel_is_named(sources):
    notebook(sources, "01_bars", "out = 'x'\nseed = 1", "import os\nos._exit(1)")
    with pytest.raises(BqxError, match=r"01_bars.ipynb cell 3: failed, got a dead kernel"):
        runner.run(params(sources), sources=sources)


def test_failed_book_leaves_the_previous_one(sources, monkeypatch):
    before = sources / "run" / "book"
    before.mkdir(parents=True)
    (before / "index.html").write_text("previous")
    broken = {"index": "# Front\n\n[x](absent.md)\n"}
    monkeypatch.setattr(runner.book.front_page, "pages", lambda run: broken)
    with pytest.raises(BqxError, match=r"(?s)book: not built.*absent\.md"):
        runner.run(params(sources), sources=sources)
    assert (before / "index.html").read_text() == "previous"


KILLED = """
import sys
from pathlib import Path
from bqx.report import runner
from bqx.params import Params
from bqx.report import runner
root = Path(sys.argv[1])
runner.run(Params(out=str(root / "run")), sources=root)
"""


def test_killed_run_goes_on_where_it_was(sources, capsys, monkeypatch):
    slow = notebook(
        sources, "04_lagging", "out = 'x'\nlags = [1]", "from pathlib import Path",
        "Path(out, 'reached').touch()", "import time; time.sleep(600)",
    )  # fmt: skip
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(sources)])
    reached = sources / "run" / "reached"
    deadline = time.monotonic() + 300
    while not reached.exists():
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.05)
    with pytest.raises(ArtefactError, match="another run works in it"):
        runner.run(params(sources), sources=sources)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not (sources / "run" / "notebooks" / slow.name).exists()
    notebook(sources, "04_lagging", "out = 'x'\nlags = [1]", LAGS)
    half_written = sources / "run" / "models" / ".eurusd.7.tmp"
    half_written.mkdir(parents=True)
    (half_written / "bundle.json").write_text("{")
    monkeypatch.setattr(runner.book, "build", lambda *rest: None)
    runner.run(Params(out=str(sources / "run")), sources=sources)
    assert outcomes(capsys.readouterr().out) == {"01_bars": "kept", "04_lagging": "ran"}
    assert not half_written.exists()


def test_a_disk_that_is_full_is_told_with_the_file(sources, monkeypatch):
    def full(*_args, **_keywords):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(runner.papermill, "execute_notebook", full)
    with pytest.raises(OSError, match=r"No space left on device: .*failed/01_bars.ipynb"):
        runner.run(params(sources), sources=sources)


def test_upstream_artefacts_and_sources_are_part_of_the_key(sources):
    run = Run.open(sources / "run", params(sources))
    path = sources / "notebooks" / "04_lagging.ipynb"
    key = runner._key(run, path)
    assert runner._key(run, path) == key
    with run.stage("01_bars", []) as stage:
        stage.write_json("bars/dataset.json", 1)
    upstream = runner._key(run, path)
    assert upstream != key
    notebook(sources, "04_lagging", "out = 'x'\nlags = [2]", LAGS)
    assert runner._key(run, path) != upstream


@pytest.mark.parametrize(
    ("stem", "named"),
    [
        ("02_features", {"features": ["mine.py"]}),
        ("06_training", {"models": ["ridge", "mine.py:Mine"]}),
        ("08_backtest", {"signal": "mine.py:side"}),
    ],
)
@pytest.mark.parametrize("changed", ["mine.py", "beside.py", "kit/deep.py"])
def test_a_users_own_code_is_part_of_the_key(sources, monkeypatch, stem, named, changed):
    monkeypatch.chdir(sources)
    path = notebook(sources, stem, "out = 'x'")
    run = Run.open(sources / "run", params(sources, **named))
    (sources / "kit").mkdir()
    code = {
        "mine.py": "import numpy as np\nfrom beside import f",
        "beside.py": "import kit.deep",
        "kit/deep.py": "import beside",
        "elsewhere.py": "",
    }
    for name, text in code.items():
        (sources / name).write_text(text)
    key = runner._key(run, path)
    (sources / "elsewhere.py").write_text("1")
    assert runner._key(run, path) == key
    (sources / changed).write_text(f"{code[changed]}\nX = 1")
    assert runner._key(run, path) != key


def test_files_of_bars_are_part_of_the_first_key(sources, tmp_path):
    feed = tmp_path / "feed"
    feed.mkdir()
    (feed / "eurusd.csv").write_text("1")
    path = sources / "notebooks" / "01_bars.ipynb"
    for bars in (feed, feed / "eurusd.csv"):
        run = Run.open(sources / "run", params(sources, bars=str(bars)))
        (feed / "eurusd.csv").write_text("1")
        key = runner._key(run, path)
        (feed / "eurusd.csv").write_text("2")
        assert runner._key(run, path) != key


def test_unknown_notebooks_and_stages(sources, tmp_path):
    with pytest.raises(ParameterError, match=r"--from: no such notebook, got '3'; .*01_bars, 04_"):
        runner.run(params(sources), "3", sources)
    notebook(sources, "11_extra", "out = 'x'")
    with pytest.raises(ParameterError, match=r"11_extra.ipynb: its parameters are unknown"):
        runner.run(params(sources), sources=sources)
    with pytest.raises(ArtefactError, match="no notebooks"):
        runner.run(params(sources), sources=tmp_path)


def test_foreign_addresses_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html">https://x.org</a> <img alt="" src="https://x.org/i.png">'
        "<script src=//x.org/s.js></script><a href='http://y.org'>"
    )
    (tmp_path / "s.css").write_text("@import 'https://z.org/s.css'; a{background:url(//z.org/i)}")
    assert foreign(tmp_path) == [
        "a.html: https://x.org/i.png", "a.html: //x.org/s.js", "a.html: http://y.org",
        "s.css: https://z.org/s.css", "s.css: //z.org/i",
    ]  # fmt: skip


def doubted(*ratios: float | None) -> str:
    facts = {"market": "files", "drifted_share": 0.0, "account": "retail"}
    facts |= dict.fromkeys(("slippage", "commission", "markup"), 0.0)
    rows = [{"known_r2": 0.0, "r2": 0.0}]
    cells = [{"net_sharpe": ratio} for ratio in ratios]
    return " ".join(runner.book.front_page.doubts({"run": facts, "horizons": rows, "cells": cells}))


def test_a_doubt_says_of_how_many_cells_it_is() -> None:
    assert "2 of 3 cells of a pair and horizon have a net Sharpe ratio beyond 2" in doubted(3, 5, 0)
    assert "beyond 2" not in doubted(-9.0, 1.0, None)
    assert "1 of 3 cells hardly traded, or not: no Sharpe ratio is given of it." in doubted(
        -9.0, 1.0, None
    )
