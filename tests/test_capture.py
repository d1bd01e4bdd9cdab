"""What a server writes down: whole minutes, joined with labels only once these are known."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace

import httpx
import numpy as np
import pytest
from live_market import PAIRS as LIVE
from live_market import bundles, frames, until
from monitored import Clock, feed, grids, models, newest, row_of_day

from bqx.errors import ArtefactError, ParameterError, RequestError
from bqx.feature_store.object_store import Folder
from bqx.learning import targets
from bqx.learning.bundle import Prediction
from bqx.monitoring import capture as capture_module
from bqx.monitoring import captured, objects
from bqx.monitoring.capture import Capture, lot, model_name
from bqx.monitoring.models import baseline_file
from bqx.serving import captured as serving_capture
from bqx.serving import live
from bqx.serving.app import app
from bqx.serving.forecast import forecast_of
from bqx.serving.models import Models

FIRST = row_of_day(23)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Four hours of a capture, an object a minute."""
    folder = tmp_path_factory.mktemp("capture")
    feed(str(folder), FIRST, FIRST + 240, hourly=False)
    return folder


def minute(row):
    return int(grids()["eurusd"].minutes[row])


def test_an_object_holds_a_minute_of_all_pairs(place):
    written = objects.names(Folder(place), minute(FIRST) + 1, minute(FIRST) + 241)
    assert len(written) == len(list((place / "minutes").rglob("*.parquet"))) == 240
    assert objects.first_minute(Folder(place)) == minute(FIRST) + 1
    assert objects.first_minute(Folder(place), minute(FIRST) + 5_000) == minute(FIRST) + 5_000
    assert objects.names(Folder(place), minute(FIRST) + 5, minute(FIRST) + 7) == written[4:6]
    forecasts = objects.read(Folder(place), [written[100]]).forecasts.to_pandas()
    assert set(forecasts["pair"]) <= set(models())
    assert set(forecasts["minute"]) == {minute(FIRST + 100)}
    assert not list(place.rglob(".*.tmp"))


def test_what_is_read_is_what_was_seen(place):
    period = captured.read(Folder(place), minute(FIRST), minute(FIRST + 240), 5)
    for pair, rows in period.pairs.items():
        whole, model = grids()[pair], models()[pair]
        start = int(np.searchsorted(whole.minutes, rows.bars.minutes[0]))
        # The window of a forecast brings the bars before it.
        assert start <= FIRST
        same = whole.rows(start, start + len(rows.bars))
        known = np.isfinite(same.close) & ~same.frame["filled"].to_numpy()
        assert np.array_equal(rows.bars.close[known], same.close[known])
        x = live_x(model, whole, rows.rows + start)
        assert np.array_equal(rows.x, x, equal_nan=True)


def live_x(model, bars, rows):
    from bqx.feature_store.history import History

    return History(bars).matrix(model.columns, rows, model.fits)


@pytest.mark.parametrize("minutes", [90, 200])
def test_labels_are_the_targets_once_they_are_known(place, minutes):
    end = minute(FIRST + minutes)
    period = captured.read(Folder(place), minute(FIRST), end, 5)
    for pair, rows in period.pairs.items():
        labels = rows.until(end).labels()
        assert (labels["minute"] + labels["horizon"] < end).all()
        for horizon, own in labels.groupby("horizon"):
            target = targets.make(grids()[pair], 15, int(horizon))
            places = np.searchsorted(grids()[pair].minutes, own["minute"])
            assert own["level"].to_numpy() == pytest.approx(target.level[places], abs=1e-12)
            assert own["innovation"].to_numpy() == pytest.approx(
                target.label("innovation")[places], rel=1e-9
            )
            assert len(own) > 0.8 * max(minutes - horizon - 20, 0)


def test_nothing_later_than_its_end_reaches_a_period(place, tmp_path):
    end = minute(FIRST + 120)
    whole = captured.read(Folder(place), minute(FIRST), end, 5)
    bars = {}
    for pair, own in grids().items():
        frame = own.frame.copy()
        frame.iloc[FIRST + 120 :, :4] *= 1.01
        bars[pair] = type(own)(pair, frame, own.baseline)
    feed(str(tmp_path), FIRST, FIRST + 240, bars=bars, hourly=False)
    other = captured.read(Folder(tmp_path), minute(FIRST), end, 5)
    for pair, rows in whole.pairs.items():
        theirs = other.pairs[pair]
        assert rows.labels().equals(theirs.labels())
        assert rows.performance.equals(theirs.performance)
        assert np.array_equal(rows.x, theirs.x, equal_nan=True)
        assert rows.bars.frame.equals(theirs.bars.frame)


