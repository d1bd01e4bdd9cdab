"""The loop of retraining: what begins a round, what is promoted, and what becomes of it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rounds as made
import yaml
from scipy import stats

from bqx import cli
from bqx.errors import ArtefactError, BarError, ParameterError
from bqx.files import SEAL, read_json, sha256, write_json
from bqx.learning import bundle
from bqx.market import sessions
from bqx.monitoring import metrics
from bqx.retraining import (
    bars,
    challengers,
    change,
    judgement,
    report,
    rounds,
    training,
    trial,
    triggers,
)
from bqx.retraining.rounds import JUDGED, PROMOTED, SHADOWED, WATCHED
from bqx.serving.models import Models

PAIR = made.PAIRS[0]
KILLED = "retrain_killed.py"


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A loop after its first call: challengers of a strong market, in the shadow."""
    folder = tmp_path_factory.mktemp("begun")
    made.loop(folder).step(made.market(), made.FIRST)
    return folder


@pytest.fixture(scope="module")
def promoted(begun, tmp_path_factory):
    """The same after the shadow."""
    folder = made.copied(begun, tmp_path_factory.mktemp("promoted") / "loop")
    made.loop(folder).step(made.market(), made.SHADOWED)
    return folder


@pytest.fixture(scope="module")
def watched(promoted, tmp_path_factory):
    """The same after the watch, with a second round beside it."""
    folder = made.copied(promoted, tmp_path_factory.mktemp("watched") / "loop")
    return folder, *made.loop(folder).step(made.market(), made.WATCHED)


def first_round(folder):
    return rounds.of(folder / "place")[0]


def statuses(folder, pair=PAIR):
    return [version.status for version in made.loop(folder).store.versions(pair)]


# Triggers


def test_a_round_is_due_on_monday_at_two():
    monday = datetime(2024, 7, 1, 2, tzinfo=UTC)
    before = monday - timedelta(minutes=1)
    assert triggers.scheduled(monday) == monday
    assert triggers.scheduled(before) == monday - timedelta(days=7)
    assert triggers.fired(before, monday - timedelta(days=7), {}) == ()
    (reason,) = triggers.fired(monday, monday - timedelta(days=6), {})
    assert reason.rule == triggers.SCHEDULED
    assert len(triggers.fired(monday, None, {})) == 1


@pytest.mark.parametrize(
    ("name", "quiet", "loud"),
    [
        ("panel_drift", 0.0, 1.0),
        ("r2_change", -0.049, -0.05),
        ("mae_ratio", 1.19, 1.2),
        ("skill_drop", 0.019, 0.02),
    ],
)
def test_a_measurement_beyond_its_bound_begins_a_round(name, quiet, loud):
    now = datetime(2024, 7, 3, tzinfo=UTC)
    last = now - timedelta(days=1)
    assert triggers.fired(now, last, {name: quiet}) == ()
    assert [reason.rule for reason in triggers.fired(now, last, {name: loud})] == [name]
    assert triggers.fired(now, last, {name: None, "unknown": 1e9}) == ()


def test_what_begins_a_round_is_measured_by_the_monitor():
    assert {name for name, *_ in triggers.BOUNDS} <= metrics.of_writer("monitor")


@pytest.mark.parametrize("name", ["r2_change", "mae_ratio", "skill_drop"])
def test_what_a_usual_day_does_by_chance_begins_no_round(name):
    now = datetime(2024, 7, 3, tzinfo=UTC)
    measured = {name: {"r2_change": -0.2, "mae_ratio": 1.6, "skill_drop": 0.1}[name]}
    last, chance = now - timedelta(days=1), metrics.chance_of(name)
    assert triggers.fired(now, last, measured | {chance: 0.2}) == ()
    (reason,) = triggers.fired(now, last, measured | {chance: 0.001})
    assert reason.note == "a usual day is as bad with a chance of 0.001"


