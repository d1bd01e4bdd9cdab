"""Runs beside each other: the gain is that of the days that both were scored on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bqx.errors import ArtefactError
from bqx.report import comparison


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
