"""What it takes to watch 28 pairs, beside what it takes to serve them."""

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from live_market import HORIZONS, bundles, fed, frames
from measure import Goal, seconds

from bqx.learning import baseline
from bqx.learning.day_statistics import day_statistics
from bqx.market import sessions
from bqx.market.pairs import PAIRS
from bqx.monitoring.capture import Capture
from bqx.monitoring.panel import Day, Panel
from bqx.serving import captured
from bqx.serving.live_panel import FedBar, LivePanel

pytestmark = pytest.mark.benchmarks

COLUMNS, DAYS, MINUTES = 250, 60, 40
A_LARGE = 3_000_000
EMPTY_HOURS = pd.DataFrame({"market_hour": [0], "range": [0.0], "still": [1]})
EMPTY = pd.DataFrame({"day": [], "loss": [], "known_loss": [], "rows": []})


def columns(rows: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


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
            days[pair] = Day(found, found, ranges.tail(48), EMPTY)
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
        rng.normal(size=(block, width)).astype(np.float32),
        sessions.grid(28_400_040, 28_400_040 + 40 * 1_440)[:block],
        [f"column_{i}" for i in range(width)],
        hours=EMPTY_HOURS,
        performance=EMPTY,
    ).columns
    noise = rng.normal(size=(block + 997, width)).astype(np.float32)
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
    assert np.abs(means[:-1]).mean() < 0.1
    seconds_ = spent * A_LARGE / large
    Goal(
        f"statistics by day of {large:,} rows x 1,000 columns, block by block, for 3 million",
        seconds_, 300.0, 300.0, "s CPU", more=False,
    ).check(results)  # fmt: skip


def served(sent: Any, first: int) -> float:
    """CPU seconds of a minute: all pairs' bars taken, and all forecasts made."""
    panel = LivePanel(bundles(PAIRS))
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


def test_cpu_of_a_capture(
    results: dict[str, Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = frames(PAIRS)
    alone = served(sent, 5_000)
    now = 0.0

    class Minutely(Capture):
        def forecast(self, *args: Any, **named: Any) -> None:
            nonlocal now
            now = 60.0 * (int(args[2].minutes[-1]) + 1)
            super().forecast(*args, **named)

    for share in (0.2, 1.0):
        own = Minutely(str(tmp_path / str(share)), share, lambda: now)
        monkeypatch.setattr(captured, "current", lambda own=own: own)
        beside = served(sent, 5_000)
        spent = {}
        for name in ("forecast", "_write"):
            spent[name] = 0.0
            _timed(monkeypatch, Minutely if name == "forecast" else Capture, name, spent)
        served(sent, 5_000)
        cost = spent["forecast"] / MINUTES
        results.setdefault("capture", []).append(
            {"share": share, "serving_ms": 1e3 * alone, "with_ms": 1e3 * beside, "ms": 1e3 * cost}
        )
        Goal(
            f"capture of 28 pairs and {len(HORIZONS)} horizons over serving, share {share:g}",
            100 * cost / alone, 5.0, 50.0, "% of CPU",
            "serving is the forecasts alone here: what requests cost comes on top", more=False,
        ).check(results)  # fmt: skip
        monkeypatch.undo()


def _timed(patch: pytest.MonkeyPatch, owner: type, name: str, spent: dict[str, float]) -> None:
    real = getattr(owner, name)

    def timed(*args: Any, **named: Any) -> None:
        begun = time.thread_time()
        real(*args, **named)
        spent[name] += time.thread_time() - begun

    patch.setattr(owner, name, timed)
