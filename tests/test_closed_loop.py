"""The loop closed, on one market whose signal turns twice: served, captured, monitored, alerted,
retrained, judged, in the shadow, promoted, served, and taken back when the signal turns again.

One server runs all the while and follows the registry without a restart. What it captures is all
that the monitor reads, and what the monitor measures is all that begins a retraining.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import rounds as made
from live_servers import serving

from bqx import cli
from bqx.files import read_json
from bqx.learning import bundle
from bqx.market import sessions
from bqx.monitoring import checks, measured
from bqx.monitoring.watch import watch
from bqx.retraining import report, rounds
from bqx.retraining.rounds import JUDGED, PROMOTED, SHADOWED, WATCHED
from bqx.serving import live

PAIR = made.PAIRS[0]
DAYS, SHARE = 200, 0.2
FIRST, PROMOTION, KEPT = (
    datetime(2024, 4, 22, 2, tzinfo=UTC),
    datetime(2024, 4, 27, 2, tzinfo=UTC),
    datetime(2024, 5, 6, 3, tzinfo=UTC),
)
TURNS, LOUDER = ("2024-05-06T21:00", "2024-07-18T21:00"), 2.0
"""When the signal becomes its opposite and itself again, and how much larger moves are between."""
QUIET, DRIFTED, STILL_DRIFTED, FOLLOWED = (
    np.datetime64(day).astype(int)
    for day in ("2024-05-02", "2024-05-07", "2024-07-09", "2024-07-18")
)
"""Trading days that are served and captured, each from 17:00 in New York to 17:00."""
SECOND_PROMOTION, TURNED_BACK = (
    datetime(2024, 7, 16, 21, 30, tzinfo=UTC),
    datetime(2024, 7, 24, 21, 30, tzinfo=UTC),
)


class Story:
    """A loop, its server and its capture, on the way through the market."""

    def __init__(self, folder):
        self.folder = folder
        self.frames = {PAIR: made.louder(made.turned(TURNS, DAYS)[PAIR], *TURNS, LOUDER)}
        self.loop = made.loop(folder)
        self.capture, self.alerts = folder / "capture", folder / "alerts.json"
        self.server = None

    def serve(self, day):
        """Have the server forecast a trading day; the version that answers."""
        first, end = checks.minutes_of_day(day)
        frame = self.frames[PAIR]
        start, stop = sessions.timestamps(np.array([first, end - 1]))
        lookback = pd.Timedelta(days=4)
        self.server.send(PAIR, frame.loc[start - lookback : start - pd.Timedelta(minutes=1)])
        approved = self.loop.registry.latest_approved(PAIR).number
        self.server.answer(PAIR, lambda answer: answer["model_version"] == approved)
        self.server.forecast(PAIR, frame.loc[start:stop])
        last = self.server.sent.isoformat()
        answer = self.server.answer(PAIR, lambda answer: answer["timestamp"] == last)
        served = bundle.load(self.loop.store.folder / PAIR / f"{approved:04d}" / "bundle")
        expected = live.forecast(served, frame.loc[start - lookback : stop])["predictions"]
        for horizon, own in expected.items():
            assert answer["predictions"][f"horizon_{horizon}"]["value"] == own["level"]
        return answer["model_version"]

    def monitor(self, day):
        """The monitor's verdict of a captured day, ten minutes after its end."""
        return watch(str(self.capture), "daily", after(day))

    def alert(self):
        """Tell what the monitor measured; whether anything fires, and all that was told."""
        command = ["alert", str(self.capture / measured.FILE), "--state", str(self.alerts)]
        status = cli.main(command)
        return status, [own["rule"] for own in read_json(self.alerts)["alerts"]]

    def retrain(self, day):
        """The loop's call when a day has ended and was measured."""
        return self.loop.step(self.frames, after(day), self.capture / measured.FILE)


