"""Trials are counted once, by many processes, wherever runs lie, and cannot be taken out unseen."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bqx.errors import ArtefactError, ParameterError
from bqx.evaluation.overfitting import promote_trial
from bqx.params import Params
from bqx.runs import known_trials
from bqx.runs.artefacts import DATASET
from bqx.runs.ledger import LOG, Claim, Ledger
from bqx.runs.run import Run
from bqx.runs.trials import BarSpan, Trial, cells, count, matrix

DAY = 1_440
BARS = BarSpan("files", 19_000 * DAY, 19_030 * DAY - 1, "ab" * 32)


def trial(number=0, **changed):
    rng = np.random.default_rng(number)
    fields = {
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
    return Trial(**(fields | changed))


def claim(**changed):
    fields = {"parameters": "ab", "metric": "skill", "horizon": 0, "bound": 0.01, "trials": 0,
              "run": "run", "time": "2024-01-01T00:00:00+00:00"}  # fmt: skip
    return Claim(bars=BARS, **(fields | changed))


def lines_of(folder):
    return (folder / LOG).read_text().splitlines(keepends=True)


def test_trials_come_back_in_every_bit(tmp_path):
    ledger = Ledger(tmp_path / "deep" / "ledger")
    assert ledger.read().trials == []
    recorded = [trial(number) for number in range(5)]
    ledger.record(*recorded[:3])
    ledger.record(recorded[3])
    ledger.record(recorded[4])
    ledger.record()
    read = ledger.read()
    assert read.faults == []
    assert [t.name for t in read.trials] == sorted(t.name for t in recorded)
    assert list(read.entries) == [t.name for t in recorded]
    for own in recorded:
        back = read.entries[own.name]
        np.testing.assert_array_equal(back.days, own.days)
        np.testing.assert_array_equal(back.values, own.values)
        assert back.parameters == {"depth": own.parameters["depth"], "lags": [60, 120]}
        assert (back.bars, back.pair, back.horizon, back.measure) == (BARS, "eurusd", 15, "net")


def test_the_same_trial_counts_once(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.record(trial(0), trial(1))
    before = lines_of(tmp_path)
    ledger.record(trial(1), trial(0))
    ledger.record(trial(0))
    ledger.record(trial(0), trial(0))
    assert count(ledger.read().trials) == len(ledger.read().trials) == 2
    assert lines_of(tmp_path)[:2] == before


def test_what_makes_another_trial():
    base = trial(0)
    other_result = replace(base, values=base.values + 1e-12)
    as_gain = replace(base, measure="gain", values=base.values * 3)
    seeded = replace(base, parameters=base.parameters | {"seed": 1})
    assert count([base, as_gain]) == 1
    assert count([base, as_gain, other_result]) == 2
    assert count([base, seeded]) == 2
    for name, value in (
        ("pair", "gbpusd"),
        ("horizon", 30),
        ("scheme", "combinatorial"),
        ("profile", "full"),
        ("model", "ridge"),
        ("bars", replace(BARS, market="null 1")),
    ):
        assert count([base, replace(base, **{name: value})]) == 2
    # Among more bars, but with the same outcome, it is the same.
    longer = replace(BARS, last=BARS.last + DAY, content="cd" * 32)
    assert replace(base, bars=longer).name == base.name


RECORDER = """
import sys, pathlib
sys.path[:0] = {path!r}
from test_ledger import trial
from bqx.runs.ledger import Ledger
ledger = Ledger(pathlib.Path({folder!r}))
for number in range({first}, {stop}):
    ledger.record(trial(number), trial(number + 1))
