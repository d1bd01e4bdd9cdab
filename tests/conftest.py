"""Bars that several test files read."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from buckets import s3
from hypothesis import settings
from postgres import server
from simulated import DATA, MARKET_PAIR, bars_of, random_ticks, same_bars

from bqx.market import sessions, simulated
from bqx.market.bars import COLUMNS, Bars, align, baseline, join, to_grid, validate
from bqx.runs import known_trials

__all__ = ["s3", "server"]

# The same examples on every run; no deadline, because compiling a kernel takes its time once.
settings.register_profile("bqx", deadline=None, derandomize=True)
settings.load_profile("bqx")


@pytest.fixture(autouse=True, scope="module")
def ledger_of_trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs of a module count each other's trials, and none of another module's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(known_trials.PLACE, str(tmp_path_factory.mktemp("ledger")))
        yield


@pytest.fixture(scope="session")
def walk() -> Bars:
    """2,600 rows from a Thursday over a weekend with a clock change to Monday.

    Small holes (filled), one long hole (rows 700 to 719, NaN), a flat stretch (rows 1,000 to
    1,209 with one tick at 1,160) and a jump of 400 ticks (row 2,000).
    """
    start = int(pd.Timestamp("2024-03-07 20:00", tz="UTC").timestamp()) // 60
    minutes = sessions.grid(start, start + 7 * sessions.DAY)[:2_600]
    ticks = random_ticks(len(minutes), seed=20_240_307)
    ticks[1_000:1_160] = ticks[1_000, 3]
    ticks[1_160:1_210] = ticks[1_000, 3] + 1
    ticks[2_000:] += 400
    ticks[1_210:] += ticks[1_209, 3] - ticks[1_210, 0]
    same_bars("walk", ticks)
    rng = np.random.default_rng(1)
    kept = np.ones(len(ticks), dtype=bool)
    kept[700:720] = False
    for row in rng.choice(np.arange(10, 2_590), 12, replace=False):
        kept[row : row + rng.integers(1, 6)] = False
    kept[1_400:1_415] = False
    return join({"eurusd": bars_of(ticks[kept], minutes[kept])})["eurusd"]


@pytest.fixture(scope="session")
def clean() -> Bars:
    """2,600 rows without holes, from a Tuesday to a Thursday."""
    start = int(pd.Timestamp("2024-05-14 03:17", tz="UTC").timestamp()) // 60
    minutes = np.arange(start, start + 2_600)
    ticks = random_ticks(len(minutes), seed=20_240_514)
    same_bars("clean", ticks)
    return bars_of(ticks, minutes)


@pytest.fixture(scope="session")
def week() -> Bars:
    """Real eurusd, the week of 2018-02-04 (payrolls' aftermath, volatility of the year)."""
    path = DATA / "m1" / "eurusd.parquet"
    if not path.exists():
        pytest.skip("real bars are not on this machine")
    frame = validate(pd.read_parquet(path).set_index("ts_utc"), path.name)
    first = baseline(frame)
    return Bars("eurusd", to_grid(frame.loc["2018-02-04":"2018-02-09"]), first)


@pytest.fixture(scope="session")
def panel() -> dict[str, Bars]:
    """All 28 pairs of a simulated market for two weeks, with volume, spread, small holes (filled)
    and one long one (20 rows, 4,000 to 4,019, NaN in every pair)."""
    frames = simulated.simulate("null", start="2024-03-03", days=14, seed=3).frames
    made = align({pair: validate(frame, pair) for pair, frame in frames.items()})
    out = {}
    for pair, bars in made.items():
        frame = bars.frame.copy()
        frame.iloc[4_000:4_020, : len(COLUMNS)] = np.nan
        frame.iloc[4_000:4_020, len(COLUMNS)] = False
        out[pair] = Bars(pair, frame, bars.baseline)
    return join(out)


@pytest.fixture(scope="session")
def noisy(panel: dict[str, Bars]) -> Bars:
    """One pair of the simulated market: 14,400 rows, holes and all."""
    return panel[MARKET_PAIR]


@pytest.fixture(scope="session")
def smooth(panel: dict[str, Bars]) -> Bars:
    """The same pair, every hole of every pair carried over with the last bar."""
    out = {}
    for pair, bars in panel.items():
        frame = bars.frame.copy()
        frame[list(COLUMNS)] = frame[list(COLUMNS)].ffill().bfill()
        out[pair] = Bars(pair, frame.assign(filled=False), bars.baseline)
    return join(out)[MARKET_PAIR]


@pytest.fixture(scope="session")
def ticks() -> Bars:
    """Real eurcad with tick counts among twelve pairs, 3,400 rows from 2018-02-12."""
    paths = sorted((DATA / "m1_ticks").glob("*.parquet"))
    if not paths:
        pytest.skip("real bars are not on this machine")
    frames = {p.stem: pd.read_parquet(p).set_index("ts_utc") for p in paths}
    start = pd.Timestamp("2018-02-12", tz="UTC")
    cut = {pair: validate(frame.loc[start:], pair) for pair, frame in frames.items()}
    return align(cut)["eurcad"].rows(0, 3_400)
