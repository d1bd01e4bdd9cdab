"""What is expected of a run is recorded before it is made, and told beside what came of it."""

from dataclasses import asdict

import pytest
from test_ledger import claim, trial

from bqx import cli
from bqx.errors import ParameterError
from bqx.params import Params
from bqx.report import claims
from bqx.runs import known_trials
from bqx.runs.run import Run
from bqx.runs.trials import BarSpan
from bqx.stages import bars

ROWS = [
    {"horizon": 15, "skill": 0.03, "skill_lo": 0.02, "skill_hi": 0.04},
    {"horizon": 30, "skill": 0.01, "skill_lo": 0.00, "skill_hi": 0.02},
    {"horizon": 45, "skill": None, "skill_lo": None, "skill_hi": None},
]
PARAMS = Params(seed=8)


@pytest.fixture
def run(tmp_path):
    made = Run.open(tmp_path / "made", PARAMS)
    made.update(data_hash=claim().bars.content)
    return made


def claimed(**changed):
    return claim(parameters=claims._hash(PARAMS), **changed)


@pytest.mark.parametrize(
    ("horizon", "bound", "outcome"),
    [
        (15, 0.02, "kept"),
        (15, 0.03, "undecided"),
        (15, 0.04, "undecided"),
        (15, 0.041, "broken"),
        (30, 0.01, "undecided"),
        (45, 0.0, "undecided"),
        (0, 0.0, "undecided"),
        (0, 0.03, "broken"),
        (60, 0.0, "undecided"),
    ],
)
def test_what_came_of_a_claim(run, horizon, bound, outcome):
    own = claimed(horizon=horizon, bound=bound)
    (judged,) = claims.judged([(own, 0)], ROWS, run)
    assert judged == asdict(own) | {"outcome": outcome, "late": ""}


def test_every_horizon_must_keep_a_claim_on_all(run):
    (judged,) = claims.judged([(claimed(bound=0.0), 0)], ROWS[:2], run)
    assert judged["outcome"] == "kept"


def test_a_claim_that_came_late_or_on_another_run_says_so(run):
    elsewhere = Run.open(run.folder, PARAMS.model_copy(update={"out": "x", "workers": 7}))
    deeper = Run.open(run.folder, PARAMS.model_copy(update={"depth": 7}))
    late = [
        claims.judged([(claimed(), seen)], ROWS, judged_run)[0]["late"]
        for judged_run, seen in ((run, 3), (elsewhere, 0), (deeper, 0))
    ]
    said = "3 of its trials had been recorded before"
    assert late == [said, "", "the run has other parameters"]
    run.update(data_hash="cd")
    assert claims.judged([(claimed(), 0)], ROWS, run)[0]["late"] == "the run has read other bars"


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setenv(known_trials.PLACE, str(tmp_path / "machine"))
    return Params(out=str(tmp_path / "run"), pairs=("eurusd",), days=14, market="null", seed=5)


def test_a_claim_holds_the_bars_and_how_often_they_were_tried(given, tmp_path):
    first, _ = claims.make(given, "skill", 0.01, horizon=30)
    run = Run.open(given.folder, given)
    assert first.bars == known_trials.span(run)
    assert first.bars.content == run.manifest["data_hash"]
    assert (first.trials, first.run, first.metric) == (0, "run", "skill")
    # The notebook that reads the bars again finds the same.
    bars.build(given)
    assert known_trials.span(run) == first.bars
    known_trials.record(tmp_path / "elsewhere", trial(bars=first.bars), trial(1, bars=first.bars))
    second, _ = claims.make(given, "net_sharpe", 1.0)
    assert second.trials == 2
    assert [(c, seen) for c, seen in known_trials.known(run).claims] == [(first, 0), (second, 0)]
    assert claims.sentence(asdict(second)) == (
        f"Claimed on {second.time[:16].replace('T', ' ')} UTC: net_sharpe of at least 1 at every "
        f"horizon, on bars {first.bars.content[:12]}, after 2 trials on bars that overlap them."
    )


def test_a_claim_on_a_damaged_ledger_says_so(given, tmp_path):
    known_trials.record(tmp_path / "elsewhere", trial(), trial(1))
    assert "There were more" not in claims.recorded(given, "skill", 0.01)
    log = tmp_path / "machine" / "trials.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[1:]))
    assert f"There were more: {log}" in claims.recorded(given, "skill", 0.01)


def test_what_was_seen_elsewhere_before_is_no_claim(given, tmp_path):
    span = BarSpan("null 5", 28_406_880, 28_407_000, "ab")
    known_trials.record(tmp_path / "deleted", trial(bars=span))
    claims.make(given, "skill", 0.01)
    # The same run, made again in a folder that has a claim.
    known_trials.record(given.folder, trial(bars=span))
    ((_, seen),) = known_trials.known(Run.open(given.folder, given)).claims
    assert seen == 1


@pytest.mark.parametrize(
    ("metric", "bound", "horizon", "message"),
    [
        ("r2", 0.1, 0, r"--metric: unknown, got 'r2'; expected one of skill, net_sharpe"),
        ("skill", float("nan"), 0, r"--bound: no number, got nan"),
        ("skill", float("inf"), 0, r"--bound: no number, got inf"),
        ("skill", 0.1, 20, r"--horizon: not one of the run's, got 20; expected one of 15, 30"),
    ],
)
def test_what_cannot_be_claimed_is_refused(given, metric, bound, horizon, message):
    with pytest.raises(ParameterError, match=message):
        claims.make(given, metric, bound, horizon=horizon)
    assert not given.folder.exists()


def test_a_run_that_was_made_cannot_be_claimed(given, tmp_path, capsys):
    file = tmp_path / "run.yaml"
    file.write_text("pairs: [eurusd]\ndays: 14\nmarket: 'null'\n")
    command = ["claim", str(file), "--out", str(given.folder), "--bound", "0.02"]
    assert cli.main(command) == 0
    assert "skill of at least 0.02 at every horizon" in capsys.readouterr().out
    known_trials.record(given.folder, trial())
    assert cli.main(command) == 2
    assert "the run was made already, got 1 recorded trials" in capsys.readouterr().err