def after(day):
    """When a day's check is due."""
    end = checks.minutes_of_day(day)[1]
    return sessions.timestamp(end) + timedelta(minutes=10)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """What was served, measured and decided at every station, see the tests."""
    own = Story(tmp_path_factory.mktemp("closed"))
    told = {"own": own}
    own.loop.step(own.frames, FIRST)
    own.loop.step(own.frames, PROMOTION)
    with serving(own.loop.store.folder, own.capture, SHARE) as own.server:
        told["first"] = own.serve(QUIET)
        told["quiet"] = own.monitor(QUIET), own.alert()
        own.loop.step(own.frames, KEPT)
        own.serve(DRIFTED)
        told["drift"] = own.monitor(DRIFTED), own.alert()
        told["too early"] = own.retrain(DRIFTED)
        told["still"] = own.serve(STILL_DRIFTED)
        told["again"] = own.monitor(STILL_DRIFTED), own.alert()
        told["retrained"] = own.retrain(STILL_DRIFTED)
        own.loop.step(own.frames, SECOND_PROMOTION)
        told["followed"] = own.serve(FOLLOWED)
        told["good"] = own.monitor(FOLLOWED)
        told["back"] = own.loop.step(own.frames, TURNED_BACK)
        told["last"] = own.server.answer(PAIR, lambda answer: answer["model_version"] == 1)
    return told


def test_the_first_challenger_is_served_and_its_quiet_day_alerts_nobody(story):
    assert story["first"] == 1
    verdict, (status, told) = story["quiet"]
    assert verdict["verdict"] == "quiet"
    assert verdict["measurements"]["skill"] > 0.0
    assert (status, told) == (0, [])
    assert rounds.of(story["own"].folder / "place")[0].read(WATCHED)["pairs"][PAIR]["status"] == (
        "kept"
    )


def test_the_turn_is_captured_measured_and_alerted(story):
    verdict, (status, told) = story["drift"]
    assert verdict["verdict"] == "alarm"
    assert verdict["reasons"][0].startswith("volatility rose by a factor of")
    assert verdict["measurements"]["skill"] < 0.0
    assert status == 1
    assert "drift" in told


def test_the_alert_alone_begins_a_round(story):
    _, reasons = story["too early"]
    assert "panel_drift" in [reason.rule for reason in reasons]
    assert not any(reason.rule.startswith("schedule") for reason in reasons)


def test_what_is_still_learnt_from_the_old_market_is_not_promoted(story):
    own = story["too early"][0][-1]
    assert own.read(JUDGED)["pairs"][PAIR]["reasons"]
    assert own.read(PROMOTED)["pairs"] == {}
    assert story["still"] == 1


def test_a_challenger_of_the_new_market_goes_through_gate_and_shadow(story):
    verdict, (status, _) = story["again"]
    assert (verdict["verdict"], status) == ("alarm", 1)
    own, reasons = story["retrained"][0][-1], story["retrained"][1]
    assert "panel_drift" in [reason.rule for reason in reasons]
    judged = own.read(JUDGED)["pairs"][PAIR]
    # Six months would still be of the old market.
    assert judged["since"].startswith("2024-05-0")
    assert judged["reasons"] == []
    assert judged["scores"]["challenger"]["skill"] > 0.01
    assert judged["scores"]["champion"]["skill"] < 0.0
    assert own.read(SHADOWED)["pairs"][PAIR]["reasons"] == []


def test_it_is_promoted_and_served_without_a_restart(story):
    entry = story["retrained"][0][-1].read(PROMOTED)["pairs"][PAIR]
    assert entry["follows"] == 1
    assert story["followed"] == entry["version"] > 1
    assert story["good"]["measurements"]["skill"] > 0.0


def test_it_is_taken_back_when_the_market_turns_again_and_the_first_is_served(story):
    own = story["retrained"][0][-1]
    kept = own.read(WATCHED)["pairs"][PAIR]
    assert (kept["status"], kept["served"]) == ("taken back", 1)
    assert kept["seconds"] < 1.0
    assert f"{PAIR} taken back" in report.text(own).splitlines()[0]
    log = [(line["version"], line["status"]) for line in story["own"].loop.store.log()]
    assert (1, "approved") in log[-4:]
    assert story["last"]["model_version"] == 1
