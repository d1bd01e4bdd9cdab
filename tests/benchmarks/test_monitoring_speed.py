"""What it takes to watch 28 pairs, beside what it takes to serve them."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from live_market import HORIZONS, bundles, fed, frames
from measure import Goal, seconds
from servers import PORT, running
from test_serving_speed import SERVED

from bqx.feature_store.history import History
from bqx.features.engine.newest_bars import NewestBars
from bqx.learning import baseline, losses, targets
from bqx.learning.bundle import Bundle, Prediction
from bqx.learning.day_statistics import day_statistics
from bqx.market import bars as bar_frames
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS
from bqx.monitoring import watch
from bqx.monitoring.capture import Capture
from bqx.monitoring.panel import Day, Panel
from bqx.serving import live_state
from bqx.serving.live_panel import FedBar, LivePanel

pytestmark = pytest.mark.benchmarks

COLUMNS, DAYS, MINUTES = 250, 60, 40
ASKED = 400
"""Answers a minute at which the field's documents add an instance."""
A_LARGE = 3_000_000
EMPTY_HOURS = pd.DataFrame({"market_hour": [0], "range": [0.0], "still": [1]})
EMPTY = pd.DataFrame({"day": [], "loss": [], "known_loss": [], "rows": []})


def columns(rows: int, width: int, seed: int) -> np.ndarray:
    """Columns of which every second one follows from the others."""
    x = np.random.default_rng(seed).normal(size=(rows, width))
    x[:, 1::2] += x[:, ::2] + np.abs(np.roll(x[:, ::2], 1, axis=1))
    return x.astype(np.float32)


