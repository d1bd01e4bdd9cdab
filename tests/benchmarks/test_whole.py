"""The whole build against writing the same bytes, its growth, its memory, and reading it back."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from measure import PAIR, Goal, panel, peak, python, seconds
from numpy.typing import NDArray

from bqx.feature_store.build import build
from bqx.feature_store.history import History
from bqx.feature_store.month_file import encode
from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.market.pairs import LIQUIDITY

pytestmark = pytest.mark.benchmarks

V3 = tuple(feature for feature in catalog.profile("v3") if not feature.fit_key)
PAIRS = ("eurusd", "usdjpy", "gbpusd", "audchf")
SMALL = 30_000
"""Rows of the growth with pairs and features: a month."""


def written(folder: Path, rows: int) -> Path:
    """Bars of all pairs as files."""
    for pair, bars in panel(rows).items():
        (folder / f"{pair}.parquet").parent.mkdir(parents=True, exist_ok=True)
        bars.frame.drop(columns="filled").dropna(subset="close").reset_index().to_parquet(
            folder / f"{pair}.parquet"
        )
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("small") / "bars", SMALL)


def spent(work: Callable[[], object]) -> float:
    """CPU time of one run."""
    start = time.process_time()
    work()
    return time.process_time() - start


def written_again(out: Path, to: Path) -> float:
    """CPU time of writing the values of a build as the same Parquet files, from memory."""
    total = 0.0
    for path in sorted(out.glob("*/*/*.parquet")):
        held = pq.read_table(path)
        features = [catalog.FEATURES[name] for name in held.column_names[1:]]
        ts = pd.DatetimeIndex(held["ts_utc"].to_pandas())
        values = np.asfortranarray(np.column_stack([held[f.name].to_numpy() for f in features]))
        total += spent(
            lambda t=ts, f=features, v=values: to.write_bytes(encode("", t, f, values=v, key=""))  # type: ignore
        )
    return total


def against_writing(bars: Path, pairs: Sequence[str], folder: Path) -> dict[str, float]:
    """CPU time of a build of the last month, and of writing its bytes, a pair of those built."""
    since = panel(2 * SMALL)[PAIR].ts[-1].normalize().replace(day=1)
    reading = spent(lambda: build(bars, folder / "none", V3[:1], pairs, since))
    building = spent(lambda: build(bars, folder / "out", V3, pairs, since)) - reading
    writing = written_again(folder / "out", folder / "again.parquet")
    shutil.rmtree(folder)
    count = len(pairs) or len(LIQUIDITY)
    times = {"reading_s": reading, "build_s": building, "write_s": writing}
    return {name: took / count for name, took in times.items()}


def test_a_build_against_writing_its_bytes(tmp_path: Path, results: dict[str, Any]) -> None:
    bars = written(tmp_path / "bars", 2 * SMALL)
    build(bars, tmp_path / "warm", V3, (PAIR,), until=pd.Timestamp("2023-01-20", tz="UTC"))
    found = []
    for name, pairs in {f"{PAIR} alone": (PAIR,), f"each of {len(LIQUIDITY)}": ()}.items():
        found.append({"pair": name, **against_writing(bars, pairs, tmp_path / name)})
        print(f"\n{found[-1]}", end="")
    every = found[-1]
    results["build"] = {
        "rows": SMALL, "features": len(V3), "reading_s": every["reading_s"], "pairs": found
    }  # fmt: skip
    Goal(
        "v3 build of all 28 pairs, of the time to write its bytes",
        every["build_s"] / every["write_s"],
        3.0, 8.0, "times", "two thirds is computing, most of that eigenvectors of singular spectra",
        more=False,
    ).check(results)  # fmt: skip


def straight(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Largest distance of costs from their line through sizes, of the largest cost."""
    line = np.polyval(np.polyfit(sizes, costs, 1), sizes)
    return float(np.abs(costs - line).max() / max(costs))


BENT = {
    "pairs": "noise of the clock",
    "bars": "noise of the clock",
    "features": "what several features share is computed with the first of them",
}
"""Why costs are not on their line, by what they grow with."""