def test_a_share_of_the_minutes_has_forecasts_and_all_have_bars(tmp_path):
    feed(str(tmp_path), FIRST, FIRST + 120, share=0.2, hourly=False)
    period = captured.read(Folder(tmp_path), minute(FIRST), minute(FIRST + 120), 5)
    expected = [m for m in range(minute(FIRST), minute(FIRST + 120)) if lot(m) < 0.2]
    for rows in period.pairs.values():
        assert set(rows.bars.minutes[rows.rows]) <= set(expected)
        truth = grids()[rows.bars.pair].rows(FIRST, FIRST + 120)
        sent = np.isfinite(truth.close) & ~truth.frame["filled"].to_numpy()
        assert np.array_equal(rows.bars.close[-120:][sent], truth.close[sent])
    every = np.mean([lot(m) < 0.2 for m in range(28_000_000, 28_100_000)])
    assert every == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_no_share_is_refused(share, tmp_path):
    with pytest.raises(ParameterError, match="no share of the minutes"):
        Capture(str(tmp_path), share)


KILLED = """
import sys
from pathlib import Path
import numpy as np
from bqx.features.engine.newest_bars import NewestBars
from bqx.learning import bundle
from bqx.learning.bundle import Prediction
from bqx.monitoring.capture import Capture

model, now = bundle.load(Path(sys.argv[1])), 0.0
capture = Capture(sys.argv[2], 1.0, lambda: now)
for minute in range(int(sys.argv[3]), int(sys.argv[3]) + 100_000):
    now = 60.0 * (minute + 1)
    columns = np.full((7, 40), 1.1)
    columns[6] = 0.0
    minutes = np.arange(minute - 39, minute + 1)
    bars = NewestBars("eurusd", columns, 1.0, panel=None, minutes=minutes, market_minute=minute)
    capture.forecast(model, None, bars, {15: Prediction(15, 0.0, 0.0, 0.1, 1.0, 0.0, 0.0)})
    print(minute, flush=True)
"""


def test_a_kill_loses_no_more_than_the_open_minute(tmp_path):
    models()["eurusd"].save(tmp_path / "model")
    folder, first = tmp_path / "capture", minute(FIRST)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "model"), str(folder), str(first)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        for _ in range(40):
            line = child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().split()
        last = int(rest[-1] if rest else line)
    finally:
        child.kill()
        child.wait(30)
        child.stdout.close()
    Capture(str(folder), 1.0, Clock())
    assert not list(folder.rglob(".*.tmp"))
    own = captured.read(Folder(folder), first, last + 1, 5).pairs["eurusd"]
    written = own.bars.minutes[np.isfinite(own.innovations[15])]
    # The newest that was printed is of the open minute, and no other is lost.
    assert written.tolist() == list(range(first, first + len(written)))
    assert written[-1] >= last - 1


def test_a_bundle_without_a_baseline_is_served_and_told(tmp_path, capsys):
    model = replace(models()["eurusd"], baseline_statistics=None)
    clock = Clock()
    clock.now = 60.0 * minute(FIRST) + 61.0
    capture = Capture(str(tmp_path), 1.0, clock)
    own = newest(grids()["eurusd"], FIRST)
    capture.forecast(model, None, own, {15: Prediction(15, 0, 0, 0.1, 1, 0, 0)})
    capture.flush()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no baseline statistics" in said
    assert "Run notebook 07_deployment again." in said
    with pytest.raises(ArtefactError, match=model_name(model)):
        captured.read(Folder(tmp_path), minute(FIRST) - 10, minute(FIRST) + 10, 5)


def test_a_place_that_cannot_be_written_stops_no_forecast(tmp_path, capsys):
    (tmp_path / "minutes").write_text("a file")
    capture = Capture(str(tmp_path), 1.0, Clock())
    own = newest(grids()["eurusd"], FIRST)
    capture.forecast(models()["eurusd"], None, own, {15: Prediction(15, 0, 0, 0.1, 1, 0, 0)})
    capture.flush()
    assert "capture: " in capsys.readouterr().err


