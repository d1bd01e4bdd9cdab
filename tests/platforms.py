"""SageMaker's folders as the platform lays them out, and its containers' processes."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pandas as pd

from bqx.features import catalog, lags
from bqx.features.engine.fitting import fit
from bqx.features.lags import Column
from bqx.learning import bundle
from bqx.learning.conformal import GROUPS, Calibration
from bqx.learning.fold_fit import FoldFit
from bqx.learning.models import make
from bqx.learning.shrinkage import Evidence
from bqx.market import bars, simulated
from bqx.params import Params

PAIRS = ("eurusd", "gbpusd")
SETTINGS = {"ridge": {"alpha": 0.1}, "xgboost": {"n_estimators": 40, "max_depth": 3}}
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
    frames = simulated.simulate("strong", pairs, "2024-01-07", days=days, seed=1).frames
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


def small_bundle(pair, frames, horizons=(15,), seed=0, *, model="ridge"):
    """A bundle of a model on random labels, quickly made."""
    grid = bars.align({pair: frames[pair]})[pair]
    rows = np.arange(3_000, 12_000, 7)
    columns = tuple(Column(feature) for feature in catalog.profile("core")[10:18])
    x = lags.matrix(grid, columns, rows)
    y = np.random.default_rng(seed).normal(size=(len(rows), len(horizons)))
    params = Params(horizons=horizons, pairs=(pair,))
    learnt = FoldFit(
        number=0,
        columns=columns,
        fits=fit(grid, [column.feature for column in columns], rows),
        evidence=Evidence(9.0, dict.fromkeys(horizons, 1.0)),
        model=make(model, params, **SETTINGS[model]).fit(x, y),
        calibration={h: Calibration((1e-4, 2e-4), (1.5,) * GROUPS, 1.0, 0.9) for h in horizons},
        trained_until=grid.ts[12_000],
        rows=len(rows),
        seconds=0.0,
        peak_mb=0.0,
        validated=pd.DataFrame(),
    )
    return bundle.bundle(grid, learnt, params, {})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(root, **more):
    """A client of a container's server, and its process, which ends with the block."""
    port = free_port()
    process = start(root, "serve", SAGEMAKER_BIND_TO_PORT=str(port), **more)
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            deadline = time.monotonic() + 120
            while True:
                try:
                    if client.get("/ping").status_code == 200:
                        break
                except httpx.TransportError:
                    assert process.poll() is None, process.communicate(timeout=10)[1]
                    assert time.monotonic() < deadline, "no answer to /ping"
                    time.sleep(0.1)
            yield client, process
    finally:
        process.kill()
        process.communicate(timeout=30)
