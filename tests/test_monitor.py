"""The checks of a capture: what they find, and that a period is judged once."""

import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from monitored import Clock, altered, feed, grids, models, row_of_day
from river import drift as river_drift

from bqx import cli
from bqx.errors import ArtefactError, ParameterError
from bqx.feature_store.object_store import Folder
from bqx.files import read_json
from bqx.learning import baseline
from bqx.learning.day_statistics import DayStatistics
from bqx.learning.targets import make
from bqx.market import sessions
from bqx.monitoring import (
    captured,
    change_points,
    checks,
    commands,
    follow,
    measured,
    metrics,
    schedule,
    watch,
)
from bqx.monitoring.capture import Capture
from bqx.monitoring.captured import PairRows
from bqx.monitoring.checks import broken_columns
from bqx.monitoring.panel import Panel
from bqx.monitoring.watch import watch as run
from bqx.params import Params
from bqx.runs import artefacts
from bqx.runs.run import Run

FIRST, DAY, AFTER = row_of_day(22), row_of_day(23), row_of_day(24)


def at(row, minutes=10):
    """A time some minutes after a row's bar."""
    stamp = grids()["eurusd"].ts[row].to_pydatetime()
    return stamp.astimezone(UTC) + timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet")
    feed(str(folder), FIRST, AFTER, share=0.2)
    return folder


@pytest.fixture(scope="module")
def first_day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    feed(str(folder), FIRST, DAY, share=0.2)
    return folder


@pytest.fixture
def begun(first_day, tmp_path):
    """A capture of one quiet day, to go on with."""
    for path in first_day.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(first_day)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def test_a_quiet_day_is_quiet_and_measured(quiet):
    verdict = run(str(quiet), "daily", at(AFTER))
    assert verdict["verdict"] == "quiet"
    assert verdict["sentence"] == "Quiet."
    measured = verdict["measurements"]
    assert measured["panel_drift"] == 0.0
    assert set(measured) == {
        *("skill", "skill_drop", "mae", "mae_ratio", "r2", "r2_change", "direction_accuracy"),
        *("skill_drop_chance", "mae_ratio_chance", "r2_change_chance"),
        *("drifted_features_share", "drifted_columns", "panel_drift"),
    }
    assert {"KL above 0.1 (warning)", "mean moved by over 0.05"} <= set(verdict["fixed"])
    assert set(verdict["domains"]) >= {"rate", "bars"}


def test_skill_is_that_of_the_labels(quiet):
    verdict = run(str(quiet), "daily", at(AFTER))
    day = int(sessions.trading_days(grids()["eurusd"].minutes[[DAY]])[0])
    start, end = checks.minutes_of_day(day)
    period = captured.read(Folder(quiet), start - 1_440, end, 5)
    loss = known = 0.0
    for pair, rows in period.pairs.items():
        for horizon, forecast in rows.innovations.items():
            label = make(grids()[pair], 15, horizon).label("innovation")
            for row in np.flatnonzero(np.isfinite(forecast)):
                minute = int(rows.bars.minutes[row])
                place = int(np.searchsorted(grids()[pair].minutes, minute))
                if start <= minute + horizon < end and np.isfinite(label[place]):
                    loss += (label[place] - forecast[row]) ** 2
                    known += label[place] ** 2
    assert verdict["measurements"]["skill"] == pytest.approx(1 - loss / known, rel=1e-6)


def test_change_points_are_those_of_a_reference_trace():
    rng = np.random.default_rng(1)
    values = np.concatenate((rng.normal(1.0, 0.3, 400), rng.normal(2.0, 0.3, 400)))
    detector, expected = river_drift.ADWIN(delta=0.002), []
    for position, value in enumerate(values):
        detector.update(value)
        expected += [position] if detector.drift_detected else []
    found = change_points.change_points(values)
    assert found == expected
    assert 400 <= found[0] < 440
    assert change_points.change_points(rng.normal(1.0, 0.3, 1_000)) == []


def test_errors_of_a_quiet_capture_have_no_change_point(quiet):
    assert run(str(quiet), "daily", at(AFTER))["change_points"] == []


def test_a_louder_day_alarms(begun):
    feed(str(begun), DAY, AFTER, bars=altered(DAY, "louder"), share=0.2)
    verdict = run(str(begun), "daily", at(AFTER))
    assert verdict["verdict"] == "alarm"
    assert "volatility rose by a factor of 1." in verdict["sentence"]
    assert verdict["measurements"]["panel_drift"] == 1.0
    assert verdict["moved"]


