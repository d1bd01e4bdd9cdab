"""The loop closed, on one market whose signal turns twice: served, measured, drifted, retrained,
judged, in the shadow, promoted, served, and taken back when the signal turns again.

One server runs all the while and follows the registry without a restart.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime

import pandas as pd
import pytest
import rounds as made

from bqx.files import write_json
from bqx.learning import bundle
from bqx.retraining import bars, judgement, report, rounds, trial
from bqx.retraining.rounds import JUDGED, PROMOTED, SHADOWED, WATCHED
from bqx.serving import live

PAIR = made.PAIRS[0]
DRIFTED, RETRAINED, FOLLOWED, TURNED_BACK = (
    datetime(2024, month, day, 2, tzinfo=UTC) for month, day in ((4, 6), (6, 10), (6, 15), (6, 22))
)
TURNS = ("2024-04-01", "2024-06-16")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """What was served and decided at every station, see the tests."""
    folder = tmp_path_factory.mktemp("closed")
    frames = {PAIR: made.turned(TURNS, 168)[PAIR]}
    loop = made.loop(folder)
    told = {"folder": folder, "loop": loop}
    with pytest.MonkeyPatch.context() as patch:
        # Two months are learnt from a new market sooner than six.
        patch.setattr(bars, "MONTHS", 2)
        loop.step(frames, made.FIRST)
        loop.step(frames, made.SHADOWED)
        with serving(loop.store.folder) as url:
            told["first"] = asked(url, loop, frames, made.SHADOWED)
            loop.step(frames, made.WATCHED)
            told["measured"] = measured(folder, loop, frames, DRIFTED)
            told["drifted"] = loop.step(frames, DRIFTED, folder / "measurements.json")
            told["retrained"] = loop.step(frames, RETRAINED)
            told["in shadow"] = asked(url, loop, frames, RETRAINED)
            loop.step(frames, FOLLOWED)
            told["followed"] = asked(url, loop, frames, FOLLOWED)
            told["back"] = loop.step(frames, TURNED_BACK)
            told["last"] = asked(url, loop, frames, TURNED_BACK)
    return told


@contextmanager
def serving(folder):
    """Address of a server of a registry, which is ended in any case."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bqx.cli", "serve", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url, give_up = f"http://127.0.0.1:{port}", time.monotonic() + 120.0
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/ping", timeout=10).close()
                break
            except urllib.error.URLError:
                assert process.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait(10)


def asked(url, loop, frames, now):
    """The server's answer for the last bar before a time, and the version that stands approved."""
    known = bars.known(frames, now)[PAIR]
    version = loop.registry.latest_approved(PAIR)
    lookback = loop.store.read(version).lookback
    request = urllib.request.Request(
        f"{url}/invocations",
        json.dumps(live.payload(PAIR, known.iloc[-lookback - 500 :])).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    served = bundle.load(loop.store.folder / PAIR / f"{version.number:04d}" / "bundle")
    assert answer["trained_until"] == served.trained_until.isoformat()
    expected = live.forecast(served, known.iloc[-lookback - 500 :])
    assert answer["predictions"] == expected["predictions"]
    return version.number


def measured(folder, loop, frames, now):
    """What the forecasts of the days since the turn are worth, as a monitor writes it."""
    known = bars.known(frames, now)
    days = trial.days_after(known, pd.Timestamp(TURNS[0], tz="UTC").to_pydatetime(), now)
    served = loop.store.read(loop.registry.latest_approved(PAIR))
    table = trial.compared(known, days, challenger=served, champion=None, params=loop.params)
    now_scores = judgement.scores_of(table)["challenger"]
    before = rounds.of(folder / "place")[0].read(JUDGED)["pairs"][PAIR]["scores"]["challenger"]
    numbers = {
        "skill": now_scores["skill"],
        "skill_drop": before["skill"] - now_scores["skill"],
        "r2_change": now_scores["r2"] - before["r2"],
        "mae_ratio": now_scores["mae"] / before["mae"],
    }
    content = {"at": now.isoformat(), "measurements": numbers}
    write_json(folder / "measurements.json", content)
    return numbers


def test_the_first_challenger_is_served_while_its_signal_lasts(story):
    assert story["first"] == 1
    first = rounds.of(story["folder"] / "place")[0]
    assert first.read(WATCHED)["pairs"][PAIR]["status"] == "kept"


def test_the_turn_is_measured_and_begins_a_round(story):
    assert story["measured"]["skill"] < 0.0
    _, reasons = story["drifted"]
    assert "skill_drop" in [reason.rule for reason in reasons]


def test_what_is_still_learnt_from_the_old_market_is_not_promoted(story):
    own = story["drifted"][0][-1]
    judged = own.read(JUDGED)["pairs"][PAIR]
    assert judged["reasons"]
    assert own.read(PROMOTED)["pairs"] == {}


def test_a_challenger_of_the_new_market_goes_through_gate_and_shadow(story):
    own = story["retrained"][0][-1]
    judged = own.read(JUDGED)["pairs"][PAIR]
    assert judged["reasons"] == []
    assert judged["scores"]["challenger"]["skill"] > 0.01
    assert judged["scores"]["champion"]["skill"] < 0.0
    assert story["in shadow"] == 1
    assert own.read(SHADOWED)["pairs"][PAIR]["reasons"] == []


def test_it_is_promoted_and_served_without_a_restart(story):
    own = story["retrained"][0][-1]
    entry = own.read(PROMOTED)["pairs"][PAIR]
    assert entry["follows"] == 1
    assert story["followed"] == entry["version"] > 1


def test_it_is_taken_back_when_the_market_turns_again_and_the_first_is_served(story):
    own = story["retrained"][0][-1]
    kept = own.read(WATCHED)["pairs"][PAIR]
    assert (kept["status"], kept["served"]) == ("taken back", 1)
    assert kept["seconds"] < 1.0
    assert story["last"] == 1
    assert f"{PAIR} taken back" in report.text(own).splitlines()[0]
    log = [(line["version"], line["status"]) for line in story["loop"].store.log()]
    assert (1, "approved") in log[-4:]
