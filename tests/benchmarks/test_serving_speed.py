"""A live server of 28 pairs: a minute, answers beside those of a bare application, state."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from live_market import PAIRS as FEW
from live_market import bundles, frames
from measure import Goal
from servers import BARE, PORT, keep, percentiles, running

from bqx.errors import RequestError
from bqx.market import sessions
from bqx.market.bars import COLUMNS
from bqx.market.pairs import PAIRS
from bqx.serving import live, live_state
from bqx.serving.live_panel import FedBar, LivePanel

pytestmark = pytest.mark.benchmarks

MINUTES, BEFORE = 40, 5_000
ASKED, CLIENTS, SECONDS = 400, 8, 6.0
IDLE, IDLE_SECONDS = 20, 2.0

SERVED = """
import sys
from pathlib import Path
from bqx.serving import api, app
api.RATE = 1e9
api.Throttle.__init__.__defaults__ = (1e9, *api.Throttle.__init__.__defaults__[1:])
folder, state, feed = map(Path, sys.argv[2:])
app.serve(folder, int(sys.argv[1]), unapproved=True, feed=str(feed), state=state)
"""


def stamps() -> pd.DatetimeIndex:
    """The last minute of the history, and those after it."""
    return frames(PAIRS)["eurusd"].index[BEFORE : BEFORE + MINUTES]


@pytest.fixture(scope="module")
def panel() -> LivePanel:
    """A panel of all pairs, whose window is as long as its widest column looks back."""
    panel = LivePanel(bundles(PAIRS))
    before = {pair: frame.loc[: stamps()[0]] for pair, frame in frames(PAIRS).items()}
    panel.start(
        {
            pair: (sessions.epoch_minutes(frame.index), frame[list(COLUMNS)].to_numpy().T)
            for pair, frame in before.items()
        }
    )
    panel.refresh()
    return panel


def test_a_minute_of_all_pairs(panel: LivePanel, results: dict[str, Any]) -> None:
    spent = []
    for ts in stamps()[1:]:
        minute = ts.value // 60_000_000_000
        bars = [
            FedBar(pair, minute, frame.loc[ts].to_dict())
            for pair, frame in frames(PAIRS).items()
            if ts in frame.index
        ]
        start = time.perf_counter()
        panel.feed(bars)
        panel.refresh()
        spent.append(time.perf_counter() - start)
    middle, late = percentiles(spent[3:])
    keep(results, "a minute's bars in, 28 x 5 forecasts and signals ready, P50", middle, "ms")
    keep(results, "the same, P99", late, "ms")


def test_the_state_of_all_pairs(panel: LivePanel, tmp_path: Path, results: dict[str, Any]) -> None:
    start = time.perf_counter()
    live_state.save(panel, tmp_path / "state")
    saved = time.perf_counter() - start
    restored = LivePanel(bundles(PAIRS))
    start = time.perf_counter()
    live_state.restore(restored, tmp_path / "state")
    restored.refresh()
    keep(results, "state of 28 pairs", (tmp_path / "state").stat().st_size / 1e6, "MB")
    keep(results, "saving it", 1e3 * saved, "ms")
    keep(results, "reading it, and the first forecasts", 1e3 * (time.perf_counter() - start), "ms")
    compared = 0
    for pair in PAIRS:
        # A pair just after a long hole has none.
        with suppress(RequestError):
            assert restored.newest(pair).predictions == panel.newest(pair).predictions
            compared += 1
    assert compared > 20


def test_answers_over_http(panel: LivePanel, tmp_path: Path, results: dict[str, Any]) -> None:
    for pair, bundle in bundles(PAIRS).items():
        bundle.save(tmp_path / "bundles" / pair)
    live_state.save(panel, tmp_path / "state")
    feed = tmp_path / "feed"
    feed.mkdir()
    served = ("-c", SERVED, PORT, tmp_path / "bundles", tmp_path / "state", feed)
    with running(*served) as (client, _):
        alone = timed(lambda: client.post("/predict", json={"pair": "eurusd"}))
        all_pairs = timed(lambda: client.get("/forecasts"))
        constant = client.get("/forecasts").content
        assert len(json.loads(constant)["forecasts"]) > 20
        idle = timed(lambda: client.get("/forecasts"), IDLE, pause=IDLE_SECONDS)
    (tmp_path / "constant").write_bytes(constant)
    with running("-c", BARE, PORT, tmp_path / "constant") as (client, _):
        bare = timed(lambda: client.get("/forecasts"))
    keep(results, "one pair's newest forecast over HTTP, P50", alone[0], "ms")
    keep(results, "the same, P99", alone[1], "ms")
    for limit, number, goal in (("P50", 0, 15.0), ("P99", 1, 50.0)):
        what = f"28 x 5 forecasts over HTTP, {limit}"
        Goal(what, all_pairs[number], goal, 4 * goal, "ms", "a busy machine", more=False).check(
            results
        )
    what = f"28 x 5 forecasts over HTTP after {IDLE_SECONDS:g} idle seconds, P50"
    keep(results, what, idle[0], "ms")
    keep(results, "bare application with the same constant answer, P50", bare[0], "ms")
    keep(results, "28 x 5 forecasts over HTTP, P50, of the bare application's",
         all_pairs[0] / bare[0], "times")  # fmt: skip


def test_more_clients_do_not_slow_it(tmp_path: Path, results: dict[str, Any]) -> None:
    for pair, bundle in bundles(FEW).items():
        bundle.save(tmp_path / "bundles" / pair)
    (tmp_path / "feed").mkdir()
    served = ("-c", SERVED, PORT, tmp_path / "bundles", tmp_path / "state", tmp_path / "feed")
    with running(*served) as (client, _):
        rates = throughput(client.base_url)
    for clients, rate in rates.items():
        keep(
            results, f"requests with their own bars, clients at a time: {clients}", rate, "a second"
        )
    assert rates[CLIENTS] > 0.8 * rates[1]


def timed(
    ask: Callable[[], httpx.Response], count: int = ASKED, *, pause: float = 0.0
) -> tuple[float, float]:
    """Median and 99th percentile of answers, ms, with so many seconds before each request."""
    spent = []
    for _ in range(count):
        time.sleep(pause)
        start = time.perf_counter()
        response = ask()
        spent.append(time.perf_counter() - start)
        assert response.status_code == 200, response.text
    return percentiles(spent[count // 20 :])


def throughput(url: httpx.URL) -> dict[int, float]:
    """Answers a second to requests that bring their bars, by clients at a time."""
    bundle = bundles(FEW)["eurusd"]
    sent = {pair: frames(FEW)[pair].iloc[:BEFORE] for pair in ("eurusd", *bundle.panel)}
    last = min(frame.index[-1] for frame in sent.values())
    own = sent["eurusd"].loc[:last].iloc[-bundle.lookback - 20 :]
    panel = {pair: sent[pair].loc[own.index[0] : last, "close"] for pair in bundle.panel}
    body = json.dumps(live.payload("eurusd", own, panel)).encode()
    return {clients: rate(url, body, clients) for clients in (1, CLIENTS)}


def rate(url: httpx.URL, body: bytes, clients: int) -> float:
    """Answers a second."""
    end = time.perf_counter() + SECONDS
    counts = [0] * clients

    def ask(number: int) -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            while time.perf_counter() < end:
                response = client.post(
                    "/invocations", content=body, headers={"content-type": "application/json"}
                )
                assert response.status_code == 200, response.text
                counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 60)
    return sum(counts) / SECONDS
