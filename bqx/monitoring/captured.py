"""Reading a capture: what was known of a time, with labels as they became known.

What is read depends on the period alone, not on when it is asked for: bars before its end, and what
was written down within some minutes of it. A label of a forecast made at t counts from t + h.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.learning import baseline, losses, targets
from bqx.learning.baseline import Baseline
from bqx.learning.baseline_files import FILES, FOLDER, path_of
from bqx.learning.targets import Target
from bqx.market import bars as bar_frames
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.monitoring import models, objects

Minutes = NDArray[np.int64]
Series = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PairRows:
    """What was captured of a pair and its model.

    ``bars`` : T rows on the grid; ``model`` : its name in the capture; ``rows`` : (n,) ascending
    rows with columns; ``x`` : (n, C); ``innovations`` : by horizon, (T,) forecasts in sigma, NaN
    where none was written down; ``windows`` : of the target by horizon; ``sigma`` : by horizon,
    (T,) that of the forecasts as their server had it, which knew more bars; none for that of
    ``bars``.
    """

    bars: Bars
    baseline: Baseline
    model: str
    rows: Minutes
    x: NDArray[np.float32]
    innovations: Mapping[int, Series]
    windows: Mapping[int, int]
    sigma: Mapping[int, Series] = field(default_factory=dict)

    def until(self, minute: int) -> "PairRows":
        """What was known at an epoch minute: bars that had ended, and forecasts for them."""
        stop = int(np.searchsorted(self.bars.minutes, minute))
        kept = self.rows < stop
        return replace(
            self,
            bars=self.bars.rows(0, stop),
            rows=self.rows[kept],
            x=self.x[kept],
            innovations={h: values[:stop] for h, values in self.innovations.items()},
            sigma={h: values[:stop] for h, values in self.sigma.items()},
        )

    def target(self, horizon: int) -> Target:
        """The target of a horizon, as far as the bars tell it."""
        target = targets.make(self.bars, self.windows[horizon], horizon)
        return replace(target, sigma=self.sigma.get(horizon, target.sigma))

    @cached_property
    def bar_columns(self) -> NDArray[np.float32]:
        """(T, 3) columns of the bars, see `baseline.bar_columns`."""
        return baseline.bar_columns(self.bars)

    @cached_property
    def performance(self) -> pd.DataFrame:
        """How its forecasts did, see `losses.of_days`; labels that are not known yet are none."""
        frames = [
            losses.of_days(
                self.target(horizon),
                self.bars.minutes,
                np.flatnonzero(np.isfinite(forecast)),
                forecast[np.isfinite(forecast)],
            )
            for horizon, forecast in self.innovations.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def labels(self) -> pd.DataFrame:
        """Labels known by the last bar: minute, horizon, level, and innovation in sigma."""
        frames = []
        for horizon, forecast in self.innovations.items():
            target = self.target(horizon)
            innovation = target.label("innovation")
            rows = np.flatnonzero(np.isfinite(forecast) & np.isfinite(innovation))
            frames.append(
                pd.DataFrame(
                    {
                        "minute": self.bars.minutes[rows],
                        "horizon": horizon,
                        "level": target.level[rows],
                        "innovation": innovation[rows],
                        "known_at": self.bars.minutes[rows + horizon] + 1,
                    }
                )
            )
        return pd.concat(frames, ignore_index=True)

    def losses(self, horizons: Collection[int]) -> tuple[Minutes, Series]:
        """Epoch minutes of the forecasts, and the mean over some horizons of their squared errors,
        in squares of sigma; NaN as long as one of its labels is not known."""
        errors = [
            (self.target(horizon).label("innovation") - self.innovations[horizon]) ** 2
            for horizon in horizons
        ]
        forecast = np.isfinite([self.innovations[horizon] for horizon in horizons]).any(axis=0)
        return self.bars.minutes[forecast], np.mean(errors, axis=0)[forecast]


@dataclass(frozen=True, eq=False)
class Period:
    """What was captured until the end of a period: rows by pair, and answers (at, status, ms)."""

    pairs: Mapping[str, PairRows]
    answers: pa.Table


def read(folder: Folder, first: int, end: int, grace: int) -> Period:
    """What was captured from an epoch minute to another, which is excluded.

    ``grace`` : minutes after the end in which what is written down still counts.

    Raises ArtefactError where there is nothing, or nothing by which it can be judged.
    """
    named = objects.names(folder, first, end + grace)
    if not named:
        stamp = sessions.timestamps(np.array([first]))[0]
        raise ArtefactError(
            f"{folder.place}: nothing was captured, got no object from {stamp} on; expected what "
            "`bqx serve --capture` writes."
        )
    rows = objects.read(folder, named)
    bars, forecasts = (of.to_pandas() for of in (rows.bars, rows.forecasts))
    bars, forecasts = (of[of["minute"].between(first, end - 1)] for of in (bars, forecasts))
    forecasts = forecasts.drop_duplicates("id")
    # Of a pair whose model was exchanged meanwhile the newest counts.
    newest = forecasts.groupby("pair")["model"].last()
    facts = {pair: _model(folder.place, model) for pair, model in newest.items()}
    frames = {pair: frame for pair, frame in bars.groupby("pair") if pair in facts}
    grids = _grids(frames, facts, end)
    return Period(
        {
            pair: _rows(
                pair_bars, newest[pair], forecasts[forecasts["model"] == newest[pair]], facts[pair]
            )
            for pair, pair_bars in grids.items()
        },
        rows.answers,
    )


def by_model(folder: Folder, pair: str) -> dict[str, PairRows]:
    """All that was captured of a pair, by the content of the bundle that forecast.

    Raises ArtefactError as `read` does.
    """
    named = objects.names(folder, 0, objects.EVER)
    if not named:
        return {}
    captured = objects.read(folder, named)
    bar_rows, forecast_rows = (of.to_pandas() for of in (captured.bars, captured.forecasts))
    bar_rows = bar_rows[bar_rows["pair"] == pair]
    forecast_rows = forecast_rows[forecast_rows["pair"] == pair].drop_duplicates("id")
    rows = {}
    for model, forecasts in forecast_rows.groupby("model"):
        facts = _model(folder.place, str(model))
        end = int(bar_rows["minute"].max()) + 1
        bars = _grids({pair: bar_rows}, {pair: facts}, end)[pair]
        rows[str(facts[0].get("content", ""))] = _rows(bars, str(model), forecasts, facts)
    return rows


@lru_cache(maxsize=64)
def _model(place: str, name: str) -> tuple[dict[str, Any], Baseline]:
    """Facts of a model and its baseline, which are written once."""
    with TemporaryDirectory() as temporary:
        (Path(temporary) / FOLDER).mkdir()
        for file_name in FILES:
            content = models.baseline_file(place, name, file_name)
            path_of(Path(temporary), file_name).write_bytes(content)
        return models.facts(place, name), baseline.read(Path(temporary))


def _grids(
    frames: Mapping[str, pd.DataFrame],
    facts: Mapping[str, tuple[dict[str, Any], Baseline]],
    end: int,
) -> dict[str, Bars]:
    """Bars of all pairs on one grid up to a minute, each with its model's baseline: after a feed's
    last bar the rows are empty."""
    out = {}
    first = min((int(frame["minute"].min()) for frame in frames.values()), default=0)
    for pair, frame in frames.items():
        index = sessions.timestamps(frame["minute"].to_numpy(np.int64))
        raw = frame[list(bar_frames.COLUMNS)].set_axis(index).astype(np.float64)
        fill = int(facts[pair][0]["max_fill"])
        grid = bar_frames.to_grid(raw, first, end - 1, max_fill=fill)
        out[pair] = Bars(pair, grid, float(facts[pair][0]["baseline"]))
    return bar_frames.join(out) if out else {}


def _rows(
    bars: Bars, model: str, made: pd.DataFrame, described: tuple[dict[str, Any], Baseline]
) -> PairRows:
    facts, pair_baseline = described
    made = made.sort_values("minute")
    places = np.searchsorted(bars.minutes, made["minute"].to_numpy(np.int64))
    on_grid = places < len(bars)
    places, made = places[on_grid], made[on_grid]
    windows = {int(horizon): int(window) for horizon, window in facts["windows"].items()}
    innovations, sigma = (
        {horizon: np.full(len(bars), np.nan) for horizon in windows} for _ in range(2)
    )
    columns_of = made["horizons"], made["innovation"], made["sigma"]
    for row, *written in zip(places.tolist(), *columns_of, strict=True):
        for horizon, innovation, deviation in zip(*written, strict=True):
            innovations[int(horizon)][row] = innovation
            sigma[int(horizon)][row] = deviation
    read = made["x"].notna().to_numpy()
    columns = len(pair_baseline.columns) - len(baseline.BARS)
    x = np.full((int(read.sum()), columns), np.nan, np.float32)
    if read.any():
        x[:] = np.stack(made["x"][read].to_list())
    rows = places[read].astype(np.int64)
    if not read.any():
        # Where no horizon's forecast is kept, no column is computed: the bars are judged alone.
        rows = np.flatnonzero(np.isfinite(bars.close))
        x = np.full((len(rows), columns), np.nan, np.float32)
    return PairRows(bars, pair_baseline, model, rows, x, innovations, windows, sigma)
