"""Sums by day of forecasts that know nothing times overlapping labels, made directly."""

import numpy as np
import pandas as pd
from overlapping import DAY
from scipy.signal import lfilter

from bqx.evaluation import skill


def forecast(rows, memory, rng):
    """A series whose autocorrelation falls by e in ``memory`` minutes, variance 1."""
    phi = np.exp(-1.0 / memory)
    drawn = rng.standard_normal(rows + 5 * memory)
    return lfilter([np.sqrt(1 - phi * phi)], [1.0, -phi], drawn)[5 * memory :]


def label(returns, window, horizon, rows):
    """Innovations of BQX at a horizon from one-minute returns, variance about 1."""
    weights = np.arange(window, window - min(window, horizon), -1.0)
    scaled = weights / np.sqrt((weights**2).sum())
    return np.convolve(returns, scaled)[horizon : horizon + rows]


def daily_products(days, memory, rng, *, horizon=15, volatility=0.0):
    """(days,) products of one forecast and one label."""
    rows = days * DAY
    returns = rng.standard_t(5, rows + 80) / np.sqrt(5 / 3)
    shape = np.repeat(np.exp(volatility * rng.standard_normal(days + 1)), DAY)[: rows + 80]
    y = label(returns * shape, 15, horizon, rows)
    return (forecast(rows, memory, rng) * y).reshape(days, DAY).sum(axis=1)


def market(days, folds, rng, *, memory, pairs=3, horizons=(15, 75), skill=0.0):
    """Products by fold, pair, horizon and day of pairs whose returns and forecasts correlate.

    ``skill`` : share of the labels' variance that the forecasts know.
    """
    rows = days * DAY
    returns, views = rng.standard_t(5, rows + 80), forecast(rows, memory, rng)
    day = np.arange(days)
    frames = []
    for pair in range(pairs):
        own = (returns + rng.standard_t(5, rows + 80)) / np.sqrt(2 * 5 / 3)
        view = (views + forecast(rows, memory, rng)) / np.sqrt(2)
        for horizon in horizons:
            y = label(own, 15, horizon, rows) + np.sqrt(skill) * view
            sums = {"product": view * y, "power": view**2, "label": y**2}
            daily = {name: x.reshape(days, DAY).sum(axis=1) for name, x in sums.items()}
            cell = {"pair": f"p{pair}", "horizon": horizon, "rows": DAY}
            frames.append(pd.DataFrame({"day": day, "fold": day * folds // days} | daily | cell))
    return pd.concat(frames, ignore_index=True)


def coverage(parts, days, memory, rng, *, planted, confidence=0.95):
    """Share of intervals of skill in sigma that hold the true skill of the forecast."""
    rows, size = parts * days * DAY, 0.05
    returns = rng.standard_t(5, rows + 80) / np.sqrt(5 / 3)
    view = size * forecast(rows, memory, rng)
    y = label(returns, 15, 15, rows) + (view if planted else 0.0)
    known = (y**2).reshape(parts, days, DAY).sum(axis=2)
    loss = ((y - view) ** 2).reshape(parts, days, DAY).sum(axis=2)
    true = size**2 / (1 + size**2) if planted else -(size**2)
    ends = [skill.interval(a, b, confidence, 0) for a, b in zip(loss, known, strict=True)]
    return np.mean([end.low <= true <= end.high for end in ends])