"""


def recorder(folder, first, stop):
    text = RECORDER.format(path=sys.path, folder=str(folder), first=first, stop=stop)
    return subprocess.Popen([sys.executable, "-c", text])


def test_processes_record_side_by_side_and_a_killed_one_leaves_no_half_trial(tmp_path):
    workers = [recorder(tmp_path, 0, 15), recorder(tmp_path, 5, 20)]
    victim = recorder(tmp_path, 1_000, 1_000_000)
    ledger = Ledger(tmp_path)
    deadline = time.monotonic() + 300
    while not any(t.parameters["depth"] > 1_003 for t in ledger.read().trials):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    victim.kill()
    victim.wait()
    assert [worker.wait(300) for worker in workers] == [0, 0]
    read = ledger.read()
    assert read.faults == []
    numbers = [t.parameters["depth"] for t in read.trials]
    assert len(set(numbers)) == len(numbers) == count(read.trials)
    assert set(range(21)) <= set(numbers)
    # The victim's trials stand one after the other, to the one it was killed at.
    late = sorted(number for number in numbers if number >= 1_000)
    assert late == list(range(1_000, 1_000 + len(late)))
    ledger.record(trial(10_000))
    assert count(ledger.read().trials) == len(numbers) + 1


@settings(max_examples=60)
@given(
    order=st.permutations(range(6)),
    kept=st.lists(st.booleans(), min_size=6, max_size=6),
    changed=st.sets(st.integers(0, 5), max_size=2),
)
def test_no_trial_is_deleted_edited_or_moved_unseen(tmp_path_factory, order, kept, changed):
    folder = tmp_path_factory.mktemp("ledger")
    ledger = Ledger(folder)
    for number in range(6):
        ledger.record(trial(number))
    lines = lines_of(folder)
    for number in changed:
        own = json.loads(lines[number])
        lines[number] = json.dumps(own | {"values": own["days"]}) + "\n"
    left = [lines[number] for number in order if kept[number]]
    (folder / LOG).write_text("".join(left))
    is_whole = left == lines and not changed
    for _ in range(2):
        read = ledger.read()
        assert bool(read.faults) != is_whole
        # What is left is counted, so the number is never too high.
        names = {number for number in range(6) if kept[number]} - changed
        assert {t.name for t in read.trials} >= {trial(number).name for number in names}
        ledger.record(trial(7))


def test_a_line_that_was_hashed_anew_is_no_trial(tmp_path):
    ledger = Ledger(tmp_path)
    content = json.loads(lines_of_one(tmp_path))
    del content["hash"], content["before"]
    ledger._log.add(content | {"pair": "gbpusd"}, {"something": 1})
    faults = ledger.read().faults
    assert len(faults) == 2
    assert all("no trial, claim or screen" in fault for fault in faults)


def lines_of_one(folder):
    Ledger(folder).record(trial(0))
    return lines_of(folder)[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"measure": "gross"}, "unknown measure, got 'gross'; expected one of gain, net"),
        ({"values": np.ones(29)}, "eurusd 15 has 30 days, got 29 values"),
        ({"values": np.full(30, np.nan)}, "got 0 values"),
    ],
)
def test_what_is_no_trial_is_refused(tmp_path, changed, message):
    with pytest.raises(ParameterError, match=message):
        Ledger(tmp_path).record(trial(0), trial(1, **changed))
    assert Ledger(tmp_path).read().trials == []


def test_cells_of_a_run_are_trials():
    columns = pd.MultiIndex.from_product([["eurusd", "gbpusd"], [15, 30]])
    daily = pd.DataFrame(np.arange(12.0).reshape(3, 4), index=[5, 6, 7], columns=columns)
    daily.loc[6, ("gbpusd", 30)] = np.nan
    params = Params(seed=3, workers=1, out="somewhere")
    made = cells(daily, "net", params, "xgboost", BARS)
    assert [(t.pair, t.horizon) for t in made] == list(columns)
    assert (made[0].scheme, made[0].profile, made[0].parameters["seed"]) == ("rolling", "core", 3)
    assert made[3].days.tolist() == [5, 7]
    assert made[3].values.tolist() == [3.0, 11.0]
    moved = params.model_copy(update={"out": "elsewhere", "workers": 2, "confidence": 0.9})
    again = cells(daily, "net", moved, "xgboost", BARS)
    assert [t.name for t in again] == [t.name for t in made]
    deeper = params.model_copy(update={"depth": 3})
    assert count(made + cells(daily, "net", deeper, "xgboost", BARS)) == 8


def test_a_candidate_stands_beside_trials_of_the_same_days():
    candidate, beside = trial(0), trial(1)
    late = trial(2, days=np.arange(19_002, 19_032))
    short = trial(3, days=np.arange(19_000, 19_020), values=np.ones(20))
    gain = trial(4, measure="gain")
    days, values, column = matrix([short, beside, late, gain, candidate], candidate)
    assert days.tolist() == candidate.days.tolist() == list(range(19_000, 19_030))
    assert values.shape == (30, 3)
    np.testing.assert_array_equal(values[:, column], candidate.values)
    np.testing.assert_array_equal(values[:, 1], [0.0, 0.0, *late.values[:28]])


def test_trials_that_each_lack_other_days_take_none_from_a_candidate():
    """Twenty earlier trials, of which each lacks a tenth of the days: all of them between them."""
    candidate, every = trial(0), np.arange(19_000, 19_030)
    there = [np.delete(every, (3 * n + np.arange(3)) % 30) for n in range(20)]
    earlier = [trial(1 + n, days=days, values=days % 7 - 3.0) for n, days in enumerate(there)]
    days, values, _ = matrix([*earlier, candidate], candidate)
    assert (len(days), values.shape) == (30, (30, 21))
    decision = promote_trial([*earlier, candidate], candidate, 0.1)
    assert decision.sharpe == pytest.approx(candidate.values.mean() / candidate.values.std())


def test_a_rule_of_ones_own_makes_no_second_trial_of_what_was_scored():
    columns = pd.MultiIndex.from_tuples([("eurusd", 15)])
    daily = pd.DataFrame(trial().values, trial().days, columns)
    scored, traded = (
        cells(daily * scale, measure, Params(signal=signal), "ridge", BARS)
        for scale, measure, signal in ((1.0, "gain", ""), (2.0, "net", "rule.py:side"))
    )
    assert count([*scored, *traded]) == 1


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setenv(known_trials.PLACE, str(tmp_path / "machine"))
    return tmp_path / "machine"


def run_of(folder, span=BARS):
    """A run that has read bars."""
    run = Run.open(folder, Params(out=str(folder)))
    mode, _, seed = span.market.partition(" ")
    market = {"mode": mode, "seed": int(seed)} if seed else None
    with run.stage("01_bars", ()) as stage:
        facts = {"pairs": {}, "market": market, "minutes": [span.first, span.last]}
        facts |= {"examined": [], "notes": []}
        DATASET.write(stage, facts)
        stage.note(data_hash=span.content)
    return run


def tried(folder, span=BARS, **changed):
    """Number of trials that a run counts after it has recorded its own."""
    run = run_of(folder, span)
    known_trials.record(folder, trial(bars=known_trials.span(run), **changed))
    known = known_trials.known(run)
    assert known.faults == []
    return count(known.trials)


def test_bars_of_a_run_are_known_by_their_market_and_minutes(tmp_path):
    assert known_trials.span(run_of(tmp_path / "a")) == BARS
    synthetic = replace(BARS, market="planted 7")
    assert known_trials.span(run_of(tmp_path / "b", synthetic)) == synthetic


@pytest.mark.usefixtures("machine")
def test_the_count_starts_at_zero_nowhere_else(tmp_path):
    """Not for other pairs, another folder, a day more or less of bars, or part of them."""
    longer = replace(BARS, last=BARS.last + DAY, content="cd")
    later = replace(BARS, first=BARS.last, last=BARS.last + 30 * DAY, content="ef")
    values = np.arange(30.0)
    assert tried(tmp_path / "a" / "run") == 1
    assert tried(tmp_path / "b" / "c" / "run", pair="gbpusd") == 2
    assert tried(tmp_path / "d", longer, values=values) == 3
    assert tried(tmp_path / "e", later, values=values + 1) == 4
    # The same again, wherever: it was tried already.
    assert tried(tmp_path / "f") == 4
    # Other years, and a synthetic market, are others.
    assert tried(tmp_path / "g", replace(BARS, first=0, last=100), values=values + 2) == 1
    assert tried(tmp_path / "h", replace(BARS, market="null 1")) == 1
    assert tried(tmp_path / "i", replace(BARS, market="null 2")) == 1


def test_the_copy_of_a_run_shows_what_the_ledger_has_lost(tmp_path, machine):
    assert tried(tmp_path / "a") == 1
    for path in machine.iterdir():
        path.unlink()
    known = known_trials.known(run_of(tmp_path / "a"))
    assert known.faults == [
        f"{machine}: entries are missing, got none of 1 that this run has recorded; expected all. "
        "Restore it, set BQX_LEDGER to the ledger that has them, or run again from 06_training."
    ]
    assert count(known.trials) == 1


@pytest.mark.parametrize("gone", [LOG, "trials.end.json"])
def test_no_file_of_the_ledger_can_be_deleted_unseen(tmp_path, machine, gone):
    assert tried(tmp_path / "a") == 1
    (machine / gone).unlink()
    assert known_trials.known(run_of(tmp_path / "b")).faults
    known_trials.record(tmp_path / "b", trial(5))
    assert known_trials.known(run_of(tmp_path / "b")).faults


@pytest.mark.usefixtures("machine")
def test_claims_stand_between_the_trials_before_and_after(tmp_path):
    run = run_of(tmp_path / "run")
    known_trials.claim(run.folder, claim())
    known_trials.record(run.folder, trial(0))
    known_trials.claim(run.folder, claim(bound=0.5))
    known_trials.record(tmp_path / "elsewhere", trial(1))
    known = known_trials.known(run)
    assert [(c.bound, seen) for c, seen in known.claims] == [(0.01, 0), (0.5, 1)]
    assert count(known.trials) == 2
    assert known_trials.known(run_of(tmp_path / "elsewhere")).claims == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"BQX_LEDGER": "/data/ledger"}, "/data/ledger"),
        ({"BQX_LEDGER": "/data/ledger", "XDG_DATA_HOME": "/x"}, "/data/ledger"),
        ({"XDG_DATA_HOME": "/x"}, "/x/bqx/ledger"),
    ],
)
def test_the_place_of_the_ledger(environment, expected):
    assert known_trials.place(environment) == Path(expected)


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is that of Linux")
def test_the_place_of_the_ledger_by_default():
    assert known_trials.place({}) == Path.home() / ".local/share/bqx/ledger"
    assert known_trials.place() != known_trials.place({})


@pytest.mark.parametrize("named", ["here", "~nobody-of-this-name/ledger"])
def test_a_place_that_is_none_is_refused(named):
    with pytest.raises(ParameterError, match=r"BQX_LEDGER: no absolute folder .* Set BQX_LEDGER\."):
        known_trials.place({"BQX_LEDGER": named})


def test_a_ledger_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtefactError, match=r"trials\.jsonl: cannot be written, got File exists"):
        Ledger(tmp_path / "file").begin()
    (tmp_path / LOG).mkdir()
    with pytest.raises(ArtefactError, match=r"trials\.jsonl: cannot be read, got no regular file"):
        Ledger(tmp_path).read()
    assert not os.environ["BQX_LEDGER"].startswith(str(Path.home() / ".local"))
