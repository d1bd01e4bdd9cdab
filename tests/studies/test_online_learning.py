"""A year beside a champion whose signal drifts: what goes on learning, and what stays as it was."""

import time
from typing import Any

import drifting
import numpy as np
import pandas as pd
import pytest
from simulated import DATA

from bqx.market import bars, readers
from bqx.online.ensemble import Ensemble
from bqx.online.replay import replay
from bqx.online.settings import Settings

pytestmark = pytest.mark.studies

SEEDS = (1_000, 2_000)
NAMES = ("static", "retrained", "online", "documented", "oracle")
CHANGE = 6
"""Month of the sudden change, of those that are forecast."""
REAL = ("eurusd", "gbpusd", "usdjpy", "audusd")


def table(monthly: pd.DataFrame) -> list[dict[str, Any]]:
    """Skill by month of every forecast."""
    shown = drifting.skill(monthly).drop(columns=["martingale"]).rename_axis("month")
    return shown.reset_index().assign(month=lambda f: f["month"] + 1).to_dict("records")


def studied_year(year: drifting.Year, days: int) -> pd.DataFrame:
    """Errors by month of a year whose first days fit the champion."""
    frame, beside = drifting.forecasts(year, days)
    return drifting.by_month(frame, beside, replay(frame, drifting.SETTINGS))


@pytest.fixture(scope="module")
def years(studied: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Monthly errors by kind of market, seeds added up."""
    kinds: dict[str, Any] = {}
    monthly: dict[str, pd.DataFrame] = {}
    for shape in drifting.SHAPES:
        runs = [
            studied_year(drifting.market(shape, seed), drifting.TRAINED * drifting.MONTH)
            for seed in SEEDS
        ]
        monthly[shape] = sum(runs[1:], start=runs[0])
        kinds[shape] = {
            "months": table(monthly[shape]),
            "year": drifting.skill(monthly[shape].sum().to_frame().T).iloc[0].to_dict(),
        }
        print(shape, kinds[shape]["year"])
    months = drifting.skill(monthly["sudden"])
    names = [name for name in months if name != "martingale"]
    kinds["sudden"]["after"] = {n: drifting.recovered(months, n, CHANGE) for n in names}
    studied["online"] = kinds
    return monthly


@pytest.fixture(scope="module")
def real(studied: dict[str, Any]) -> pd.DataFrame:
    folder = DATA / "m1"
    if not folder.exists():
        pytest.skip(f"no real bars in {folder}")
    frames = readers.read_folder(folder)
    panel = bars.align({pair: frames[pair] for pair in REAL})
    runs = [studied_year(drifting.Year(own, np.zeros(len(own))), 59) for own in panel.values()]
    monthly = sum(runs[1:], start=runs[0])
    studied["real"] = {
        "pairs": list(REAL),
        "months": table(monthly.drop(columns="oracle")),
        "year": drifting.skill(monthly.drop(columns="oracle").sum().to_frame().T)
        .iloc[0].to_dict(),
    }  # fmt: skip
    print("real", studied["real"]["year"])
    return monthly


@pytest.fixture(scope="module")
def update(studied: dict[str, Any]) -> float:
    """Seconds of the processor that an update of 28 pairs and five horizons takes."""
    draw, rows = np.random.default_rng(0), 600
    ensemble = Ensemble(tuple(f"c{n}" for n in range(40)), 15, Settings())
    spent = []
    for minute, x in enumerate(draw.normal(size=(rows, 40))):
        start = time.process_time()
        answer = ensemble.forecast(0.1 * x[0], x)
        ensemble.learn(minute, x, answer.members, 0.1 * x[0] + draw.normal())
        spent.append(time.process_time() - start)
    seconds = 28 * 5 * float(np.mean(spent[-200:]))
    studied["update"] = {"seconds": seconds, "columns": 40, "trees": Settings().trees}
    print("update", seconds)
    return seconds


def test_an_update_of_28_pairs_and_five_horizons_takes_less_than_five_seconds(
    update: float,
) -> None:
    assert update < 5.0


def test_the_champion_loses_what_it_had_where_the_signal_turns(
    years: dict[str, pd.DataFrame],
) -> None:
    for shape in ("sudden", "gradual"):
        late = drifting.skill(years[shape].iloc[8:].sum().to_frame().T).iloc[0]
        assert late["static"] < 0.0
        assert late["online"] > 0.0 > late["static"] + 0.005


def test_online_weights_recover_sooner_than_retraining(years: dict[str, pd.DataFrame]) -> None:
    months = drifting.skill(years["sudden"])
    online, weekly = (drifting.recovered(months, n, CHANGE) for n in ("online", "retrained"))
    assert online["month"] is not None
    assert weekly["month"] is None or online["month"] < weekly["month"]
    assert online["skill"] > weekly["skill"]


def test_without_a_signal_learning_on_costs_little(years: dict[str, pd.DataFrame]) -> None:
    null = drifting.skill(years["null"].sum().to_frame().T).iloc[0]
    assert null["online"] > -0.003


def test_real_bars_are_shown_whatever_they_say(real: pd.DataFrame) -> None:
    assert np.isfinite(drifting.skill(real.drop(columns="oracle"))).all().all()
