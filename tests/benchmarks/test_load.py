"""What takes minutes: parity on thousands of minutes, a steady load, 28 bundles; `make load`.

``BQX_LOAD_SECONDS`` and ``BQX_LOAD_MINUTES`` shorten it.
"""

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from live_market import PAIRS, Frames, bundles, frames, until
from numpy.typing import NDArray
from platforms import serving
from servers import BARE, PORT, keep, megabytes, percentiles, running
from test_live_panel import batch, begun, grid_of, minute

from bqx.errors import RequestError
from bqx.features import lags
from bqx.learning import targets
from bqx.learning.bundle import Bundle
from bqx.learning.models import point
from bqx.market import bars as bar_frames
from bqx.market import sessions
from bqx.market.pairs import PAIRS as ALL
from bqx.readiness.load import press
from bqx.serving import lambda_function, lambda_handlers, live, live_state
from bqx.serving.container_models import LoadedModels
from bqx.serving.live_panel import FedBar

pytestmark = pytest.mark.load

SECONDS = float(os.environ.get("BQX_LOAD_SECONDS", "600"))
MINUTES = int(os.environ.get("BQX_LOAD_MINUTES", "10000"))
RATE = 100.0
FIRST = 3_900
"""Row before which the market's history is too short for a forecast."""
Results = dict[str, Any]


def asked(results: Results, what: str, wanted: float, milliseconds: float) -> None:
    """Beside what the field's documents ask for, ms."""
    results.setdefault("documents", []).append((what, wanted, milliseconds))
    print(f"\n{what}: {milliseconds:.4g} ms, the documents ask for {wanted:g}")


