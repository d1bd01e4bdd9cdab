"""A small panel that is served, captured and monitored, for several test files."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from live_market import bundles

from bqx.feature_store.history import History
from bqx.features.engine.newest_bars import NewestBars
from bqx.learning import baseline, losses, targets
from bqx.learning.bundle import Bundle, Prediction
from bqx.learning.models import make
from bqx.market import bars as bar_frames
from bqx.market import sessions, simulated
from bqx.market.bars import COLUMNS, Bars
from bqx.monitoring.capture import Capture
from bqx.params import Params

PAIRS = ("eurgbp", "eurusd", "gbpusd")
DAYS, TRAINED = 42, 21
"""Calendar days of the market, and trading days of it that the models were trained on."""


@cache
def grids() -> dict[str, Bars]:
    frames = simulated.simulate("null", PAIRS, "2024-04-07", days=DAYS, seed=3).frames
    return bar_frames.align({p: bar_frames.validate(f, p) for p, f in frames.items()})


def row_of_day(number: int) -> int:
    """First row of a trading day of the market, by its number."""
    day = sessions.trading_days(grids()["eurusd"].minutes)
    return int(np.searchsorted(day, np.unique(day)[number]))


def forecasts(bars: Bars, horizon: int, seed: int) -> np.ndarray:
    """(T,) forecasts that know a tenth of the coming innovation."""
    label = targets.make(bars, 15, horizon).label("innovation")
    wandering = np.random.default_rng(seed).normal(size=len(bars))
    return 0.1 * np.nan_to_num(label) + 0.3 * wandering


@cache
def models() -> dict[str, Bundle]:
    """Bundles with the baselines of the market's first weeks."""
    out = {}
    until = row_of_day(TRAINED) - 1
    for number, (pair, own) in enumerate(grids().items()):
        model = bundles(PAIRS)[pair]
        columns = tuple(c for c in model.columns if c.feature.source.key != "triangle")[:6]
        rows = np.arange(3_000, until + 1)
        performance = pd.concat(
            [
                losses.of_days(
                    targets.make(own, 15, h), own.minutes, rows, forecasts(own, h, number)[rows]
                )
                for h in (15, 45)
            ],
            ignore_index=True,
        )
        x = History(own).matrix(columns, rows[::11], model.fits)
        y = np.random.default_rng(number).normal(size=(len(x), 2))
        model = replace(
            model,
            columns=columns,
            model=make("ridge", Params()).fit(x, y),
            horizons=(15, 45),
            betas={15: 1.0, 45: 1.0},
            calibration={h: model.calibration[h] for h in (15, 45)},
            panel={},
            baseline=own.baseline,
            trained_until=own.ts[until],
        )
        statistics = baseline.of_model(
            History(own),
            columns,
            window=15,
            fits=model.fits,
            until=own.ts[until],
            performance=performance,
        )
        out[pair] = replace(model, baseline_statistics=statistics)
    return out


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def newest(bars: Bars, row: int, length: int = 40) -> NewestBars:
    """A row's newest bars, as a server has them."""
    first = max(row + 1 - length, 0)
    return NewestBars(
        bars.pair,
        bars.frame.iloc[first : row + 1].astype(float).to_numpy().T,
        bars.baseline,
        panel=None,
        minutes=bars.minutes[first : row + 1],
        market_minute=bars.first_market_minute + row,
    )


def feed(
    place: str, first: int, stop: int, *, bars: dict[str, Bars] | None = None, turned: int = 0,
    broken: str = "", share: float = 1.0, hourly: bool = True,
) -> None:  # fmt: skip
    """Capture what a server would from a row to another, an object an hour (or a minute).

    ``turned`` : row from which forecasts have the opposite sign; ``broken`` : pair whose second
    column keeps one value.
    """
    own, clock = bars or grids(), Clock()
    capture = Capture(place, share, clock)
    rows = np.arange(first, stop)
    x = {
        pair: History(own[pair]).matrix(model.columns, rows, model.fits)
        for pair, model in models().items()
    }
    if broken:
        x[broken][:, 1] = 1.5
    for i, row in enumerate(rows.tolist()):
        minute = int(own["eurusd"].minutes[row])
        clock.now = 60.0 * (minute + 1) + 1.0 if not hourly else 3_600.0 * (minute // 60) + 60.0
        for number, (pair, model) in enumerate(models().items()):
            if np.isnan(own[pair].close[row]) or own[pair].frame["filled"].iloc[row]:
                continue
            predictions = {
                h: prediction(h, _innovation(pair, h, number, row, turned), _sigma(pair, h)[row])
                for h in model.horizons
            }
            capture.forecast(model, x[pair][i : i + 1], newest(own[pair], row), predictions)
    capture.flush()


def prediction(horizon: int, innovation: float, sigma: float) -> Prediction:
    level = sigma * innovation
    return Prediction(15, level, 0.0, innovation, float(sigma), level - sigma, level + sigma)


@cache
def _sigma(pair: str, horizon: int) -> np.ndarray:
    return targets.make(grids()[pair], 15, horizon).sigma


@cache
def _forecasts(pair: str, horizon: int, number: int) -> np.ndarray:
    return forecasts(grids()[pair], horizon, number)


def _innovation(pair: str, horizon: int, number: int, row: int, turned: int) -> float:
    value = float(_forecasts(pair, horizon, number)[row])
    return -value if turned and row >= turned else value


def altered(row: int, change: str) -> dict[str, Bars]:
    """The market from a row on, ``louder`` or ``stopped``."""
    out = {}
    for pair, own in grids().items():
        frame = own.frame.copy()
        if change == "stopped":
            frame.iloc[row:, : len(COLUMNS)] = np.nan
        else:
            rates = list(COLUMNS[:4])
            values = np.log(frame[rates].to_numpy())
            anchor = values[row - 1, 3]
            values[row:] = anchor + 1.5 * (values[row:] - anchor)
            frame[rates] = np.exp(values)
        out[pair] = Bars(pair, frame, own.baseline)
    return bar_frames.join(out)