def mixtures(features: Sequence[Feature], count: int) -> list[tuple[Feature, ...]]:
    """The features in so many parts with a like share of each family, windows in turn."""
    runs: dict[tuple[int, str, tuple[int, ...]], list[Feature]] = {}
    for feature in features:
        key = (id(feature.family), feature.source.key, feature.window)
        runs.setdefault(key, []).append(feature)
    kinds = list(runs.values())
    parts: list[list[Feature]] = [[] for _ in range(count)]
    for turn, run in enumerate(kinds):
        # Many families have as many windows as there are parts: none shall have the longest of all.
        parts[(turn + turn // count) % count] += run
    return [tuple(part) for part in parts]


def test_cost_grows_linearly(small: Path, tmp_path: Path, results: dict[str, Any]) -> None:
    long = written(tmp_path / "bars", 4 * SMALL)
    ts = panel(4 * SMALL)[PAIR].ts
    ends = [*ts[1:][ts.month[1:] != ts.month[:-1]]][:4]
    parts = mixtures(V3, 4)
    upto = [sum(parts[:n], ()) for n in range(1, 5)]
    sizes: dict[str, list[tuple[int, tuple[Any, ...]]]] = {
        "pairs": [(n, (small, V3, PAIRS[:n], ts[SMALL // 2])) for n in range(1, 5)],
        # Whole months, since each month is computed with its own warm-up.
        "bars": [(int(ts.searchsorted(end)), (long, parts[0], PAIRS[:1], end)) for end in ends],
        "features": [(len(some), (small, some, PAIRS[:1], None)) for some in upto],
    }
    build(small, tmp_path / "warm", V3, PAIRS[:1], until=ts[3_000])

    def cost(name: str, bars: Path, features: Sequence[Feature], pairs: Sequence[str],
             until: pd.Timestamp | None) -> float:  # fmt: skip
        return spent(lambda: build(bars, tmp_path / name, features, pairs, until=until))

    # The least of three, turn by turn, so that a busy minute does not fall on one size alone.
    found: dict[str, list[list[float]]] = {of: [[] for _ in of_sizes] for of, of_sizes in
                                           sizes.items()}  # fmt: skip
    for turn in range(3):
        for of, some in sizes.items():
            for i, (size, given) in enumerate(some):
                found[of][i].append(cost(f"{of}{size}-{turn}", *given))
    growth = {
        of: [(size, min(found[of][i])) for i, (size, _) in enumerate(some)]
        for of, some in sizes.items()
    }
    print(f"\n{growth}", end="")
    results["growth"] = growth
    for of, points in growth.items():
        Goal(
            f"distance from linear growth with {of}", straight(*zip(*points, strict=True)),
            0.1, 0.2, "of the largest", BENT[of], more=False,
        ).check(results)  # fmt: skip


def test_memory_of_a_build(tmp_path: Path, results: dict[str, Any]) -> None:
    months = []
    for month in (2, 4, 8):
        bars = written(tmp_path / f"bars{month}", month * SMALL)
        ts, out = panel(month * SMALL)[PAIR].ts, tmp_path / "out"
        # Each of the workers has a month of all pairs at a time, however many there are.
        command = python(
            "-m", "bqx", "build", "--bars", str(bars), "--out", str(out),
            "--from", str((ts[-1] - pd.DateOffset(months=1)).date().replace(day=1)),
            "--workers", "2", "--profile", "v3",
        )  # fmt: skip
        months.append((month, peak(command)))
        shutil.rmtree(out)
        print(f"\n{months[-1]}", end="")
    a_month, least = np.polyfit(*zip(*months, strict=True), 1)
    results["memory"] = {"months": months, "gb_a_month": a_month, "gb_least": least}
    Goal(
        "memory of 28 pairs and 18 months, from its growth", least + 18 * a_month, 6.0, 6.0, "GB",
        more=False,
    ).check(results)  # fmt: skip


def columns() -> tuple[Column, ...]:
    """250 columns of the lag grid of v3, evenly spread over its tables and lags."""
    grid = [
        column
        for column in lags.grid(V3, plan=catalog.LISTS.plan("v3"))
        if not column.feature.fit_key
    ]
    return tuple(grid[int(i)] for i in np.linspace(0, len(grid) - 1, 250))


def test_columns_from_bars_against_reading_them(
    small: Path, tmp_path: Path, results: dict[str, Any]
) -> None:
    wanted = columns()
    of = tuple(dict.fromkeys(column.feature for column in wanted))
    build(small, tmp_path, V3, (PAIR,))
    bars = panel(SMALL)[PAIR]
    rows = np.arange(SMALL)

    def read() -> NDArray[np.float32]:
        # As selection and training take them: the store is opened and its rows compared each time.
        return History(bars, str(tmp_path)).matrix(wanted, rows)

    np.testing.assert_array_equal(read(), lags.matrix(bars, wanted, rows))
    computing = seconds(lambda: lags.matrix(bars, wanted, rows), 4.0)
    reading = seconds(read, 4.0)
    results["columns"] = {
        "columns": len(wanted), "features": len(of), "rows": SMALL,
        "compute_s": computing, "read_s": reading,
    }  # fmt: skip
    Goal(
        "250 columns as a run takes them (from the store), of the time from bars",
        reading / computing, 1.0, 1.0, "times", more=False,
    ).check(results)  # fmt: skip
