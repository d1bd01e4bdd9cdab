"""Forecasts of bundles beside each other on the same rows, with the labels that are known."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.feature_store.history import History
from bqx.learning import samples
from bqx.learning.bundle import Bundle
from bqx.learning.models import point
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.retraining.bars import rebased

Rows = NDArray[np.int64]
Series = NDArray[np.float64]

CHALLENGER, CHAMPION = "challenger", "champion"


def of(bundle: Bundle, bars: Bars, rows: Rows) -> Series:
    """(n, H) what a bundle forecasts of the innovation before shrinkage, in sigma; NaN where there
    is no bar. Rows before the bundle's lookback must not be asked for.
    """
    rebased_bars = rebased(bars, bundle)
    x = History(rebased_bars).matrix(bundle.columns, rows, bundle.fits)
    finite = np.isfinite(rebased_bars.close[rows])
    return np.where(finite[:, None], point(bundle.model.predict(x)), np.nan)


def betas(bundle: Bundle) -> Series:
    """(H,) share that is kept of each horizon's forecast."""
    return np.array([bundle.betas[horizon] for horizon in bundle.horizons])


def compared(
    bars: Bars,
    rows: Rows,
    *,
    challenger: Bundle,
    champion: Bundle | None,
    params: Params,
) -> pd.DataFrame:
    """Forecasts of two bundles on some rows of their pair: one row per minute and horizon that has
    a label.

    Returns
    -------
    DataFrame : ts_utc, day, horizon; ``label`` the innovation, ``raw`` the challenger's forecast
        before shrinkage, ``challenger`` and ``champion`` what is kept of theirs (no such column
        without a champion), all in sigma; ``sigma`` in BQX; ``actual`` and ``known`` the
        parameters' target and what the martingale forecasts of it, in BQX.
    """
    if champion is not None:
        _check(challenger, champion)
    raw = of(challenger, bars, rows)
    kept = {CHALLENGER: raw * betas(challenger)}
    if champion is not None:
        champion_forecasts = of(champion, bars, rows) * betas(champion)
        kept[CHAMPION] = champion_forecasts[
            :, [champion.horizons.index(h) for h in challenger.horizons]
        ]
    kind = "delta" if params.target == "scaled" else params.target
    frames = []
    for number, (horizon, target) in enumerate(samples.targets_of(bars, params).items()):
        values: dict[str, Any] = {
            "ts_utc": bars.ts[rows],
            "day": sessions.trading_days(bars.minutes[rows]),
            "horizon": horizon,
            "label": target.label("innovation")[rows],
            "raw": raw[:, number],
            **{name: forecast[:, number] for name, forecast in kept.items()},
            "sigma": target.sigma[rows],
            "actual": target.label(kind)[rows],
            "known": target.martingale_of(kind)[rows],
        }
        frames.append(pd.DataFrame(values))
    frame = pd.concat(frames, ignore_index=True)
    return frame[np.isfinite(frame[["label", "raw", *kept]]).all(axis=1)].reset_index(drop=True)


def _check(challenger: Bundle, champion: Bundle) -> None:
    """Raise ParameterError for a champion that forecasts something else."""
    if champion.window != challenger.window or set(champion.horizons) < set(challenger.horizons):
        raise ParameterError(
            f"{challenger.pair}: the served version forecasts something else, got window "
            f"{champion.window} and horizons {champion.horizons}; expected {challenger.window} and "
            f"{challenger.horizons}. Set target_window and horizons to those that are served."
        )
