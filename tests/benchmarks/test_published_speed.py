"""Reading selected, lagged columns from the store beside computing them from bars."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bqx.feature_store.build import build
from bqx.feature_store.store import Store
from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.market import readers, simulated
from bqx.market.bars import align, validate

pytestmark = pytest.mark.benchmarks

SELECTED = 250


def seconds(work: Callable[[], object], repeat: int = 3) -> float:
    """Least time of some runs after a first."""
    work()
    spent = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def test_read_beside_compute(tmp_path: Path, results: dict[str, Any]) -> None:
    features = [f for f in catalog.profile("core") if not f.fit_key]
    folder = tmp_path / "bars"
    folder.mkdir()
    for pair, frame in simulated.simulate(
        "null", ["eurusd"], "2024-01-07", days=91, seed=1
    ).frames.items():
        validate(frame, pair).reset_index().to_parquet(folder / f"{pair}.parquet")
    build(folder, tmp_path / "store", features)
    bars, store = align(readers.read_folder(folder))["eurusd"], Store(tmp_path / "store")
    grid = lags.grid(features)
    picked = np.random.default_rng(0).choice(len(grid), SELECTED, replace=False)
    columns: list[Column] = [grid[i] for i in picked]
    rows = np.arange(len(bars))
    np.testing.assert_array_equal(
        store.read("eurusd", columns).to_numpy(), lags.matrix(bars, columns, rows)
    )
    read = seconds(lambda: store.read("eurusd", columns))
    computed = seconds(lambda: lags.matrix(bars, columns, rows))
    month = seconds(lambda: store.read("eurusd", columns, since=bars.ts[-20_000]))
    results |= {
        "columns": SELECTED,
        "rows_read": len(rows),
        "read_s": read,
        "computed_s": computed,
        "month_s": month,
    }
    print(
        f"\n{SELECTED} columns x {len(rows):,} rows: read {read:.2f} s, computed {computed:.2f} s, "
        f"ratio {computed / read:.1f}; the last 20,000 rows read in {month:.2f} s"
    )
    assert month < 0.7 * read
