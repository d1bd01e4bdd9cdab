"""The newest bars of a capture, as the check of a minute reads them: no column, no baseline but for
the hours of its bars."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa

from bqx.feature_store.object_store import Folder
from bqx.learning.hours import LONGEST, still_minutes
from bqx.market import bar_arrays, sessions
from bqx.monitoring import models, objects
from bqx.monitoring.bar_quality import STILL, recent_range


@dataclass(frozen=True, eq=False)
class Feed:
    """How the bars of the forecast pairs come.

    ``still`` : minutes for which a pair's have stood still, of one that came within a trading day
    and does not any more too; ``ranges`` : how lively it is, see
    `bar_quality.recent_range`; ``hours`` : of their baselines, where any may be frozen;
    ``newest`` : epoch minute of the newest bar of any pair, or the one before the window;
    ``answers`` : (at, status, ms), see `capture.SCHEMA`, of the window.
    """

    still: Mapping[str, int]
    ranges: Mapping[str, float]
    hours: Mapping[str, pd.DataFrame]
    newest: int
    answers: pa.Table


def read(folder: Folder, named: Sequence[str], first: int, end: int) -> Feed:
    """The feed at the end of an epoch minute, from another on, as some objects tell it.

    Raises ArtefactError where an object or a model is damaged.
    """
    rows = objects.read(folder, named)
    earlier, served = _earlier(folder.place, (end - 1) // 60)
    minutes = rows.bars["minute"].to_numpy()
    here = (minutes >= first) & (minutes < end)
    came = set(rows.bars["pair"].filter(pa.array(here)).to_pylist())
    # Of few minutes the forecasts are captured: the window may have none of a pair that came.
    served = {pair: model for pair, model in {**served, **_models(rows)}.items() if pair in came}
    codes = rows.bars["pair"].combine_chunks().dictionary_encode()
    number = {pair: code for code, pair in enumerate(codes.dictionary.to_pylist())}
    columns = np.array([rows.bars[name].to_numpy() for name in bar_arrays.COLUMNS])
    grid = sessions.grid(first, end - 1)
    bars = {}
    for pair in served:
        of_pair = here & (codes.indices.to_numpy() == number[pair])
        bars[pair] = minutes[of_pair], columns[:, of_pair]
    # Carrying a close over every hole, which the model's facts may not allow, no pair stands
    # still for less; most minutes need no look at any model.
    on_grid = {p: bar_arrays.on_grid(*pair_bars, grid, len(grid)) for p, pair_bars in bars.items()}
    still = {pair: int(still_minutes(pair_bars)[-1]) for pair, pair_bars in on_grid.items()}
    hours: dict[str, pd.DataFrame] = {}
    if max(still.values(), default=0) >= STILL:
        for pair, model in served.items():
            hours[pair] = _hours(folder.place, model)
            fill = int(models.facts(folder.place, model)["max_fill"])
            on_grid[pair] = bar_arrays.on_grid(*bars[pair], grid, fill)
            still[pair] = int(still_minutes(on_grid[pair])[-1])
    if len(grid) >= LONGEST:
        still |= dict.fromkeys(sorted(earlier - came), len(grid))
    ranges = {pair: recent_range(pair, pair_bars) for pair, pair_bars in on_grid.items()}
    newest = int(minutes[here].max(initial=first - 1))
    return Feed(still, ranges, hours, newest, rows.answers)


@lru_cache(maxsize=4)
def _earlier(place: str, hour: int) -> tuple[frozenset[str], dict[str, str]]:
    """Pairs that came in the trading day before an hour, and by pair the model that forecast, as
    the objects of its full hours tell."""
    named = objects.hourly(Folder(place), 60 * hour)
    if not named:
        return frozenset(), {}
    rows = objects.read(Folder(place), named)
    return frozenset(rows.bars["pair"].to_pylist()), _models(rows)


def _models(rows: objects.Rows) -> dict[str, str]:
    """The newest model of each pair."""
    forecasts = rows.forecasts.select(["pair", "model"]).to_pylist()
    return {forecast["pair"]: forecast["model"] for forecast in forecasts}


@lru_cache(maxsize=64)
def _hours(place: str, model: str) -> pd.DataFrame:
    """Hours of a model's baseline, which are written once."""
    return pd.read_parquet(io.BytesIO(models.baseline_file(place, model, "hours")))
