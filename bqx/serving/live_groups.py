"""Pairs that are forecast together, from one window of bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bqx.errors import RequestError
from bqx.features.engine.bar_window import BarWindow
from bqx.features.engine.newest_bars import NewestBars, newest
from bqx.features.newest_columns import NewestColumns
from bqx.learning.bundle import Bundle
from bqx.serving.forecast import Forecast, forecast_of


@dataclass(frozen=True)
class Group:
    """Pairs whose models agree on all baselines, so that they are computed together."""

    baselines: dict[str, float]
    bundles: dict[str, Bundle]
    columns: NewestColumns


def groups(bundles: Mapping[str, Bundle]) -> list[Group]:
    """Groups of bundles whose baselines agree."""
    grouped: list[tuple[dict[str, float], dict[str, Bundle]]] = []
    for pair, bundle in bundles.items():
        pair_baselines = {pair: bundle.baseline, **bundle.panel}
        for baselines, members in grouped:
            if all(baselines.get(p, first) == first for p, first in pair_baselines.items()):
                baselines.update(pair_baselines)
                members[pair] = bundle
                break
        else:
            grouped.append((pair_baselines, {pair: bundle}))
    return [
        Group(
            baselines,
            members,
            NewestColumns({p: b.columns for p, b in members.items() if any(b.betas.values())}),
        )
        for baselines, members in grouped
    ]


def forecasts(
    window: BarWindow, served: Sequence[Group], pairs: Sequence[str], *, behind: int
) -> dict[str, Forecast | RequestError]:
    """Forecasts, or why there are none, of pairs whose last bar is so many minutes old."""
    out: dict[str, Forecast | RequestError] = {}
    for group in served:
        asked = [pair for pair in pairs if pair in group.bundles]
        if not asked:
            continue
        rows = window.slice(window.length, behind)
        bars = {b.pair: b for b in newest(rows, window.pairs, group.baselines)}
        x = group.columns(bars, {pair: b.fits for pair, b in group.bundles.items()})
        for pair in asked:
            out[pair] = _forecast(group.bundles[pair], x.get(pair), bars[pair])
    return out


def bars_of(window: BarWindow, served: Sequence[Group], pair: str, *, behind: int) -> NewestBars:
    """Bars of one pair up to a row, copied, so that they stay when the window moves."""
    group = next(group for group in served if pair in group.bundles)
    rows = window.slice(window.length, behind)
    rows = replace(rows, minutes=rows.minutes.copy())
    if not behind:
        rows = replace(rows, columns=rows.columns.copy(), closes=rows.closes.copy())
    return next(b for b in newest(rows, window.pairs, group.baselines) if b.pair == pair)


def _forecast(
    bundle: Bundle, x: NDArray[np.float32] | None, bars: NewestBars
) -> Forecast | RequestError:
    try:
        return forecast_of(bundle, x, bars)
    except RequestError as error:
        return error