def levels(answer: dict[str, Any]) -> dict[int, float]:
    return {int(h): own["level"] for h, own in answer["predictions"].items()}


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform's folders with a model of three pairs, and each pair's own for many models."""
    root = tmp_path_factory.mktemp("load")
    for pair, bundle in bundles().items():
        bundle.save(root / "model" / pair)
        bundle.save(root / "models" / pair / "model" / pair)
    return root


def payload_of(
    pair: str, ts: pd.Timestamp, sent: Frames, packed: dict[str, Bundle]
) -> dict[str, Any]:
    bundle = packed[pair]
    own = sent[pair].loc[:ts].iloc[-(bundle.lookback + 200) :]
    closes = {other: sent[other].loc[own.index[0] : ts, "close"] for other in bundle.panel}
    return live.payload(pair, own, closes)


def batches(
    sent: Frames, rows: NDArray[np.int64], grid: pd.DatetimeIndex
) -> dict[tuple[str, pd.Timestamp], dict[int, float]]:
    """Levels of the batch by pair, time and horizon, of rows on which every pair has a bar.

    All at once from the whole series: what comes later changes none of them.
    """
    whole = until(sent, grid[-1])
    out: dict[tuple[str, pd.Timestamp], dict[int, float]] = {}
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


def test_batch_live_container_and_multi_model_agree_on_thousands_of_minutes(
    laid_out: Path, results: Results
) -> None:
    sent = frames()
    grid = grid_of(sent)
    rng = np.random.default_rng(7)
    count = min(-(-MINUTES // len(PAIRS)), len(grid) - FIRST)
    rows = np.sort(rng.choice(np.arange(FIRST, len(grid)), count, replace=False))
    panel, spent = begun(sent, grid[FIRST - 1]), []
    counts: Counter[str] = Counter()
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
                body = payload_of(pair, ts, sent, bundles())
                start = time.perf_counter()
                answers = [one.post("/invocations", json=body)]
                spent.append(time.perf_counter() - start)
                answers.append(many.post(f"/models/{pair}/invoke", json=body))
                if np.isnan(level[15]) or {a.status_code for a in answers} != {200}:
                    # A hole just before, or a pair of the panel without a bar for days.
                    assert {a.status_code for a in answers} == {422}
                    with pytest.raises(RequestError):
                        panel.newest(pair)
                    counts["refused"] += 1
                    continue
                live_levels = {h: p.level for h, p in panel.newest(pair).predictions.items()}
                assert [live_levels, *map(levels, map(httpx.Response.json, answers))] == [level] * 3
                counts["equal"] += 1
    what = "forecasts that are equal, bit for bit, of batch, live, container and multi-model"
    keep(results, what, counts["equal"], "")
    keep(results, "the others, refused by all", counts["refused"], "")
    what = "end to end: a request with its own bars, columns, forecast, signal and answer, P99"
    asked(results, what, 250.0, percentiles(spent)[1])
    assert counts["equal"] > 0.9 * counts.total()


def test_lambda_agrees_with_the_batch(
    laid_out: Path, monkeypatch: pytest.MonkeyPatch, results: Results
) -> None:
    sent = frames()
    grid, counts = grid_of(sent), []
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
        counts.append((equal, len(rows)))
        assert equal > 0.9 * len(rows)
    equal, total = map(sum, zip(*counts, strict=True))
    keep(results, "forecasts that are equal, bit for bit, of Lambda and the batch", equal, "")
    keep(results, "the others, refused by both", total - equal, "")


def test_a_hundred_requests_a_second(laid_out: Path, tmp_path: Path, results: Results) -> None:
    state, feed, constant = (tmp_path / name for name in ("live.npz", "feed", "constant"))
    feed.mkdir()
    live_state.save(begun(frames(), grid_of(frames())[9_000]), state)
    command = ("-m", "bqx", "serve", laid_out / "model", "--unapproved", "--port", PORT)
    bodies = [f'{{"pair": "{pair}"}}'.encode() for pair in PAIRS]
    headers = {"content-type": "application/json"}
    with running(*command, "--live", feed, "--state", state) as (client, server):
        url = str(client.base_url.join("/predict"))
        press(url, bodies, RATE, seconds=5.0, headers=headers)
        before = megabytes(server)
        load = press(url, bodies, RATE, seconds=SECONDS, headers=headers)
        after = megabytes(server)
        constant.write_bytes(client.post("/predict", content=bodies[0]).content)
    with running("-c", BARE, PORT, constant) as (client, _):
        url = str(client.base_url.join("/predict"))
        bare = press(url, bodies, RATE, seconds=min(SECONDS, 30.0), headers=headers)
    keep(results, f"requests in {SECONDS:g} s", load.sent, "")
    keep(results, "of these not answered with a forecast", load.failed, "")
    keep(results, "answers", load.reached, "a second")
    keep(results, "the server's memory before", before, "MB")
    keep(results, "the same, after", after, "MB")
    for limit, wanted in (("P50", 100.0), ("P95", 150.0), ("P99", 200.0)):
        own, of_bare = (getattr(found, limit.lower()) for found in (load, bare))
        asked(results, f"an answer at {RATE:g} requests a second, {limit}", wanted, own)
        keep(results, f"a bare application with a constant answer, {limit}", of_bare, "ms")
    keep(results, "P50, of the bare application's", load.p50 / bare.p50, "times")
    assert load.failed == 0
    assert after < before + 20


def test_28_bundles_in_a_container(tmp_path: Path, results: Results) -> None:
    for pair, bundle in bundles(ALL).items():
        bundle.save(tmp_path / "models" / pair / "model" / pair)
    folders = {pair: tmp_path / "models" / pair / "model" for pair in ALL}
    models, spent = LoadedModels(1 << 34), []
    for pair in ALL:
        start = time.process_time()
        models.load(pair, folders[pair])
        spent.append(1e3 * (time.process_time() - start))
    keep(results, "loading one of 28 bundles, of a processor", float(np.median(spent)), "ms")
    keep(results, "loading the first, of a processor", spent[0], "ms")
    assert len(models.names) == len(ALL)
    assert np.median(spent) < 150.0


def test_a_model_that_is_not_loaded(tmp_path: Path, results: Results) -> None:
    for pair in ALL:
        bundles(ALL)[pair].save(tmp_path / "models" / pair / "model" / pair)
    ts, spent = grid_of(frames())[9_000], []
    with serving(tmp_path, SAGEMAKER_MULTI_MODEL="true") as (client, container):
        before = megabytes(container)
        for pair in ALL:
            body = payload_of(pair, ts, frames(ALL), bundles(ALL))
            content = {"model_name": pair, "url": str(tmp_path / "models" / pair / "model")}
            start = time.perf_counter()
            assert client.post("/models", json=content).status_code == 200
            answer = client.post(f"/models/{pair}/invoke", json=body)
            spent.append(time.perf_counter() - start)
            # A pair may stand just after a long hole.
            assert answer.status_code in (200, 422), answer.text
        keep(results, "memory of 28 models in a container", megabytes(container) - before, "MB")
    what = "a model that is not loaded: read, tried, and a forecast of its own bars, P50"
    asked(results, what, 500.0, percentiles(spent)[0])


def test_a_month_of_all_pairs_in_a_batch(results: Results) -> None:
    """28 pairs, 5 horizons, a month of minutes; the columns and models of the small bundles."""
    grids, packed = bar_frames.align(frames(ALL, 42)), bundles(ALL)
    start, rows = time.process_time(), 0
    some = np.arange(FIRST, FIRST + int(30.4 / 7 * sessions.WEEK))
    for pair, bundle in packed.items():
        bars = grids[pair]
        bundle.model.predict(lags.matrix(bars, bundle.columns, some, bundle.fits))
        rows += len(some)
    seconds = time.process_time() - start
    keep(results, "a month of 28 pairs and 5 horizons in a batch", rows, "rows")
    keep(results, "the same, of a processor", seconds, "s")
    assert seconds < 240.0