def test_a_full_folder_of_temporary_files_stops_no_forecast(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no room"))
    capture = Capture(str(tmp_path / "capture"), 1.0, Clock())
    own = newest(grids()["eurusd"], FIRST)
    capture.forecast(models()["eurusd"], None, own, {15: Prediction(15, 0, 0, 0.1, 1, 0, 0)})
    capture.flush()
    assert "no room" in capsys.readouterr().err
    folder = Folder(tmp_path / "capture")
    assert len(objects.read(folder, objects.names(folder, 0, objects.EVER)).forecasts) == 1


def test_a_place_that_has_room_again_has_all(tmp_path):
    blocks = [tmp_path / "minutes", tmp_path / "models"]
    for block in blocks:
        block.write_text("a file")
    clock = Clock()
    capture = Capture(str(tmp_path), 1.0, clock)
    model, forecast = models()["eurusd"], {15: Prediction(15, 0, 0, 0.1, 1, 0, 0)}
    for row in range(FIRST, FIRST + 60):
        if row == FIRST + 58:
            for block in blocks:
                block.unlink()
        clock.now = 60.0 * minute(row) + 61.0
        capture.forecast(model, None, newest(grids()["eurusd"], row, 80), forecast)
    capture.flush()
    own = captured.read(Folder(tmp_path), minute(FIRST), minute(FIRST + 60), 5).pairs["eurusd"]
    truth = grids()["eurusd"].rows(FIRST, FIRST + 60)
    sent = np.isfinite(truth.close) & ~truth.frame["filled"].to_numpy()
    assert np.array_equal(own.bars.close[-60:][sent], truth.close[sent])


def test_a_model_that_cannot_be_written_is_tried_once_a_minute(tmp_path, monkeypatch):
    (tmp_path / "models").write_text("a file")
    clock, tries = Clock(), []
    write = capture_module.write_model
    monkeypatch.setattr(
        capture_module, "write_model", lambda *given: tries.append(clock.now) or write(*given)
    )
    capture = Capture(str(tmp_path), 1.0, clock)
    model, forecast = models()["eurusd"], {15: Prediction(15, 0, 0, 0.1, 1, 0, 0)}
    for row in (FIRST, FIRST + 1):
        clock.now = 60.0 * minute(row) + 61.0
        for _ in range(3):
            capture.forecast(model, None, newest(grids()["eurusd"], row, 80), forecast)
    assert tries == [60.0 * minute(row) + 61.0 for row in (FIRST, FIRST + 1)]


@pytest.mark.parametrize("damage", ["{}", "[1]", "files", "absent"])
def test_a_damaged_model_is_named(damage, tmp_path):
    feed(str(tmp_path), FIRST, FIRST + 30, hourly=False)
    folder = tmp_path / "models" / model_name(models()["eurusd"])
    if damage == "files":
        (folder / "baseline" / "hours.parquet").write_bytes(b"PAR1")
    elif damage == "absent":
        (folder / "facts.json").unlink()
    else:
        (folder / "facts.json").write_text(damage)
    with pytest.raises(ArtefactError, match=f"{folder}/.*(expected|room)"):
        captured.read(Folder(tmp_path), minute(FIRST), minute(FIRST + 30), 5)
    with pytest.raises(ArtefactError, match=str(folder)):
        baseline_file(str(tmp_path), folder.name, "hours")


@pytest.fixture
def environment(tmp_path, monkeypatch):
    monkeypatch.setattr(serving_capture, "_captures", {})
    monkeypatch.setenv(serving_capture.PLACE, str(tmp_path / "capture"))
    monkeypatch.setenv(serving_capture.SHARE, "1")
    return tmp_path


def test_bars_are_written_down_before_a_pair_has_a_forecast(environment):
    with pytest.raises(RequestError, match="too few"):
        forecast_of(models()["eurusd"], None, newest(grids()["eurusd"], FIRST))
    serving_capture.flush()
    folder = Folder(environment / "capture")
    rows = objects.read(folder, objects.names(folder, 0, objects.EVER))
    assert rows.bars["minute"].to_pylist()[-1] == minute(FIRST)
    assert not len(rows.forecasts)


@pytest.mark.anyio
async def test_a_server_writes_down_what_it_answers(environment):
    pair = LIVE[1]
    bundles()[pair].save(environment / "bundles" / pair)
    sent = {p: f.iloc[:5_000] for p, f in frames().items()}
    panel = {other: sent[other]["close"] for other in bundles()[pair].panel}
    body = json.dumps(live.payload(pair, sent[pair].iloc[-3_000:], panel))
    served = app(Models(environment / "bundles", unapproved=True))
    with serving_capture.turning():
        transport = httpx.ASGITransport(app=served)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            good = await client.post("/invocations", content=body)
            bad = await client.post("/invocations", content="{}")
            await client.get("/ping")
            await client.get("/metrics")
    assert (good.status_code, bad.status_code) == (200, 400)
    folder = Folder(environment / "capture")
    rows = objects.read(folder, objects.names(folder, 0, int(time.time()) // 60 + 2))
    assert sorted(rows.answers["status"].to_pylist()) == [200, 400]
    (made,) = rows.forecasts.to_pylist()
    expected = bundles()[pair].predict(until(sent, sent[pair].index[-1])[pair])
    assert made["level"] == [of.level for of in expected.values()]
    assert len(made["x"]) == len(bundles()[pair].columns)


def test_without_the_variable_nothing_is_written(monkeypatch):
    monkeypatch.delenv(serving_capture.PLACE, raising=False)
    assert serving_capture.current() is None
    with serving_capture.turning():
        assert "bqx capture" not in {thread.name for thread in threading.enumerate()}


def test_a_share_that_is_no_number_is_refused(environment, monkeypatch):
    monkeypatch.setenv(serving_capture.SHARE, "a fifth")
    with pytest.raises(ParameterError, match="BQX_CAPTURE_SHARE: no number"):
        serving_capture.current()