def test_a_measurement_counts_once(tmp_path):
    path, now = tmp_path / "measurements.json", datetime(2024, 7, 3, tzinfo=UTC)
    write_json(path, {"at": "2024-07-02T12:00:00+00:00", "measurements": {"panel_drift": 1}})
    assert triggers.measured(path, now, datetime(2024, 7, 1, tzinfo=UTC)) == {"panel_drift": 1.0}
    assert triggers.measured(path, now, datetime(2024, 7, 2, 13, tzinfo=UTC)) == {}
    assert triggers.measured(path, datetime(2024, 7, 2, tzinfo=UTC), None) == {}
    for text in ("{", "[]", '{"at": 1}'):
        path.write_text(text)
        with pytest.raises(ArtefactError, match="no measurements, got"):
            triggers.measured(path, now, datetime(2024, 7, 1, tzinfo=UTC))


# The bars first


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda f: f.loc[:"2024-03-14"], "minutes since the newest bar"),
        (lambda f: f.loc["2024-02-20":], "trading days"),
        (lambda f: f[(f.index.hour > 3) | (f.index.day % 2 == 0)], "share in long holes"),
        (lambda f: f.assign(**dict.fromkeys(("open", "high", "low", "close"), 1.1)), "rates of"),
    ],
)
def test_bad_bars_keep_their_pair_out(spoil, rule):
    frames = bars.known(made.market() | {PAIR: spoil(made.market()[PAIR])}, made.FIRST)
    grids = bars.latest(frames, made.PARAMS, made.FIRST)
    assert rule in " ".join(reason.rule for reason in bars.faults(grids[PAIR], made.FIRST))
    assert bars.faults(grids[made.PAIRS[1]], made.FIRST) == ()


def test_a_pair_whose_bars_ended_long_ago_is_named(tmp_path):
    old = {"usdjpy": made.market()[PAIR].shift(freq="-400D")}
    own = made.loop(tmp_path).step(made.market() | old, made.FIRST)[0][0]
    failed = own.read(JUDGED)["failed"]
    assert [reason["rule"] for reason in failed["usdjpy"]] == ["no bars in 6 months"]
    assert PAIR not in failed


def test_one_failing_pair_does_not_stop_the_others(tmp_path):
    frames = dict(made.market())
    frames[PAIR] = frames[PAIR].loc[:"2024-03-14"]
    made.loop(tmp_path).step(frames, made.FIRST)
    judged = first_round(tmp_path).read(JUDGED)
    assert list(judged["pairs"]) == [made.PAIRS[1]]
    assert judged["failed"][PAIR][0]["rule"] == "minutes since the newest bar"
    assert f"{PAIR}: no challenger. minutes since" in report.text(first_round(tmp_path))


def test_a_pair_whose_training_breaks_does_not_stop_the_others(tmp_path, monkeypatch):
    train = training.train

    def broken(own, *rest, **named):
        if own.pair == PAIR:
            raise ZeroDivisionError("a defect")
        train(own, *rest, **named)

    monkeypatch.setattr(training, "train", broken)
    made.loop(tmp_path).step(made.market(), made.FIRST)
    judged = first_round(tmp_path).read(JUDGED)
    assert list(judged["pairs"]) == [made.PAIRS[1]]
    assert judged["failed"][PAIR][0]["rule"] == "ZeroDivisionError: a defect"


def test_no_bars_and_no_time_are_refused(tmp_path):
    with pytest.raises(BarError, match="bars: none before"):
        bars.known(made.market(), datetime(2020, 1, 1, tzinfo=UTC))
    late = datetime(2120, 1, 1, tzinfo=UTC)
    with pytest.raises(BarError, match=r"bars: none since 2119-07-01, got the newest of 2024"):
        bars.latest(bars.known(made.market(), late), made.PARAMS, late)
    with pytest.raises(ParameterError, match="bars: none, got a synthetic market"):
        bars.read(made.PARAMS.model_copy(update={"bars": ""}))


# A round from its beginning to its end


def test_challengers_wait_in_the_shadow(begun):
    own = first_round(begun)
    assert own.is_open
    assert not own.has(SHADOWED)
    assert statuses(begun) == ["pending"]
    assert "in the shadow" in report.text(own)


