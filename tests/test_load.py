"""What takes minutes: parity on thousands of minutes, a steady load, 28 bundles; `make load`.

``BQX_LOAD_SECONDS`` and ``BQX_LOAD_MINUTES`` shorten it. What was measured is printed, with the
load of the machine beside it.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from live_market import PAIRS, bundles, frames, until
from platforms import ROOT, environment, free_port, serving
from test_live_panel import batch, begun, grid_of, minute

from bqx.errors import RequestError
from bqx.features import lags
from bqx.learning import targets
from bqx.learning.models import point
from bqx.market import bars as bar_frames
from bqx.market.pairs import PAIRS as ALL
from bqx.serving import lambda_function, lambda_handlers, live, live_state
from bqx.serving.container_models import LoadedModels, held_bytes
from bqx.serving.live_panel import FedBar

pytestmark = pytest.mark.load

SECONDS = float(os.environ.get("BQX_LOAD_SECONDS", "600"))
MINUTES = int(os.environ.get("BQX_LOAD_MINUTES", "10000"))
RATE, CLIENTS = 100, 8
FIRST = 3_900
"""Row before which the market's history is too short for a forecast."""


def told(text):
    print(f"\n{text}; load of the machine {os.getloadavg()[0]:.1f}")


def levels(answer):
    return {int(h): own["level"] for h, own in answer["predictions"].items()}


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """A platform's folders with a model of three pairs, and each pair's own for many models."""
    root = tmp_path_factory.mktemp("load")
    for pair, bundle in bundles().items():
        bundle.save(root / "model" / pair)
        bundle.save(root / "models" / pair / "model" / pair)
    return root


def payload_of(pair, ts):
    sent = frames()
    bundle = bundles()[pair]
    own = sent[pair].loc[:ts].iloc[-(bundle.lookback + 200) :]
    closes = {other: sent[other].loc[own.index[0] : ts, "close"] for other in bundle.panel}
    return live.payload(pair, own, closes)


def batches(sent, rows, grid):
    """Levels of the batch by pair, time and horizon, of rows on which every pair has a bar.

    All at once from the whole series: what comes later changes none of them.
    """
    whole, out = until(sent, grid[-1]), {}
    some = np.array([row for row in rows if all(grid[row] in f.index for f in sent.values())])
    for pair, bundle in bundles().items():
        bars = whole[pair]
        forecasts = point(
            bundle.model.predict(lags.matrix(bars, bundle.columns, some, bundle.fits))
        )
        for column, horizon in enumerate(bundle.horizons):
            innovation = np.zeros(len(bars))
            if beta := bundle.betas[horizon]:
                innovation[some] = beta * forecasts[:, column]
            level = targets.make(bars, 15, horizon).from_innovation(innovation, "level")
            for row in some:
                out.setdefault((pair, grid[row]), {})[horizon] = level[row]
    return out