def test_forecasts_of_the_opposite_sign_alarm(begun):
    feed(str(begun), DAY, AFTER, turned=DAY, share=0.2)
    verdict = run(str(begun), "daily", at(AFTER))
    assert verdict["verdict"] == "alarm"
    assert any("skill fell" in reason for reason in verdict["reasons"])
    assert verdict["measurements"]["skill_drop"] > 0.1


def test_the_skill_of_few_hours_is_not_judged(begun):
    feed(str(begun), DAY, DAY + 7 * 60, turned=DAY, share=0.2)
    verdict = run(str(begun), "daily", at(AFTER))
    judged = {row["statistic"] for row in verdict["statistics"]}
    assert "columns" in judged
    assert "skill" not in judged


def test_a_broken_column_is_found_within_the_hour(begun):
    feed(str(begun), DAY, DAY + 125, broken="eurusd", share=0.2)
    verdict = run(str(begun), "hourly", at(DAY + 64, 5))
    assert verdict["verdict"] == "alarm"
    name = models()["eurusd"].columns[1].name
    assert verdict["reasons"][0].startswith(f"eurusd: {name} has one value")
    assert verdict["measurements"]["broken_columns"] == 1.0


def test_a_column_that_may_keep_its_value_for_an_hour_is_broken_once_it_has_seen_only_newer_bars():
    """A running maximum of two hours; one of few values may keep its own for ever."""
    bars = grids()["eurusd"].rows(0, 3_000)
    high = pd.Series(bars.close).rolling(120, min_periods=1).max().to_numpy()
    x = np.column_stack((high, np.arange(len(bars)) // 1_000)).astype(np.float32)
    rows = np.flatnonzero(np.isfinite(bars.close))
    own = baseline.of_columns(
        x[rows],
        bars.minutes[rows],
        ["highest", "stage"],
        hours=pd.DataFrame(),
        performance=pd.DataFrame(),
    )
    own = replace(own, columns=own.columns.assign(lookback=120))
    broken = x.copy()
    broken[2_500:, 0] = x[2_499, 0]
    for stop, faults in ((2_600, []), (2_790, []), (2_810, ["highest has one value"])):
        kept = rows[rows < stop]
        until = bars.rows(0, stop)
        first = int(until.minutes[-60])
        assert broken_columns(PairRows(until, own, "", kept, broken[kept], {}, {}), first) == faults
        assert broken_columns(PairRows(until, own, "", kept, x[kept], {}, {}), first) == []


def test_a_feed_that_stops_is_found_within_five_minutes(begun):
    stopped = DAY + 300
    feed(str(begun), DAY, stopped, share=0.2, hourly=False)
    before = run(str(begun), "minute", at(stopped, 1))
    assert before["verdict"] == "quiet"
    after = run(str(begun), "minute", at(stopped, 5))
    assert after["verdict"] == "alarm"
    assert after["measurements"]["frozen_pairs"] == 3.0
    assert "stands still" in after["sentence"]
    assert read_json(begun / measured.FILE)["measurements"]["frozen_pairs"] == 3.0


def test_a_pair_that_stops_alone_is_found_after_five_minutes_for_as_long_as_it_is_gone(tmp_path):
    stopped = DAY + 15 * 60
    bars = grids() | {"eurusd": altered(stopped, "stopped")["eurusd"]}
    feed(str(tmp_path), stopped - 125, stopped + 80, bars=bars, share=0.2, hourly=False)
    for minutes, frozen in ((4, 0.0), (5, 1.0), (29, 1.0), (30, 1.0), (31, 1.0), (80, 1.0)):
        verdict = run(str(tmp_path), "minute", at(stopped, minutes - 1 + 2))
        assert verdict["measurements"]["frozen_pairs"] == frozen, minutes
    assert verdict["reasons"] == ["eurusd: the feed stands still"]


def verdicts(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes()
            for p in sorted((folder / watch.VERDICTS).rglob("*.json"))}  # fmt: skip


def test_twice_late_or_over_a_hole_gives_the_same_verdict_once(quiet, tmp_path):
    for name in ("prompt", "late"):
        feed(str(tmp_path / name), FIRST, FIRST + 400, share=0.2)
    prompt, late = tmp_path / "prompt", tmp_path / "late"
    for minutes in range(70, 400, 60):
        run(str(prompt), "hourly", at(FIRST + minutes, 6))
        again = run(str(prompt), "hourly", at(FIRST + minutes, 7))
        assert again["made"] == 0
    # Not run for hours, then once, when later hours were captured too.
    assert run(str(late), "hourly", at(FIRST + 370, 6))["made"] == len(verdicts(prompt))
    assert verdicts(late) == verdicts(prompt)
    assert read_json(late / measured.FILE) == read_json(prompt / measured.FILE)


def test_an_hour_without_a_capture_alarms(tmp_path):
    feed(str(tmp_path), FIRST, FIRST + 60)
    verdict = run(str(tmp_path), "hourly", at(FIRST + 600))
    assert verdict["verdict"] == "alarm"
    assert "nothing was captured" in verdict["sentence"]


def test_an_alert_is_told_where_a_capture_stops(tmp_path, capsys):
    feed(str(tmp_path), FIRST, FIRST + 60)
    alert = ["alert", str(tmp_path / "measurements.json"), "--state", str(tmp_path / "s.json")]
    for minute in (600, 606):
        run(str(tmp_path), "minute", at(FIRST + minute))
        told = cli.main(alert)
    assert told == 1
    assert "critical: no bars come: newest_bar_age_minutes is 31" in capsys.readouterr().err


def test_an_alert_is_told_where_a_server_that_has_no_bars_answers_on(tmp_path, capsys):
    """What it captures then are its answers, so that there is something of every minute."""
    feed(str(tmp_path), FIRST, FIRST + 60)
    clock = Clock()
    capture = Capture(str(tmp_path), 1.0, clock)
    for minute in range(500, 610):
        clock.now = at(FIRST + minute, 0).timestamp()
        capture.answer(409, 1.0)
        capture.flush()
    alert = ["alert", str(tmp_path / "measurements.json"), "--state", str(tmp_path / "s.json")]
    for minute in (600, 606):
        verdict = run(str(tmp_path), "minute", at(FIRST + minute))
        told = cli.main(alert)
    assert verdict["reasons"] == [checks.NO_FORECAST]
    assert told == 1
    assert "critical: no bars come: newest_bar_age_minutes is 31" in capsys.readouterr().err


def test_answers_are_those_of_the_period_that_is_judged(tmp_path, capsys):
    feed(str(tmp_path), FIRST, FIRST + 121)
    clock = Clock()
    capture = Capture(str(tmp_path), 1.0, clock)
    for row, statuses in ((FIRST + 50, [500] * 9), (FIRST + 70, [200])):
        clock.now = at(row, 0).timestamp()
        for status in statuses:
            capture.answer(status, 1.0 + status)
        capture.flush()

    def measured_of(check, now):
        verdict = run(str(tmp_path), check, now)
        return [verdict["measurements"][name] for name in ("error_rate", "latency_p99_ms")]

    assert measured_of("minute", at(FIRST + 50, 2)) == [1.0, 501.0]
    assert measured_of("minute", at(FIRST + 70, 2)) == [0.0, 201.0]
    assert measured_of("hourly", at(FIRST + 60, 5)) == [1.0, 501.0]
    # What the hour before said is not what the minute says.
    assert measured_of("minute", at(FIRST + 71, 2)) == [None, None]
    assert read_json(tmp_path / measured.FILE)["measurements"]["error_rate"] is None
    assert measured_of("hourly", at(FIRST + 120, 5)) == [0.0, 201.0]
    commands._print({"measurements": {"error_rate": None, "spikes": 1.0}})
    assert capsys.readouterr().out == "  error_rate -\n  spikes 1\n"


def test_labels_are_written_with_the_hour_in_which_they_became_known(quiet, tmp_path):
    feed(str(tmp_path), FIRST, FIRST + 240, hourly=False)
    run(str(tmp_path), "hourly", at(FIRST + 240))
    frames = [pd.read_parquet(p) for p in sorted((tmp_path / watch.LABELS).rglob("*.parquet"))]
    labels = pd.concat(frames)
    assert not labels.duplicated(["id", "horizon"]).any()
    assert (labels["known_at"] == labels["minute"] + labels["horizon"] + 1).all()
    assert labels["id"].iloc[0].endswith(f":{labels['minute'].iloc[0]}")
    for path, frame in zip(
        sorted((tmp_path / watch.LABELS).rglob("*.parquet")), frames, strict=True
    ):
        start = pd.Timestamp(f"{path.parent.name}T{path.stem[:2]}:{path.stem[2:]}Z").value
        start //= 60_000_000_000
        assert frame["known_at"].between(start + 1, start + 60).all()


def test_nothing_captured_is_one_line(tmp_path):
    with pytest.raises(ArtefactError, match="nothing was captured"):
        run(str(tmp_path), "daily")


def test_a_period_that_is_not_over_is_not_judged(begun):
    feed(str(begun), DAY, DAY + 60, share=0.2)
    assert (
        run(str(begun), "daily", at(DAY + 30))["period"][1] <= grids()["eurusd"].ts[DAY].isoformat()
    )


def test_the_command_says_the_verdict_and_its_status(quiet, monkeypatch, capsys):
    now = at(AFTER)

    class Then(datetime):
        @classmethod
        def now(cls, tz=None):
            return now

    monkeypatch.setattr(watch, "datetime", Then)
    assert cli.main(["monitor", "--daily", str(quiet)]) == 0
    said = capsys.readouterr().out
    assert "Quiet." in said.splitlines()[0]
    assert "panel_drift 0" in said
    # Saturday.
    now = datetime(2024, 5, 11, 12, tzinfo=UTC)
    assert cli.main(["monitor", "--minute", str(quiet)]) == 0
    assert "the market was closed" in capsys.readouterr().out
    now = datetime(2024, 5, 14, 12, tzinfo=UTC)
    assert cli.main(["monitor", "--minute", str(quiet)]) == 1
    assert "nothing was captured" in capsys.readouterr().out


def test_the_checks_measure_what_the_list_of_metrics_says(begun):
    clock = Clock()
    feed(str(begun), DAY, DAY + 61, share=0.2, hourly=False)
    clock.now = 60.0 * int(grids()["eurusd"].minutes[DAY + 60])
    capture = Capture(str(begun), 1.0, clock)
    capture.answer(200, 12.0)
    capture.flush()
    written = set()
    for name, now in (
        ("daily", at(DAY + 60)),
        ("hourly", at(DAY + 60)),
        ("minute", at(DAY + 60, 1)),
    ):
        written |= set(run(str(begun), name, now)["measurements"])
    assert written == metrics.of_writer("monitor")
    (own,) = measured.read([str(begun / measured.FILE)])
    assert set(own.numbers) == written


def test_a_metric_that_is_not_declared_is_not_written():
    with pytest.raises(ArtefactError, match="an unknown metric, got 'spikse'; expected names of"):
        measured.Measurements(0.0, {"spikse": 1.0})


def test_a_run_is_asked_for_its_days(tmp_path, capsys):
    day = {"day": "2024-03-04", "sentence": "Quiet.", "verdict": "quiet", "measurements": {}}
    content = {"fold": 0, "sentence": "Quiet: none of 1 days.", "days": [day]}
    with Run.open(tmp_path, Params()).stage("09_monitoring", []) as stage:
        artefacts.MONITORED.write(stage, content)
    assert cli.main(["monitor", "--daily", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "2024-03-04: Quiet."
    assert cli.main(["monitor", "--hourly", str(tmp_path)]) == 2
    for damaged in (content | {"days": [1]}, content | {"sentence": "An alarm."}, [], None):
        (tmp_path / "drift" / "days.json").write_text(json.dumps(damaged))
        assert cli.main(["monitor", "--daily", str(tmp_path)]) == 2
        assert "damaged, got another hash" in capsys.readouterr().err


def test_one_process_makes_the_checks_as_they_are_due(begun, tmp_path_factory, capsys):
    alone = tmp_path_factory.mktemp("alone")
    for folder in (begun, alone):
        feed(str(folder), DAY, DAY + 80, share=0.2, hourly=False)
    first = at(DAY + 55, 0)
    made = [own for k in range(20) for own in follow.due(str(begun), first + timedelta(minutes=k))]
    assert [own["check"] for own in made].count("hourly") == 1
    assert [own["check"] for own in made].count("daily") == 1
    for k in range(20):
        run(str(alone), "minute", first + timedelta(minutes=k))
    minutely = {name: own for name, own in verdicts(begun).items() if "/minute/" in name}
    assert len(minutely) >= 19
    assert minutely == {name: own for name, own in verdicts(alone).items() if name in minutely}
    assert follow.due(str(begun / "absent"), first) == []
    assert "nothing was captured" in capsys.readouterr().err


def test_following_says_what_is_not_quiet_until_it_is_interrupted(begun, monkeypatch, capsys):
    stopped, waits = at(DAY - 1, 30), []

    class Then(datetime):
        @classmethod
        def now(cls, tz=None):
            return stopped

    def sleep(seconds):
        assert 0.0 < seconds <= 60.0
        waits.append(seconds)
        if len(waits) > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(follow, "datetime", Then)
    monkeypatch.setattr(follow.time, "sleep", sleep)
    assert cli.main(["monitor", "--follow", str(begun)]) == 0
    assert "minute: Alarm: nothing was captured in the 30 minutes" in capsys.readouterr().out


def test_schedules_come_from_one_declaration(capsys):
    assert cli.main(["monitor", "--schedule", "cron", "/srv/capture"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "CRON_TZ=UTC"
    assert [line.split()[7] for line in lines[1:]] == ["--minute", "--hourly", "--daily"]
    for line in lines[1:]:
        assert cli._parser().parse_args(line.split("#")[0].split()[6:])
    # Cron starts elsewhere, splits at blanks, and ends a line at a percent sign.
    assert cli.main(["monitor", "--schedule", "cron", "my 50%"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert "50\\%" in line
    words = shlex.split(line.replace("\\%", "%"), comments=True)
    assert words[5:] == ["bqx", "monitor", "--minute", str(Path("my 50%").absolute())]
    assert cli.main(["monitor", "--schedule", "eventbridge", "s3://b/c"]) == 2
    arns = ["--target", "arn:aws:lambda:eu-west-1:1:function:f", "--role", "arn:aws:iam::1:role/r"]
    capsys.readouterr()
    assert cli.main(["monitor", "--schedule", "eventbridge", "s3://b/c", *arns]) == 0
    requests = json.loads(capsys.readouterr().out)
    assert [of["ScheduleExpression"] for of in requests] == [
        "rate(1 minute)", "cron(6 * * * ? *)", "cron(10 21,22 * * ? *)",
    ]  # fmt: skip
    for of in requests:
        assert cli._parser().parse_args(json.loads(of["Target"]["Input"])["arguments"])


def test_eventbridge_takes_the_schedules():
    boto3 = pytest.importorskip("boto3")
    from botocore.stub import Stubber

    client = boto3.client(
        "scheduler", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    stub = Stubber(client)
    quoted = schedule.eventbridge('a "b"', "arn:t", "arn:r")[0]["Target"]["Input"]
    assert json.loads(quoted)["arguments"][-1] == 'a "b"'
    requests = schedule.eventbridge("s3://b/c", "arn:aws:lambda:eu-west-1:1:function:f",
                                    "arn:aws:iam::111122223333:role/r")  # fmt: skip
    for of in requests:
        stub.add_response("create_schedule", {"ScheduleArn": "arn:x"}, of)
    with stub:
        for of in requests:
            client.create_schedule(**of)


@pytest.mark.parametrize("month", [1, 7])
def test_a_day_ends_at_five_in_new_york_and_its_check_is_due_after(month):
    day = int(np.datetime64(f"2024-{month:02d}-10", "D").astype(int))
    start, end = checks.minutes_of_day(day)
    local = sessions.local_minutes(np.array([start, end]), sessions.NEW_YORK) % sessions.DAY
    assert local.tolist() == [17 * 60, 17 * 60]
    hour, minute = divmod(end % sessions.DAY, 60)
    hours = schedule.CHECKS["daily"].cron.split()[1].split(",")
    assert str(hour) in hours
    assert int(schedule.CHECKS["daily"].cron.split()[0]) >= minute + schedule.GRACE


def test_too_short_a_baseline_is_told():
    known = models()["eurusd"].statistics
    few = replace(known, days=_first(known.days, 5))
    with pytest.raises(ParameterError, match="too short a baseline, got 5 days"):
        Panel({"eurusd": few})


def _first(days, count):
    values = (getattr(days, name)[:count] for name in DayStatistics.__dataclass_fields__)
    return DayStatistics(*values)
