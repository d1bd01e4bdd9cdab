"""Trials are counted once, by many processes, and outlive a kill."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bqx.errors import ArtefactError, ParameterError
from bqx.params import Params
from bqx.runs import ledger
from bqx.runs.ledger import Ledger, Trial

BARS = "ab" * 32


def trial(number=0, **changed):
    rng = np.random.default_rng(number)
    given = {
        "bars": BARS,
        "pair": "eurusd",
        "horizon": 15,
        "scheme": "rolling",
        "profile": "core",
        "model": "xgboost",
        "parameters": {"depth": number, "lags": (60, 120)},
        "measure": "net",
        "days": np.arange(19_000, 19_030),
        "values": rng.standard_normal(30),
    }
    return Trial(**(given | changed))


def test_trials_come_back_in_every_bit(tmp_path):
    held = Ledger.open(tmp_path / "ledger")
    assert held.trials(BARS) == []
    assert held.count(BARS) == 0
    made = [trial(number) for number in range(5)]
    held.record(*made[:3])
    held.record(made[3])
    held.record(made[4])
    held.record()
    found = {each.name: each for each in held.trials(BARS)}
    assert set(found) == {each.name for each in made}
    for each in made:
        back = found[each.name]
        np.testing.assert_array_equal(back.days, each.days)
        np.testing.assert_array_equal(back.values, each.values)
        assert back.parameters == {"depth": each.parameters["depth"], "lags": [60, 120]}
        assert (back.pair, back.horizon, back.measure) == ("eurusd", 15, "net")
    assert held.trials("cd" * 32) == []


def test_the_same_trial_counts_once(tmp_path):
    held = Ledger.open(tmp_path)
    held.record(trial(0), trial(1))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    held.record(trial(1), trial(0))
    held.record(trial(0))
    held.record(trial(0), trial(0))
    assert held.count(BARS) == len(held.trials(BARS)) == 2
    assert before.items() <= {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")}.items()


def test_what_makes_another_trial(tmp_path):
    one = trial(0)
    other_result = replace(one, values=one.values + 1e-12)
    as_gain = replace(one, measure="gain", values=one.values * 3)
    seeded = replace(one, parameters=one.parameters | {"seed": 1})
    assert ledger.count([one, as_gain]) == 1
    assert ledger.count([one, as_gain, other_result]) == 2
    assert ledger.count([one, seeded]) == 2
    for name, value in (("pair", "gbpusd"), ("horizon", 30), ("scheme", "combinatorial"),
                        ("profile", "full"), ("model", "ridge")):  # fmt: skip
        assert ledger.count([one, replace(one, **{name: value})]) == 2


RECORDER = """
import sys, pathlib
sys.path[:0] = {path!r}
from test_ledger import trial
from bqx.runs.ledger import Ledger
held = Ledger.open(pathlib.Path({folder!r}))
for number in range({first}, {stop}):
    held.record(trial(number), trial(number + 1))
"""


def recorder(folder, first, stop):
    text = RECORDER.format(path=sys.path, folder=str(folder), first=first, stop=stop)
    return subprocess.Popen([sys.executable, "-c", text])


def test_processes_record_side_by_side_and_a_killed_one_leaves_no_half_trial(tmp_path):
    workers = [recorder(tmp_path, 0, 15), recorder(tmp_path, 5, 20)]
    victim = recorder(tmp_path, 1_000, 1_000_000)
    held = Ledger.open(tmp_path)
    deadline = time.monotonic() + 60
    while not any(t.parameters["depth"] > 1_003 for t in held.trials(BARS)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    victim.kill()
    victim.wait()
    assert [worker.wait(60) for worker in workers] == [0, 0]
    numbers = [each.parameters["depth"] for each in held.trials(BARS)]
    assert len(set(numbers)) == len(numbers) == held.count(BARS)
    assert set(range(21)) <= set(numbers)
    # The victim's trials stand one after the other, to the one it was killed at.
    late = sorted(number for number in numbers if number >= 1_000)
    assert late == list(range(1_000, 1_000 + len(late)))
    held.record(trial(10_000))
    assert held.count(BARS) == len(numbers) + 1


def test_an_altered_ledger_is_refused(tmp_path):
    held = Ledger.open(tmp_path)
    held.record(trial(0))
    (path,) = tmp_path.rglob("*.parquet")
    frame = pd.read_parquet(path)
    frame.at[0, "values"] = frame.at[0, "values"] * 2
    frame.to_parquet(path)
    with pytest.raises(ArtefactError, match="altered, got a trial of eurusd 15"):
        held.trials(BARS)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArtefactError, match="cannot be read"):
        held.trials(BARS)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"measure": "gross"}, "unknown measure, got 'gross'; expected one of gain, net"),
        ({"values": np.ones(29)}, "eurusd 15 has 30 days, got 29 values"),
        ({"values": np.full(30, np.nan)}, "got 0 values"),
        ({"bars": "cd" * 32}, "other bars, got 'cdcdcdcdcdcd'; expected 'abababababab'"),
    ],
)
def test_what_is_no_trial_is_refused(tmp_path, changed, message):
    with pytest.raises(ParameterError, match=message):
        Ledger.open(tmp_path).record(trial(0), trial(1, **changed))
    assert not list(tmp_path.rglob("*.parquet"))


def test_cells_of_a_run_are_trials(tmp_path):
    columns = pd.MultiIndex.from_product([["eurusd", "gbpusd"], [15, 30]])
    daily = pd.DataFrame(np.arange(12.0).reshape(3, 4), index=[5, 6, 7], columns=columns)
    daily.loc[6, ("gbpusd", 30)] = np.nan
    params = Params(seed=3, workers=1, out="somewhere")
    made = ledger.cells(daily, "net", params, "xgboost", BARS)
    assert [(t.pair, t.horizon) for t in made] == list(columns)
    assert (made[0].scheme, made[0].profile, made[0].parameters["seed"]) == ("rolling", "core", 3)
    assert made[3].days.tolist() == [5, 7]
    assert made[3].values.tolist() == [3.0, 11.0]
    moved = params.model_copy(update={"out": "elsewhere", "workers": 2, "confidence": 0.9})
    again = ledger.cells(daily, "net", moved, "xgboost", BARS)
    assert [t.name for t in again] == [t.name for t in made]
    deeper = params.model_copy(update={"depth": 3})
    assert ledger.count(made + ledger.cells(daily, "net", deeper, "xgboost", BARS)) == 8
    assert ledger.beside(tmp_path / "run").folder == tmp_path / "ledger"


def test_a_candidate_stands_beside_trials_of_the_same_days():
    candidate, other = trial(0), trial(1)
    late = trial(2, days=np.arange(19_002, 19_032))
    short = trial(3, days=np.arange(19_000, 19_020), values=np.ones(20))
    gain = trial(4, measure="gain")
    days, values, column = ledger.matrix([short, other, late, gain, candidate], candidate)
    assert days.tolist() == list(range(19_002, 19_030))
    assert values.shape == (28, 3)
    np.testing.assert_array_equal(values[:, column], candidate.values[2:])
    np.testing.assert_array_equal(values[:, 1], late.values[:28])
