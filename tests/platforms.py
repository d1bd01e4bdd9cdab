"""SageMaker's folders as the platform lays them out, and its containers' processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bqx.market import simulated

PAIRS = ("eurusd", "gbpusd")
ROOT = Path(__file__).parents[1]
SMALL = {
    "pair": "eurusd",
    "horizons": "[15]",
    "lags": "[]",
    "selected": "8",
    "forest_trees": "8",
    "forest_depth": "3",
    "max_depth": "2",
    "n_estimators": "30",
}
"""Hyperparameters of a small training, as texts."""


def bar_files(folder, pairs=PAIRS, days=28):
    """Files of a planted market's bars, and their frames."""
    folder.mkdir(parents=True)
    frames = simulated.simulate("planted", pairs, "2024-01-07", days=days, seed=1).frames
    for pair, frame in frames.items():
        frame.rename_axis("ts_utc").reset_index().to_parquet(folder / f"{pair}.parquet")
    return frames


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def environment(root, **more):
    """What the platform sets, and no more of what a test's own process has."""
    kept = {name: os.environ[name] for name in ("PATH", "NUMBA_CACHE_DIR") if name in os.environ}
    # The home is where compiled kernels are kept without a folder of their own.
    home = os.environ.get("HOME", "/")
    return kept | {"HOME": home, "PYTHONPATH": str(ROOT), "BQX_ML_ROOT": str(root)} | more


def start(root, verb, *arguments, **more):
    """A container's process."""
    return subprocess.Popen(
        [sys.executable, "-m", "bqx.serving", verb, *arguments],
        env=environment(root, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, seconds=300):
    """Status, standard output and error of a process that ends by itself in time."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
        process.wait()
    return process.returncode, out, err