def test_batch_live_container_and_multi_model_agree_on_thousands_of_minutes(laid_out):
    sent = frames()
    grid = grid_of(sent)
    rng = np.random.default_rng(7)
    count = min(-(-MINUTES // len(PAIRS)), len(grid) - FIRST)
    rows = np.sort(rng.choice(np.arange(FIRST, len(grid)), count, replace=False))
    panel, asked = begun(sent, grid[FIRST - 1]), Counter()
    wanted, known = set(grid[rows]), batches(sent, rows, grid)
    with (
        serving(laid_out) as (one, _),
        serving(laid_out, SAGEMAKER_MULTI_MODEL="true") as (many, _),
    ):
        for pair in PAIRS:
            content = {"model_name": pair, "url": str(laid_out / "models" / pair / "model")}
            assert many.post("/models", json=content).status_code == 200
        for ts in grid[FIRST:]:
            here = [pair for pair in PAIRS if ts in sent[pair].index]
            panel.feed(FedBar(pair, minute(ts), sent[pair].loc[ts].to_dict()) for pair in here)
            if ts not in wanted:
                continue
            panel.refresh()
            bars = None if len(here) == len(PAIRS) else until(sent, ts)
            for pair in here:
                level = known.get((pair, ts)) or {
                    horizon: values[0]
                    for horizon, values in batch(bundles()[pair], bars[pair]).items()
                }
                body = payload_of(pair, ts)
                answers = [
                    one.post("/invocations", json=body),
                    many.post(f"/models/{pair}/invoke", json=body),
                ]
                if np.isnan(level[15]) or {a.status_code for a in answers} != {200}:
                    # A hole just before, or a pair of the panel without a bar for days.
                    assert {a.status_code for a in answers} == {422}
                    with pytest.raises(RequestError):
                        panel.newest(pair)
                    asked["refused"] += 1
                    continue
                live_levels = {h: p.level for h, p in panel.newest(pair).predictions.items()}
                assert [live_levels, *map(levels, map(httpx.Response.json, answers))] == [level] * 3
                asked["equal"] += 1
    told(f"parity of batch, live, container and multi-model: {dict(asked)} of pairs and minutes")
    assert asked["equal"] > 0.9 * sum(asked.values())


def test_lambda_agrees_with_the_batch(laid_out, monkeypatch):
    sent = frames()
    grid = grid_of(sent)
    # A day on which the weekend with the change of the clock lies behind, and one across it.
    for last in (7_900, 9_300):
        panel = begun(sent, grid[last])
        live_state.save(panel, laid_out / "live.npz")
        monkeypatch.setenv("BQX_BUNDLES", str(laid_out / "model"))
        monkeypatch.setenv("BQX_STATE", str(laid_out / "live.npz"))
        monkeypatch.setattr(lambda_function, "_functions", {})
        rows = np.random.default_rng(last).integers(last - 1_300, last, MINUTES // 20)
        equal = 0
        for number, ts in enumerate(grid[rows]):
            pair = PAIRS[number % len(PAIRS)]
            answer = lambda_handlers.predict({"pair": pair, "timestamp": ts.isoformat()}, None)
            if ts not in sent[pair].index:
                assert answer["error"]["type"] == "bar"
                continue
            expected = batch(bundles()[pair], until(sent, ts)[pair])
            if np.isnan(expected[15][0]):
                assert answer["error"]["type"] == "bars"
                continue
            for horizon, (level, low, high, _) in expected.items():
                own = answer["predictions"][f"horizon_{horizon}"]
                assert (own["value"], *own["confidence"]) == (level, low, high)
            equal += 1
        told(f"parity of Lambda and the batch: {equal} of {len(rows)} minutes, the others refused")
        assert equal > 0.9 * len(rows)


BARE = """
import sys
import uvicorn
ANSWER = sys.argv[2].encode()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", http="h11", lifespan="off")
"""


@contextmanager
def process(command, port, **more):
    """A server that listens on a port until the block ends."""
    child = subprocess.Popen(command, env=environment(ROOT, **more), stderr=subprocess.PIPE)
    try:
        give_up = time.monotonic() + 240
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/ping")
                connection.getresponse().read()
                connection.close()
                break
            except OSError:
                assert child.poll() is None, child.communicate(timeout=10)[1]
                assert time.monotonic() < give_up
                time.sleep(0.2)
        yield child
    finally:
        child.kill()
        child.communicate(timeout=30)


def pressed(port, seconds):
    """Status codes and seconds of requests at `RATE` a second, from `CLIENTS` clients."""
    statuses, spent, lock = Counter(), [], threading.Lock()
    began = time.monotonic()

    def ask(number):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        due = began + number / RATE
        while due < began + seconds:
            time.sleep(max(due - time.monotonic(), 0.0))
            # From when it was due: a late request counts what it waited.
            body = json.dumps({"pair": PAIRS[number % len(PAIRS)]})
            try:
                connection.request(
                    "POST", "/predict", body, headers={"content-type": "application/json"}
                )
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
                connection.close()
            with lock:
                statuses[status] += 1
                spent.append(time.monotonic() - due)
            due = max(due + CLIENTS / RATE, time.monotonic() - 0.5)
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=seconds + 120)
    return statuses, np.array(spent)


def resident(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_hundred_requests_a_second(laid_out, tmp_path):
    state, feed, port = tmp_path / "live.npz", tmp_path / "feed", free_port()
    feed.mkdir()
    live_state.save(begun(frames(), grid_of(frames())[9_000]), state)
    command = [sys.executable, "-m", "bqx.cli", "serve", str(laid_out / "model"), "--unapproved"]
    command += ["--live", str(feed), "--state", str(state), "--port", str(port)]
    with process(command, port) as server:
        pressed(port, 5.0)
        before = resident(server.pid)
        statuses, spent = pressed(port, SECONDS)
        after = resident(server.pid)
        answer = httpx.post(f"http://127.0.0.1:{port}/predict", json={"pair": "eurusd"}).text
    with process([sys.executable, "-c", BARE, str(free := free_port()), answer], free):
        _, bare = pressed(free, min(SECONDS, 30.0))
    middle, late = 1e3 * np.percentile(spent, (50, 99))
    bare_middle, bare_late = 1e3 * np.percentile(bare, (50, 99))
    told(
        f"load: {len(spent) / SECONDS:.0f} a second for {SECONDS:.0f} s, {dict(statuses)}, "
        f"P50 {middle:.1f} ms, P99 {late:.1f} ms, {before:.0f} MB before and {after:.0f} MB after; "
        f"a bare application P50 {bare_middle:.1f} ms, P99 {bare_late:.1f} ms, "
        f"ratio {middle / bare_middle:.2f}"
    )
    assert set(statuses) == {200}
    assert after < before + 20


def test_28_bundles_in_a_container(tmp_path):
    for pair, bundle in bundles(ALL).items():
        bundle.save(tmp_path / pair / "model" / pair)
    models, before = LoadedModels(1 << 34), held_bytes()
    spent = []
    for pair in ALL:
        start = time.process_time()
        models.load(pair, tmp_path / pair / "model")
        spent.append(1e3 * (time.process_time() - start))
    told(
        f"28 bundles: {sum(spent[1:]) / 27:.0f} ms of a processor each, the first {spent[0]:.0f}, "
        f"{(held_bytes() - before) / 1e6:.0f} MB"
    )
    assert len(models.names) == len(ALL)
    assert np.median(spent) < 150.0


def test_a_month_of_all_pairs_in_a_batch():
    """28 pairs, 5 horizons, a month of minutes; the columns and models of the small bundles."""
    grids, packed = bar_frames.align(frames(ALL)), bundles(ALL)
    start, rows = time.process_time(), 0
    month = int(30.4 / 7 * 7_200)
    for pair, bundle in packed.items():
        bars = grids[pair]
        some = np.resize(np.arange(FIRST, len(bars)), month)
        bundle.model.predict(lags.matrix(bars, bundle.columns, some, bundle.fits))
        rows += len(some)
    seconds = time.process_time() - start
    told(f"a month of 28 pairs and 5 horizons: {rows:,} rows in {seconds:.0f} s of a processor")
    assert seconds < 240.0
