"""Runs beside each other: the gain is that of the days that both were scored on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bqx.errors import ArtefactError
from bqx.files import write_json
from bqx.report import comparison
from bqx.runs import artefacts


def losses(rng: np.random.Generator, days: int) -> pd.DataFrame:
    pairs = ["eurusd"] * days + ["usdjpy"] * days
    known = rng.uniform(0.5, 2.0, 2 * days)
    return pd.DataFrame(
        {"pair": pairs, "horizon": 15, "day": 2 * list(range(days)), "known_loss": known,
         "loss": 0.98 * known, "loss_other": 0.99 * known}
    )  # fmt: skip


def test_the_gain_is_the_difference_of_the_skills() -> None:
    told = comparison._gain(losses(np.random.default_rng(0), 40), 0.95)
    assert told == "+100.0 bp [+100.0 bp, +100.0 bp]"


def test_chance_is_no_gain() -> None:
    rng = np.random.default_rng(1)
    rows = losses(rng, 60)
    rows["loss"] = rows["loss_other"] + rng.normal(0, 0.1, len(rows))
    low, high = comparison._gain(rows, 0.95).split("[")[1].rstrip("]").split(", ")
    assert float(low.split()[0]) < 0 < float(high.split()[0])


def test_pairs_count_alike() -> None:
    rows = losses(np.random.default_rng(2), 40)
    loud = rows["pair"] == "usdjpy"
    rows.loc[loud, ["known_loss", "loss", "loss_other"]] *= 1e6
    rows.loc[~loud, "loss"] = rows.loc[~loud, "loss_other"]
    # One pair gains 1 %, the other nothing.
    assert comparison._gain(rows, 0.95).startswith("+50.0 bp")


def test_a_profit_is_the_mean_pairs_of_a_day_in_basis_points() -> None:
    rows = pd.DataFrame(
        {"pair": ["eurusd", "usdjpy"] * 2, "day": [1, 1, 2, 2], "net": [3e-4, 1e-4, 3e-4, 1e-4],
         "net_other": [1e-4, 1e-4, 1e-4, 1e-4]}
    )  # fmt: skip
    assert comparison._profit(rows, 0.95) == "+1.00 [+1.00, +1.00]"


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no finished run, got no verdict.json"):
        comparison.page([tmp_path, tmp_path])


def verdict(folder: Path, **altered: object) -> Path:
    row = {"horizon": 15, "skill": 0.01, "net_sharpe": None}
    facts = {**dict.fromkeys(comparison.MADE_OF), "trials": 3}
    content = {"run": facts, "horizons": [row], "ledger": {"faults": []}}
    write_json(folder / comparison.FILE, dict.fromkeys(artefacts.VERDICT.keys) | content | altered)
    return folder


def test_trials_that_the_ledger_has_lost_are_told(tmp_path: Path) -> None:
    assert "the ledger counted 3 trials" in comparison.page([verdict(tmp_path / "whole")])
    torn = verdict(tmp_path / "torn", ledger={"faults": ["a line is missing"]})
    assert "the ledger counted at least 3 trials" in comparison.page([torn])


@pytest.mark.parametrize(
    "altered",
    [
        {"run": None},
        {"run": []},
        {"run": {"trials": 3}},
        {"run": {**dict.fromkeys(comparison.MADE_OF), "trials": "x"}},
        {"ledger": None},
        {"ledger": {}},
        {"horizons": None},
        {"horizons": [1]},
        {"horizons": [{"horizon": "15", "skill": 0.0, "net_sharpe": 0.0}]},
        {"horizons": [{"horizon": 15, "skill": "x", "net_sharpe": 0.0}]},
    ],
)
def test_a_verdict_of_another_kind_is_refused_in_words(
    tmp_path: Path, altered: dict[str, object]
) -> None:
    assert "Nothing differs." in comparison.page([verdict(tmp_path / "whole")])
    with pytest.raises(ArtefactError, match="altered"):
        comparison.page([tmp_path / "whole", verdict(tmp_path / "altered", **altered)])


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '"x"', '{"run": NaN}'])
def test_a_file_that_is_no_verdict_is_refused_in_words(tmp_path: Path, content: str) -> None:
    (tmp_path / comparison.FILE).write_text(content)
    with pytest.raises(ArtefactError, match=comparison.FILE):
        comparison.page([tmp_path])
