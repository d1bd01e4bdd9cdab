"""The page of what is asked, known and measured: computed from a run and what was recorded."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bqx.files import write_json
from bqx.learning.targets import known_share
from bqx.params import Params
from bqx.report import asked
from bqx.runs.run import Run

GRID = {"document": "v3", "printed": 2_640}


def verdict(**changes: Any) -> dict[str, Any]:
    horizon = {"r2": 0.496, "direction": 0.748, "coverage": 0.9}
    return {
        "run": {"target": "delta", "coverage": 0.9, "drifted_share": 0.01},
        "horizons": [horizon, horizon | {"r2": 0.514}],
        "information": {"skill": 0.002, "skill_lo": -0.001, "skill_hi": 0.005},
        "tradable": {"net_sharpe": 1.25, "net_sharpe_lo": -0.5, "net_sharpe_hi": 3.0},
        "promoted": {"cells": ["eurusd 15 min"], "of": 4},
    } | changes


def lines_of(folder: Path, own: dict[str, Any], **recorded: Any) -> list[list[str]]:
    write_json(folder / "verdict.json", dict.fromkeys(asked.artefacts.VERDICT.keys) | own)
    grids = [GRID | {"basis": "itemised", "columns": 3_427},
             GRID | {"basis": "implemented", "columns": 3_425}]  # fmt: skip
    shape = {"tables": [], "totals": [], "statements": [], "grids": grids}
    write_json(folder / "reconciliation.json", shape)
    (folder / "backtest").mkdir(exist_ok=True)
    cell = dict.fromkeys(("gross_sharpe", "net_sharpe", "net_sharpe_lo", "net_sharpe_hi"), None)
    write_json(folder / "cells.json", [])
    for name, content in recorded.items():
        write_json(folder / f"{name}.json", content)
    run = SimpleNamespace(folder=folder, params=Params(horizons=(15, 30)))
    with pytest.MonkeyPatch.context() as patch:
        rows = [cell | {"drawdown": 0.02, "accuracy": 0.4}, cell | {"drawdown": None,
                "accuracy": None}]  # fmt: skip
        patch.setattr(asked.artefacts, "CELLS", SimpleNamespace(read=lambda run: rows))
        patch.setattr(asked.artefacts, "RECONCILIATION", SimpleNamespace(read=lambda run: shape))
        text = asked.page(cast(Run, run), folder)
    return [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()
            if line.startswith("| ")][1:]  # fmt: skip


def by_what(rows: list[list[str]]) -> dict[tuple[str, str], list[str]]:
    return {(row[0], row[1]): row for row in rows}


def test_every_figure_of_the_documents_has_its_line(tmp_path: Path) -> None:
    rows = by_what(lines_of(tmp_path, verdict()))
    r2 = rows["R² of the run's target (delta)", "0.90 with all enhancements"]
    assert r2[2] == f"{known_share(15, 15, 'delta'):.2f}" == "0.50"
    assert r2[3] == "0.50 to 0.51"
    assert rows["direction", "75 to 77 %"][2:4] == ["75.0%", "74.8%"]
    assert rows["net Sharpe ratio a year", "above 1.5"][3] == "1.2, interval -0.5 to 3.0"
    assert rows["largest drawdown", "below 20 %"][3] == "2.0 %"
    assert rows["trades that win", "above 52 %"][3] == "40.0 %"
    assert rows["columns of v3, with lags", "2,640"][2:4] == [
        "3,427 by the documents' own lists", "3,425",
    ]  # fmt: skip
    assert rows["availability", "99.9 %"][2] == "43 minutes a month may be lost"
    assert rows["cells promoted", "all 28 pairs"][3] == "1 of 4"


def test_what_nobody_measured_says_so(tmp_path: Path) -> None:
    own = verdict(tradable={"net_sharpe": None, "net_sharpe_lo": None, "net_sharpe_hi": None})
    rows = by_what(lines_of(tmp_path, own))
    for what in ("latency, P99", "update of 28 pairs", "net Sharpe ratio a year"):
        assert {row[3] for (name, _), row in rows.items() if name == what} == {asked.NOT}


def test_what_was_recorded_is_read_not_typed(tmp_path: Path) -> None:
    goals = [{"what": "28 x 5 forecasts over HTTP, P99", "found": 16.1, "unit": "ms"}]
    months = [{"static": 0.04 - 0.01 * m, "online": 0.03} for m in range(12)]
    table = [{"skill": 0.02}, {"skill": 0.0192}]
    studies = {
        "test_online_learning": {"online": {"gradual": {"months": months}},
                                 "update": {"seconds": 2.25}},
        "test_ablation_study": {"ablation": {"strong": {"table": table},
                                             "real": {"table": [{"skill": -0.1}, {"skill": 0.0}]}}},
    }  # fmt: skip
    bench = {"test_serving_speed": {"goals": goals}}
    rows = by_what(lines_of(tmp_path, verdict(), benchmarks=bench, studies=studies))
    assert rows["latency, P99", "200 ms, 250 ms with 250 columns"][3] == "16.1 ms"
    assert rows["update of 28 pairs", "5 s"][3] == "2.2 s"
    lost = rows["skill lost within a year, static champion", "20 %"][3]
    assert lost == "3.0 % of skill at first, -6.0 % at last"
    kept = rows["skill that the selection keeps", "95 % of all candidates'"][3]
    assert kept == "no skill to keep (real majors), 96% (momentum)"