def test_a_call_in_between_changes_nothing(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    before = made.state(folder)
    worked, reasons = made.loop(folder).step(made.market(), made.FIRST + timedelta(days=1))
    assert (len(worked), reasons) == (1, ())
    assert made.state(folder) == before


def test_a_good_challenger_is_promoted_after_the_shadow_and_served(promoted):
    own = first_round(promoted)
    assert own.read(PROMOTED)["pairs"][PAIR] == {"version": 1, "follows": 0}
    assert statuses(promoted) == ["approved"]
    served = Models(promoted / "registry").current()
    assert set(served) == set(made.PAIRS)
    assert served[PAIR].standing == {
        "version": 1,
        "status": "approved",
        "approved_horizons": [15, 30],
    }


def test_it_is_kept_after_the_watch_and_followed_by_nothing_that_is_not_better(watched):
    folder, worked, reasons = watched
    assert [own.has(WATCHED) for own in worked] == [True, True]
    assert worked[0].read(WATCHED)["pairs"][PAIR]["status"] == "kept"
    assert reasons[0].rule == triggers.SCHEDULED
    judged = worked[1].read(JUDGED)["pairs"][PAIR]
    assert [reason["rule"] for reason in judged["reasons"]] == [judgement.BETTER]
    assert judged["documents"]["R² better or within 2 %"] == "promote"
    assert statuses(folder) == ["approved", "rejected"]


def test_a_pair_whose_bars_end_in_the_shadow_does_not_stop_the_others(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    frames = dict(made.market())
    frames[PAIR] = frames[PAIR].loc[: made.FIRST - timedelta(minutes=1)]
    made.loop(folder).step(frames, made.SHADOWED)
    own = first_round(folder)
    assert list(own.read(PROMOTED)["pairs"]) == [made.PAIRS[1]]
    assert statuses(folder) == ["rejected"]
    assert own.read(SHADOWED)["pairs"][PAIR]["reasons"]


def test_a_round_of_a_later_time_waits(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    (first_round(folder).folder / f"{JUDGED}.json").unlink()
    made.loop(folder).step(made.market(), made.FIRST - timedelta(days=1))
    assert not first_round(folder).has(JUDGED)


def test_a_round_of_a_clock_that_was_ahead_is_told(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    ahead = datetime.now(UTC) + timedelta(days=400)
    rounds.begin(folder / "place", ahead, [], made.PARAMS, made.PAIRS)
    # Else nothing would be due until then, without a word.
    with pytest.raises(ArtefactError, match=rf"{ahead:%Y-%m-%dT%H%M}: of a time to come, got"):
        made.loop(folder).step(made.market(), made.SHADOWED)


def test_the_report_shows_both_models_and_both_rules(promoted, watched):
    text = report.text(first_round(promoted))
    assert text.startswith("Subject: bqx retraining 2024-03-18T0200: 2 promoted, under watch\n\n")
    for line in ("challenger", "martingale", "gate: passed", "within 2 %: promote"):
        assert line in text
    assert (first_round(promoted).folder / report.FILE).read_text(encoding="utf-8") == text
    after = report.text(watched[1][1])
    assert "  champion  " in after
    assert "no version is served" not in after


def test_the_report_of_a_first_round_says_that_no_version_is_served(promoted):
    text = report.text(first_round(promoted))
    assert "no version is served: the challenger is compared with the martingale" in text
    assert "promoted, follows no version" in text
    assert "champion" not in text


# What is judged


def test_the_champion_has_seen_none_of_the_rows_that_it_is_judged_on(watched):
    folder, worked, _ = watched
    done = training.read(worked[1].trained(PAIR))
    champion = bundle.load(made.loop(folder).store.folder / PAIR / "0001" / "bundle")
    first = done.compared["ts_utc"].min()
    assert first > champion.trained_until + pd.Timedelta(minutes=max(champion.horizons))
    assert first > done.bundle.trained_until
    assert done.champion == 1


def test_scores_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    label, forecast = rng.normal(size=1_000), rng.normal(size=1_000)
    known, sigma = rng.normal(size=1_000), rng.uniform(1, 2, 1_000)
    table = pd.DataFrame(
        {
            "horizon": 15,
            "day": np.arange(1_000) // 100,
            "label": label,
            "raw": forecast,
            "challenger": 0.5 * forecast,
            "champion": 0.25 * forecast,
            "sigma": sigma,
            "known": known,
            "actual": known + sigma * label,
        }
    )
    scores = judgement.scores_of(table)
    skill = 1 - np.mean((label - 0.5 * forecast) ** 2) / np.mean(label**2)
    assert scores["challenger"]["skill"] == pytest.approx(skill)
    r2 = 1 - np.sum((sigma * label) ** 2) / np.sum((table.actual - table.actual.mean()) ** 2)
    assert scores["martingale"]["r2"] == pytest.approx(r2)
    assert scores["martingale"]["skill"] == 0.0
    before = 1 - np.mean((label - 0.25 * forecast) ** 2) / np.mean(label**2)
    assert scores["champion"]["skill"] == pytest.approx(before)
    loss = (label - 0.5 * forecast) ** 2
    gains = judgement.gain(table).to_numpy()
    assert gains == pytest.approx((label - 0.25 * forecast) ** 2 - loss)
    first = table.drop(columns="champion")
    assert judgement.scores_of(first) == {k: v for k, v in scores.items() if k != "champion"}
    assert judgement.gain(first).to_numpy() == pytest.approx(label**2 - loss)


@pytest.mark.parametrize(
    ("new", "current", "missing", "answers"),
    [
        (0.51, 0.50, (), ("promote", "promote", "none")),
        (0.495, 0.50, (), ("keep", "promote", "none")),
        (0.48, 0.50, (), ("keep", "keep", "none")),
        (0.44, 0.50, (), ("keep", "keep", "review")),
        (0.51, 0.50, ("x",), ("promote", "promote", "review")),
        (-0.101, -0.10, (), ("keep", "promote", "none")),
    ],
)
def test_the_documents_rules(new, current, missing, answers, begun):
    done = training.read(first_round(begun).trained(PAIR))
    own = replace(done, needed=("x", "y"), present=tuple({"x", "y"} - set(missing)))
    scores = {"challenger": {"r2": new}, "champion": {"r2": current}}
    assert tuple(judgement.documents(scores, own).values()) == answers


def test_a_missing_column_or_a_slow_model_does_not_pass(begun):
    done = training.read(first_round(begun).trained(PAIR))
    good = judgement.judge({PAIR: done}, 0)[PAIR]
    blind = replace(done, present=done.present[1:])
    slow = replace(done, latency_ms=21.0)
    assert good.reasons == ()
    assert [r.rule for r in judgement.judge({PAIR: blind}, 0)[PAIR].reasons] == ["missing features"]
    assert [r.rule for r in judgement.judge({PAIR: slow}, 0)[PAIR].reasons] == ["latency (ms)"]


def test_a_bundle_tells_its_skill_on_rows_that_it_has_not_seen(begun):
    done = training.read(first_round(begun).trained(PAIR))
    for row in done.bundle.metrics["skill"]:
        own = done.compared[done.compared["horizon"] == row["horizon"]]
        expected = judgement.scores_of(own)["challenger"]["skill"]
        assert row["skill"] == pytest.approx(expected)
        assert row["skill_lo"] < row["skill"] < row["skill_hi"]
    assert [row["horizon"] for row in done.bundle.metrics["skill"]] == [15, 30]


def test_a_forecast_without_information_does_not_pass(begun):
    done = training.read(first_round(begun).trained(PAIR))
    signs = np.random.default_rng(1).choice([-1.0, 1.0], 10_000)[done.compared["day"] % 10_000]
    table = done.compared.assign(label=done.compared["label"] * signs)
    (own,) = judgement.judge({PAIR: replace(done, compared=table)}, 0).values()
    assert {reason.rule for reason in own.reasons} == {judgement.INFORMATION, judgement.FIRST}


def test_where_nothing_is_served_no_served_version_is_named(begun):
    done = training.read(first_round(begun).trained(PAIR))
    quiet = done.compared.assign(challenger=0.0)
    (own,) = judgement.judge({PAIR: replace(done, compared=quiet)}, 0).values()
    (against,) = own.reasons
    assert str(against).startswith(
        "no version is served: t of the gain over the martingale: 0, nothing is kept of its "
        "forecasts, expected > "
    )
    assert [veto.rule for veto in trial.vetoes(quiet)] == ["gain over the martingale"]
    beside = trial.vetoes(quiet.assign(champion=0.0))
    assert [veto.rule for veto in beside] == [
        "gain over the served version",
        "gain over the martingale",
    ]


# Since a change


def test_a_fall_is_found_at_its_day_and_chance_seldom_makes_one():
    rng = np.random.default_rng(0)
    days = np.arange(100) + 19_800
    gains = rng.normal(0.05, 0.1, 100)
    fallen = np.where(np.arange(100) < 70, gains, gains - 0.2)
    found = change.split(days, fallen)
    assert abs(found.day - days[70]) <= 2
    before, after = fallen[: found.day - days[0]], fallen[found.day - days[0] :]
    welch = stats.ttest_ind(after, before, equal_var=False).statistic
    assert found.t == pytest.approx(welch)
    assert change.split(days, -fallen) is None
    assert change.split(days[:20], fallen[60:80]) is None
    chance = [change.split(days, rng.normal(size=100)) is not None for _ in range(400)]
    assert np.mean(chance) < 0.06


def test_a_served_version_that_does_as_before_has_no_change(watched):
    folder, worked, _ = watched
    own = bars.latest(bars.known(made.market(), made.WATCHED), made.PARAMS, made.WATCHED)[PAIR]
    champion = bundle.load(made.loop(folder).store.folder / PAIR / "0001" / "bundle")
    assert change.of(champion, own, made.PARAMS) is None
    assert worked[1].read(JUDGED)["pairs"][PAIR]["since"] == ""


def test_a_challenger_learns_from_what_came_since_a_change(promoted, tmp_path, monkeypatch):
    folder = made.copied(promoted, tmp_path / "loop")
    day = int(np.datetime64("2024-02-05", "D").astype(int))
    monkeypatch.setattr(change, "of", lambda *_: change.Change(day, -4.0))
    monkeypatch.setattr(bars, "LEAST_DAYS", 20)
    now = made.WATCHED
    made.loop(folder).step(made.market(), now)
    own = rounds.of(folder / "place")[-1]
    done = training.read(own.trained(PAIR))
    assert done.since == f"{np.datetime64(day, 'D')} (t -4.0)"
    # Its first label is one of the first day after the change.
    rows = done.bundle.statistics.days.days
    assert rows[0] >= day - 3
    assert "learnt since the served version does worse: 2024-0" in report.text(own)
    monkeypatch.setattr(bars, "LEAST_DAYS", 10_000)
    own_bars = bars.latest(bars.known(made.market(), now), made.PARAMS, now)[PAIR]
    assert challengers._changed(own_bars, done.bundle, made.PARAMS) == ("", 0)


# Taken back


def turned(folder, promoted, monkeypatch):
    """The loop in the days under watch, in which the market's signal became its opposite."""
    monkeypatch.setattr(triggers, "fired", lambda *_: ())
    made.copied(promoted, folder)
    frames = dict(made.market())
    since = pd.Timestamp(made.SHADOWED)
    for pair, frame in made.turned(("2024-03-24",), made.DAYS).items():
        frames[pair] = frame
        assert frames[pair].loc[:since].equals(made.market()[pair].loc[:since])
    return made.loop(folder), frames


def test_a_version_that_does_worse_is_taken_back_by_itself(promoted, tmp_path, monkeypatch):
    loop, frames = turned(tmp_path / "loop", promoted, monkeypatch)
    (own,), _ = loop.step(frames, made.WATCHED)
    kept = own.read(WATCHED)["pairs"]
    assert {of["status"] for of in kept.values()} == {"taken back"}
    assert all(of["served"] is None and of["seconds"] < 1.0 for of in kept.values())
    assert statuses(tmp_path / "loop") == ["rejected"]
    assert "taken back" in report.text(own).splitlines()[0]


def test_what_it_followed_is_served_again(promoted, tmp_path, monkeypatch):
    loop, frames = turned(tmp_path / "loop", promoted, monkeypatch)
    store, registry = loop.store, loop.registry
    own = first_round(tmp_path / "loop")
    # A version before it, which forecasts nothing and so errs less in a market that has turned.
    quiet = bundle.load(store.folder / PAIR / "0001" / "bundle")
    quiet = replace(quiet, betas=dict.fromkeys(quiet.betas, 0.0))
    quiet.save(tmp_path / "quiet")
    before = registry.approve(registry.register(PAIR, str(tmp_path / "quiet"), {}))
    registry.approve(store.versions(PAIR)[0])
    content = own.read(PROMOTED)
    content["pairs"] = {PAIR: {"version": 1, "follows": before.number}}
    own.write(PROMOTED, content)
    loop.step(frames, made.WATCHED)
    assert own.read(WATCHED)["pairs"][PAIR]["served"] == before.number
    assert registry.latest_approved(PAIR).number == before.number
    lines = store.log()
    assert "instead of version 1: t of the gain" in lines[-1]["reasons"][0]["rule"]


def test_a_false_alarm_of_the_watch_is_rare():
    rng, alarms = np.random.default_rng(0), 0
    ts = pd.date_range("2024-03-18", periods=4 * 1_440, freq="min", tz="UTC")
    day = sessions.trading_days(sessions.epoch_minutes(ts))
    for _ in range(200):
        label = np.convolve(rng.normal(size=len(ts) + 29), np.ones(30) / 30, "valid")
        view = 0.1 * np.convolve(rng.normal(size=len(ts) + 239), np.ones(240) / 15, "valid")
        # The champion's error is drawn alike, so that neither is better.
        other = 0.1 * np.convolve(rng.normal(size=len(ts) + 239), np.ones(240) / 15, "valid")
        table = pd.DataFrame(
            {"ts_utc": ts, "day": day, "label": label, "challenger": view, "champion": other}
        )
        alarms += trial.worse(table) is not None
    assert alarms <= 30


# Nothing of later


def test_nothing_depends_on_bars_that_have_not_ended(begun, promoted, tmp_path):
    folder = tmp_path / "first"
    made.loop(folder).step(made.altered(made.market(), made.FIRST, 1), made.FIRST)
    assert made.state(folder) == made.state(begun)
    folder = made.copied(begun, tmp_path / "second")
    made.loop(folder).step(made.altered(made.market(), made.SHADOWED, 2), made.SHADOWED)
    assert made.state(folder) == made.state(promoted)


def test_a_challenger_depends_on_nothing_after_its_training(begun, tmp_path):
    until = training.read(first_round(begun).trained(PAIR)).bundle.trained_until
    since = until + timedelta(minutes=1)
    frames = made.altered({PAIR: made.market()[PAIR]}, since, 5)
    made.loop(tmp_path).step(frames, made.FIRST)
    own, other = (first_round(f).trained(PAIR) / "bundle" for f in (begun, tmp_path))
    paths = [path for path in (own / "model").rglob("*") if path.is_file()]
    assert paths
    assert all(sha256(path) == sha256(other / path.relative_to(own)) for path in paths)
    # What it is worth on later rows is told beside it.
    facts = [read_json(folder / bundle.MANIFEST) for folder in (own, other)]
    for content in facts:
        assert content.pop("metrics")
        assert content["baseline_statistics"].pop("performance")
        assert content.pop(SEAL)
    assert facts[0] == facts[1]


# Killed, twice, and by a user


def killed(folder, points, seed):
    """What `retrain_killed.py` counted."""
    script = Path(__file__).with_name(KILLED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(points), str(seed)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600 + 30 * points,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout)


def test_a_killed_loop_goes_on_and_serves_nothing_half_written(tmp_path):
    assert len(killed(tmp_path, 1, seed=1)["killed"]) == 1


@pytest.mark.fuzz
def test_a_loop_killed_at_fifty_random_writes_goes_on(tmp_path):
    told = killed(tmp_path, 50, seed=2)
    print(told)
    assert len(told["killed"]) == 50


def test_a_call_for_an_earlier_time_promotes_nothing(promoted, tmp_path):
    folder = made.copied(promoted, tmp_path / "loop")
    own = first_round(folder)
    before = own.read(PROMOTED)
    (own.folder / f"{PROMOTED}.json").unlink()
    made.loop(folder).step(made.market(), made.FIRST)
    assert not own.has(PROMOTED)
    made.loop(folder).step(made.market(), made.SHADOWED)
    assert own.read(PROMOTED) == before


def test_what_a_killed_loop_left_half_written_is_removed(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    leftovers = [first_round(folder).folder / f".{name}.7.tmp" for name in ("file", "folder")]
    leftovers[0].write_text("{")
    leftovers[1].mkdir()
    (leftovers[1] / "model.json").write_text("{")
    made.loop(folder).step(made.market(), made.FIRST)
    assert not [path for path in leftovers if path.exists()]


def test_a_second_loop_at_the_same_time_is_refused(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    before = made.state(folder)
    with (
        rounds.locked(folder / "place"),
        pytest.raises(ArtefactError, match="a retraining is at work"),
    ):
        made.loop(folder).step(made.market(), made.SHADOWED)
    assert made.state(folder) == before
    made.loop(folder).step(made.market(), made.SHADOWED)
    assert statuses(folder) == ["approved"]


def test_other_parameters_do_not_go_on_with_a_round(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    (first_round(folder).folder / f"{JUDGED}.json").unlink()
    other = made.PARAMS.model_copy(update={"stride": 11})
    with pytest.raises(ParameterError, match="was begun with other parameters"):
        made.loop(folder, other).step(made.market(), made.FIRST)


def test_a_damaged_step_is_refused_by_name(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    path = first_round(folder).folder / f"{JUDGED}.json"
    path.write_text(path.read_text(encoding="utf-8").replace("promote", "keep"), encoding="utf-8")
    with pytest.raises(ArtefactError, match="judged.json: damaged, got a content that was altered"):
        made.loop(folder).step(made.market(), made.SHADOWED)


def test_the_command_does_what_is_due(tmp_path, capsys):
    for pair, frame in made.market().items():
        (tmp_path / "bars").mkdir(exist_ok=True)
        frame.reset_index().to_parquet(tmp_path / "bars" / f"{pair}.parquet")
    keys = ("horizons", "lags", "models", "forest_trees", "forest_depth", "selected", "stride")
    values = {key: made.PARAMS.model_dump(mode="json")[key] for key in (*keys, "backend")}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(values | {"pairs": [PAIR]}))
    command = ["retrain", str(tmp_path / "own.yaml"), "--set", f"bars={tmp_path / 'bars'}"]
    command += ["--registry", str(tmp_path / "registry"), "--place", str(tmp_path / "place")]
    assert cli.main([*command, "--now", "2024-03-18T02:00"]) == 0
    printed = capsys.readouterr()
    assert "Subject: bqx retraining 2024-03-18T0200: in the shadow" in printed.out
    assert f"{tmp_path / 'registry'}: no registry yet, a new one begins there" in printed.err
    assert cli.main([*command, "--now", "2024-03-23T02:00+00:00"]) == 0
    assert "1 promoted, under watch" in capsys.readouterr().out
    assert cli.main([*command, "--now", "noon"]) == 2
    assert "--now: no time, got 'noon'" in capsys.readouterr().err
    assert cli.main([*command, "--now", "2199-01-01"]) == 2
    assert "--now: a time to come, got 2199-01-01; expected one" in capsys.readouterr().err


# On many markets


@pytest.mark.fuzz
def test_two_hundred_cuts_of_the_loop_read_nothing_later(tmp_path):
    rng = np.random.default_rng(4)
    frames = {PAIR: made.market()[PAIR]}
    last = int(made.FIRST.timestamp()) // 60
    for number in range(200):
        now = datetime.fromtimestamp(60 * (last - int(rng.integers(0, 20_000))), UTC)
        both = [tmp_path / f"{number}{name}" for name in ("", "altered")]
        try:
            made.loop(both[0]).step(frames, now)
        except BarError:
            continue
        made.loop(both[1]).step(made.altered(frames, now, number), now)
        assert made.state(both[0]) == made.state(both[1]), now
        for folder in both:
            shutil.rmtree(folder)
