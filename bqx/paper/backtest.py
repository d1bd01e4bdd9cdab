"""The backtest of the minutes that were traded on paper, by the functions of a run."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.feature_store.history import History
from bqx.learning import targets
from bqx.learning.bundle import Bundle
from bqx.learning.models import point
from bqx.market import bars as bar_frames
from bqx.market.bars import Bars
from bqx.serving.forecast import TRADING
from bqx.trading import backtest, costs, signals
from bqx.trading.backtest import Backtest

Frames = Mapping[str, pd.DataFrame]


def grid_of(frames: Frames, bundle: Bundle, last: pd.Timestamp) -> Bars:
    """Bars of a bundle's pair up to a minute, under the baselines that it has learnt."""
    baselines = {bundle.pair: bundle.baseline, **bundle.panel}
    needed = {pair: frames[pair].loc[:last] for pair in baselines}
    return bar_frames.align(needed, bundle.max_fill, baselines=baselines)[bundle.pair]


def check(frames: Frames, bundles: Iterable[Bundle], last: pd.Timestamp) -> None:
    """Raise ParameterError for a pair that a bundle reads and that has no bar up to a minute."""
    for pair in (pair for bundle in bundles for pair in (bundle.pair, *bundle.panel)):
        if pair not in frames or frames[pair].index[0] > last:
            begun = ", ".join(p for p, frame in frames.items() if frame.index[0] <= last)
            raise ParameterError(
                f"bars: no bars of {pair}, got {begun} up to {last:%Y-%m-%d %H:%M}; expected all "
                "pairs that the served bundles read. Add its file, or name another --pair."
            )


def run(
    frames: Frames, bundle: Bundle, first: pd.Timestamp, last: pd.Timestamp
) -> dict[int, Backtest]:
    """Accounts by horizon of all forecasts from one minute to another, both included.

    Minutes without a bar of their own have no forecast, since the live path makes none for them.
    """
    bars = grid_of(frames, bundle, last)
    start = int(bars.ts.searchsorted(first))
    rows = np.arange(start, len(bars))
    history = History(bars)
    raw = point(bundle.model.predict(history.matrix(bundle.columns, rows, bundle.fits)))
    quoted = np.isfinite(bars.close) & ~bars.frame["filled"].to_numpy(np.bool_)
    priced = costs.make(bars, TRADING)
    size = signals.size(bars, TRADING.target_volatility, TRADING.largest_position)
    out = {}
    for number, horizon in enumerate(bundle.horizons):
        innovation = np.full(len(bars), np.nan)
        innovation[rows] = np.where(quoted[rows], bundle.betas[horizon] * raw[:, number], np.nan)
        signal = _signal(bars, innovation, bundle.window_of(horizon), horizon, priced=priced) * size
        wait = signals.delay(bundle.window_of(horizon), horizon, TRADING.entry)
        out[horizon] = backtest.run(
            bars.rows(start, len(bars)),
            signals.delayed(signal, bars, wait, 0.0)[start:],
            horizon - wait,
            costs=priced.rows(start, len(bars)),
        )
    return out


def _signal(
    bars: Bars,
    innovation: NDArray[np.float64],
    window: int,
    horizon: int,
    *,
    priced: costs.Costs,
) -> NDArray[np.float64]:
    """(T,) sides of innovations in sigma."""
    target = targets.make(bars, window, horizon)
    beyond = target.from_innovation(innovation, "level") - target.martingale
    move = signals.expected_move(beyond, window, horizon)
    wait = signals.delay(window, horizon, TRADING.entry)
    return signals.side(move, *priced.expected(horizon, wait)).astype(np.float64)