def test_a_day_of_a_panel(results: dict[str, Any]) -> None:
    minutes = sessions.grid(28_400_040, 28_400_040 + (DAYS * 7 // 5 + 3) * 1_440)
    day = sessions.trading_days(minutes)
    later = minutes[day == np.unique(day)[-2]]
    early = minutes[day < np.unique(day)[-2]][::5]
    hours = np.unique(sessions.market_minutes(minutes) // 60)
    noise = np.random.default_rng(0).normal(size=len(hours))
    ranges = pd.DataFrame({"market_hour": hours, "range": noise})
    names = [f"column_{i}" for i in range(COLUMNS)]
    own = baseline.of_columns(
        columns(len(early), COLUMNS, 0), early, names, hours=ranges, performance=EMPTY
    )
    panel = Panel(dict.fromkeys(PAIRS, own))
    x = columns(len(later), COLUMNS, 1)

    def judge() -> None:
        days = {}
        for pair in PAIRS:
            found = day_statistics(x, sessions.trading_days(later), own.columns)
            days[pair] = Day(found, found, ranges.tail(48), EMPTY, 1.0)
        panel.judge(days)

    Goal(
        "drift of 250 columns x 28 pairs of one day", seconds(judge), 10.0, 10.0, "s CPU",
        more=False,
    ).check(results)  # fmt: skip


def test_a_large_baseline_block_by_block(results: dict[str, Any], large: int) -> None:
    """Of ``--large`` rows x 1,000 columns, which are never in memory at once."""
    width, block = 1_000, 20 * sessions.DAY
    rng = np.random.default_rng(0)
    described = baseline.of_columns(
        columns(block, width, 0),
        sessions.grid(28_400_040, 28_400_040 + 40 * 1_440)[:block],
        [f"column_{i}" for i in range(width)],
        hours=EMPTY_HOURS,
        performance=EMPTY,
    ).columns
    noise = columns(block + 997, width, 1)
    spent, rows, days = 0.0, 0, []
    for first in range(0, large, block):
        # Other rows of the same noise: drawing it anew would take longer than its statistics.
        count, start = min(block, large - first), int(rng.integers(997))
        x = noise[start : start + count]
        numbers = (first + np.arange(count)) // sessions.DAY
        begun = time.process_time()
        days.append(day_statistics(x, numbers, described))
        spent += time.process_time() - begun
        rows += count
    assert rows == large
    assert sum(own.rows.sum() for own in days) == large * width
    means = np.concatenate([own.mean for own in days])
    assert means.shape == (-(-large // sessions.DAY), width)
    assert np.abs(means[:-1]).mean() < 0.3
    seconds_ = spent * A_LARGE / large
    Goal(
        f"statistics by day of {large:,} rows x 1,000 columns, block by block, for 3 million",
        seconds_, 300.0, 300.0, "s CPU", more=False,
    ).check(results)  # fmt: skip


def served(panel: LivePanel, sent: Any, first: int) -> float:
    """CPU seconds of a minute: all pairs' bars taken, and all forecasts made."""
    stamps = sent["eurusd"].index
    start = {
        pair: (sessions.epoch_minutes(f.iloc[:first].index), f.iloc[:first].to_numpy().T)
        for pair, f in sent.items()
    }
    panel.start(start)
    panel.refresh()
    minutes = [
        [FedBar(pair, int(ts.value // 60_000_000_000), bar) for ts, pair, bar in fed(sent, [at])]
        for at in stamps[first : first + MINUTES]
    ]
    spent = []
    for bars in minutes:
        begun = time.process_time()
        panel.feed(bars)
        panel.refresh()
        spent.append(time.process_time() - begun)
    return float(np.median(spent))


def answered(panel: LivePanel, folder: Path) -> float:
    """CPU seconds of a minute's answers over HTTP, at the traffic for which the field's documents
    scale an instance."""
    for pair, bundle in bundles(PAIRS).items():
        bundle.save(folder / "bundles" / pair)
    live_state.save(panel, folder / "state")
    (folder / "feed").mkdir()
    command = ("-c", SERVED, PORT, folder / "bundles", folder / "state", folder / "feed")
    with running(*command) as (client, process):
        server = psutil.Process(process.pid)

        def asked() -> float:
            begun = server.cpu_times()
            for _ in range(ASKED):
                assert client.post("/predict", json={"pair": "eurusd"}).status_code == 200
            ended = server.cpu_times()
            return float(ended.user + ended.system - begun.user - begun.system)

        asked()
        return asked()


def watched(place: Path) -> dict[str, float]:
    """CPU seconds of a minute that capture and checks of 28 pairs take, from a capture of two days,
    at the documents' traffic and share."""
    grids = bar_frames.align(frames(PAIRS, 21))
    models = {pair: with_baseline(model, grids[pair]) for pair, model in bundles(PAIRS).items()}
    rows = np.arange(11 * sessions.DAY, 13 * sessions.DAY + 70)
    minutes = grids["eurusd"].minutes
    x, bars = {}, {}
    for pair, model in models.items():
        x[pair] = History(grids[pair]).matrix(model.columns, rows, model.fits)
        bars[pair] = grids[pair].frame.to_numpy(np.float64).T
    now = 0.0
    capture = Capture(str(place), clock=lambda: now)
    spent = {"capture": 0.0}
    for i, row in enumerate(rows.tolist()):
        now = 60.0 * (int(minutes[row]) + 1) + 1.0
        newest = {pair: newest_of(grids[pair], bars[pair], row) for pair in models}
        begun = time.process_time()
        for pair, model in models.items():
            if bars[pair][6, row] == 0.0 and np.isfinite(bars[pair][3, row]):
                capture.forecast(model, x[pair][i : i + 1], newest[pair], PREDICTED)
        for _ in range(ASKED):
            capture.answer(200, 3.0)
        spent["capture"] += (time.process_time() - begun) / len(rows)
    capture.flush()
    for name, first, count, each in (
        ("minute", rows[-45], 30, 1),
        ("hourly", rows[-61], 1, 60),
        ("daily", rows[-61], 1, sessions.DAY),
    ):
        start = sessions.timestamp(int(minutes[first]) + 9)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(watch.FARTHEST, name, {"minute": 3, "hourly": 120, "daily": 2_000}[name])
            watch.watch(str(place), name, start - timedelta(minutes=each))
            begun = time.process_time()
            made = sum(
                watch.watch(str(place), name, start + timedelta(minutes=k))["made"]
                for k in range(count)
            )
        assert made >= count
        spent[name] = (time.process_time() - begun) / made / each
    return spent


PREDICTED = {h: Prediction(15, 0.0, 0.0, 0.01, 1e-3, -1e-3, 1e-3) for h in HORIZONS}


def newest_of(own: Bars, columns: np.ndarray, row: int) -> NewestBars:
    part = slice(row - 39, row + 1)
    return NewestBars(
        own.pair, columns[:, part], own.baseline, panel=None, minutes=own.minutes[part],
        market_minute=own.first_market_minute + row,
    )  # fmt: skip


def with_baseline(model: Bundle, own: Bars) -> Bundle:
    until = own.ts[10 * sessions.DAY]
    rows = np.arange(1_500, 9 * sessions.DAY)
    performance = [
        losses.of_days(targets.make(own, 15, h), own.minutes, rows, np.full(len(rows), 0.01))
        for h in HORIZONS
    ]
    statistics = baseline.of_model(
        History(own), model.columns, window=15, fits=model.fits, until=until,
        performance=pd.concat(performance),
    )  # fmt: skip
    return replace(model, baseline_statistics=statistics)


def test_watching_costs_less_than_a_twentieth_of_serving(
    results: dict[str, Any], tmp_path: Path
) -> None:
    panel = LivePanel(bundles(PAIRS))
    refreshed = served(panel, frames(PAIRS), 5_000)
    serving = {"forecasts": refreshed, "answers": answered(panel, tmp_path / "bundles")}
    watching = watched(tmp_path / "capture")
    results["watching"] = {
        "serving_ms": {name: 1e3 * own for name, own in serving.items()},
        "watching_ms": {name: 1e3 * own for name, own in watching.items()},
    }
    print(results["watching"])
    Goal(
        f"watching 28 pairs and {len(HORIZONS)} horizons over serving them, {ASKED} answers a "
        "minute", 100 * sum(watching.values()) / sum(serving.values()), 5.0, 15.0, "% of CPU",
        "more than half is the check of each minute, which reads what was captured anew",
        more=False,
    ).check(results)  # fmt: skip
