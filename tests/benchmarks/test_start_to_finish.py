"""A whole run of 18 months: bars, v3's features, selection, models, backtest, and the book.

``BQX_WHOLE`` names the numbers of pairs that are run, ``2,4`` where it is not set; the time of 28
is reckoned from how it grows where 28 is not among them. The least number is run through Dask too.
"""

import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import page
import pytest
from measure import Goal, peak, python

from bqx import cli
from bqx.files import digest, read_json
from bqx.market.pairs import LIQUIDITY
from bqx.parallel import Backend
from bqx.runs import artefacts

pytestmark = pytest.mark.benchmarks

COUNTS = tuple(sorted(int(count) for count in os.environ.get("BQX_WHOLE", "2,4").split(",")))
ROOT = Path(cli.__file__).parents[1]
DAYS = 546
SETTINGS = (
    *(f"days={DAYS}", "scheme=rolling", "train_days=0", "validation_days=0", "test_days=0"),
    *("step_days=0", "stride=15", "workers=2", "models=[pooled_ridge, forest, xgboost]"),
    "settings={forest: {n_estimators: 100, max_depth: 10}}",
)
"""Eighteen months in five folds, a row in fifteen, as ``params/real.yaml`` has it."""


def whole(pairs: int, folder: Path, backend: Backend = "processes") -> dict[str, Any]:
    """Minutes, peak memory and bytes of a run from start to finish, minutes by notebook, scores."""
    out, chosen = folder / "run", f"pairs=[{', '.join(LIQUIDITY[:pairs])}]"
    command = python(
        *("-m", cli.__name__, "run", str(ROOT / "params" / "v3.yaml")),
        *("--set", chosen, f"backend={backend}", *SETTINGS, "--out", str(out)),
    )
    start = time.perf_counter()
    memory = peak(command)
    minutes = (time.perf_counter() - start) / 60.0
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e9
    notebooks = read_json(out / "manifest.json")["notebooks"]
    spent = {name: own["seconds"] / 60.0 for name, own in notebooks.items()}
    spent["book"] = minutes - sum(spent.values())
    scores = read_json(out / artefacts.SCORES.path())
    return {"pairs": pairs, "minutes": minutes, "peak_gb": memory, "gb": size, "notebooks": spent,
            "scores": scores}  # fmt: skip


def reckoned(runs: list[dict[str, Any]], what: Callable[[dict[str, Any]], float]) -> float:
    """What 28 pairs take, on the line through the runs, or of their own run."""
    if runs[-1]["pairs"] == len(LIQUIDITY):
        return what(runs[-1])
    slope, level = np.polyfit([run["pairs"] for run in runs], [what(run) for run in runs], 1)
    return float(level + slope * len(LIQUIDITY))


def test_a_run_from_start_to_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: dict[str, Any]
) -> None:
    monkeypatch.setenv("BQX_LEDGER", str(tmp_path / "ledger"))
    # The first run would compile for all, and the line through both would slope less.
    subprocess.run(python("-m", cli.__name__, "compile"), check=True)
    runs = []
    for count in COUNTS:
        (tmp_path / str(count)).mkdir()
        runs.append(whole(count, tmp_path / str(count)))
        print({name: value for name, value in runs[-1].items() if name != "scores"}, flush=True)
    results["scores"] = digest(runs[0]["scores"])
    measures: dict[str, Callable[[dict[str, Any]], float]] = {
        name: partial(notebook, name) for name in runs[0]["notebooks"]
    }
    measures |= {name: itemgetter(name) for name in ("minutes", "peak_gb", "gb")}
    results["pairs"] = [run["pairs"] for run in runs]
    results["runs"] = {name: [*map(of, runs), reckoned(runs, of)] for name, of in measures.items()}
    how = f"from runs of {' and '.join(map(str, COUNTS))}"
    known = runs[-1]["pairs"] == len(LIQUIDITY)
    what = "28 pairs, 18 months, v3, three models, start to finish"
    Goal(
        what if known else f"{what}, {how}", results["runs"]["minutes"][-1], 90.0, 600.0,
        "minutes", "the fits of five folds take most of it", more=False,
    ).check(results)  # fmt: skip
    Goal(
        f"{what}: memory" if known else f"{what}: memory, {how}", results["runs"]["peak_gb"][-1],
        8.0, 20.0, "GB", "bars of all pairs are in each process", more=False,
    ).check(results)  # fmt: skip


def test_the_same_through_dask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: dict[str, Any]
) -> None:
    """The least number of pairs of the run above, which may be one that was recorded before."""
    monkeypatch.setenv("BQX_LEDGER", str(tmp_path / "ledger"))
    known = results if "scores" in results else read_json(page.RESULTS)[Path(__file__).stem]
    spread = whole(known["pairs"][0], tmp_path, "dask")
    results["dask"] = {"minutes": spread["minutes"], "gb": spread["peak_gb"]}
    assert digest(spread["scores"]) == known["scores"]


def notebook(name: str, run: dict[str, Any]) -> float:
    """Minutes of a notebook of a run, or of its book."""
    return float(run["notebooks"][name])
