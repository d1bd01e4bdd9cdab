"""Small bar files in the shapes that people have."""

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from bqx.market import sessions

RATES = ["open", "high", "low", "close"]


def market(first: str, last: str, every: int = 10) -> pd.DataFrame:
    """Bars of the open minutes from one UTC time to another, thinned but for the week's ends."""
    ends = sessions.epoch_minutes(pd.DatetimeIndex([first, last], tz="UTC"))
    minutes = sessions.grid(*map(int, ends))
    week = sessions.market_minutes(minutes) % sessions.WEEK
    rng = np.random.default_rng(5)
    # Thinned by chance: bars at every tenth minute would be ten-minute bars.
    minutes = minutes[
        (rng.random(len(minutes)) < 1 / every) | (week == 0) | (week == sessions.WEEK - 1)
    ]
    close = np.round(1.2 + np.cumsum(rng.normal(0, 1e-4, len(minutes))), 5)
    start = np.round(close + rng.normal(0, 1e-4, len(minutes)), 5)
    frame = pd.DataFrame(
        {
            "open": start,
            "high": np.round(np.maximum(start, close) + 1e-4, 5),
            "low": np.round(np.minimum(start, close) - 1e-4, 5),
            "close": close,
            "volume": rng.integers(1, 200, len(minutes)).astype(float),
        },
        index=sessions.timestamps(minutes),
    )
    return frame


def lines_of(frame: pd.DataFrame, zone: str, pattern: str, comma: str = ",") -> list[str]:
    """Lines of time, rates and volume on the wall clock of a zone, without a header."""
    wall = frame.index.tz_convert(ZoneInfo(zone)).strftime(pattern)
    return [
        comma.join([stamp, *(f"{rate:.5f}" for rate in row[:4]), f"{row[4]:.0f}"])
        for stamp, row in zip(wall, frame.to_numpy(), strict=True)
    ]


def histdata(frame: pd.DataFrame, zone: str = "America/New_York") -> list[str]:
    return lines_of(frame.assign(volume=0), zone, "%Y%m%d %H%M%S", ";")


def metatrader(frame: pd.DataFrame, zone: str = "Etc/GMT-2") -> list[str]:
    return lines_of(frame, zone, "%Y.%m.%d,%H:%M")


def dukascopy(frame: pd.DataFrame) -> list[str]:
    """As exported: every minute of the weekend carries the last close with volume 0."""
    full = frame.reindex(pd.date_range(frame.index[0], frame.index[-1], freq="min", name="ts_utc"))
    full = full[full["close"].notna() | ~sessions.is_open(sessions.epoch_minutes(full.index))]
    full["volume"] = full["volume"].fillna(0)
    full["close"] = full["close"].ffill()
    for rate in RATES[:3]:
        full[rate] = full[rate].fillna(full["close"])
    return ["Gmt time,Open,High,Low,Close,Volume", *lines_of(full, "UTC", "%d.%m.%Y %H:%M:%S.000")]


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode())
    return path


def assert_bars(got: pd.DataFrame, want: pd.DataFrame, volume: bool = True) -> None:
    assert list(got.columns) == [*RATES, "volume", "spread"]
    assert got.index.name == "ts_utc"
    np.testing.assert_array_equal(got.index.asi8, want.index.asi8)
    np.testing.assert_array_equal(got[RATES].to_numpy(), want[RATES].to_numpy())
    if volume:
        np.testing.assert_array_equal(got["volume"], want["volume"])
    else:
        assert got["volume"].isna().all()
