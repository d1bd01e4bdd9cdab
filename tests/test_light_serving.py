"""What serves loads plain arrays and stored trees alone, and answers as the batch all the same."""

import json
import subprocess
import sys

import pytest
from platforms import bar_files, environment, small_bundle

from bqx.learning import bundle
from bqx.market import bars
from bqx.serving import live

PAIRS = ("eurusd", "gbpusd")
HEAVY = ("pandas", "xgboost", "sklearn", "pyarrow")

CONTAINER = """
import json, sys
from pathlib import Path
from bqx.serving import app, container
from bqx.serving.jobs.platform import Platform

ready = container.started(Platform.here()).ready()
bodies = json.loads(Path(sys.argv[1]).read_text())
print(json.dumps([json.loads(app.answer(ready, body.encode()).body) for body in bodies]))
print(json.dumps([name for name in sys.argv[2:] if name in sys.modules]))
"""
SERVER = """
import json, sys
from pathlib import Path
from bqx.serving import app, feeds, live_feed, models

served = models.Models(Path.cwd(), unapproved=True)
bodies = json.loads(Path(sys.argv[1]).read_text())
print(json.dumps([json.loads(app.answer(served.current(), body.encode()).body) for body in bodies]))
followed = live_feed.LiveFeed(feeds.opened(str(Path(sys.argv[1]).with_name("feed.jsonl"))), served)
followed._take(followed.feed.lines(0.1))
followed._take([])
assert followed.panel.newest("gbpusd").predictions
assert app.app(served, followed).routes
print(json.dumps([name for name in sys.argv[2:] if name in sys.modules]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A platform's folders with trees of one pair and a line of another, and requests."""
    root = tmp_path_factory.mktemp("light")
    frames = bar_files(root / "bars", PAIRS, days=21)
    for pair, model in zip(PAIRS, ("xgboost", "ridge"), strict=True):
        small_bundle(pair, frames, (15, 60), model=model).save(root / "model" / pair)
    sent = {pair: frame.iloc[-2_000:] for pair, frame in frames.items()}
    bodies = [json.dumps(live.payload(pair, sent[pair])) for pair in PAIRS]
    (root / "bodies.json").write_text(json.dumps(bodies))
    (root / "feed.jsonl").write_text(
        "".join(
            json.dumps({"pair": "gbpusd", "ts_utc": ts.isoformat(), **bar.dropna()}) + "\n"
            for ts, bar in sent["gbpusd"].iterrows()
        )
    )
    return root, sent


@pytest.mark.parametrize("code", [CONTAINER, SERVER], ids=["container", "server"])
def test_neither_pandas_nor_xgboost_is_loaded_by_a_forecast(place, code):
    root, sent = place
    done = subprocess.run(
        [sys.executable, "-c", code, str(root / "bodies.json"), *HEAVY],
        cwd=root / "model",
        env=environment(root),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers, heavy = map(json.loads, done.stdout.splitlines())
    assert heavy == []
    for answer in answers:
        pair = answer["pair"]
        packed = bundle.load(root / "model" / pair)
        grid = bars.align({pair: sent[pair]}, baselines={pair: packed.baseline})[pair]
        levels = {str(h): p.level for h, p in packed.predict(grid).items()}
        assert {h: p["level"] for h, p in answer["predictions"].items()} == levels
