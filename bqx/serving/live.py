"""The forecast for the last of some raw bars, the same in a notebook and behind HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import RequestError
from bqx.features.engine.newest_bars import NewestBars
from bqx.learning.bundle import Bundle
from bqx.market import bar_arrays, bars, sessions
from bqx.market.bar_arrays import CLOSE
from bqx.market.bars import Panel
from bqx.market.pairs import PAIRS
from bqx.serving.forecast import forecast_of, number
from bqx.serving.sent import Sent, parse
from bqx.serving.units import check_unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["forecast", "newest", "parse", "payload"]

_MINUTE = 60_000_000_000
_DAY = sessions.DAY * _MINUTE
BEFORE = 3 * _DAY
"""How long before the first row the closes of other pairs are read, one of which it may carry."""


def forecast(
    bundle: Bundle,
    frame: pd.DataFrame | Sent,
    panel: Mapping[str, pd.Series] | Mapping[str, Sent] | None = None,
) -> dict[str, Any]:
    """Answer for the last bar of a frame of raw bars.

    The bars go on the grid as in the batch, so the answer is the batch's for the same row.

    Parameters
    ----------
    bundle : of the pair.
    frame : raw bars of the pair, index ``ts_utc``; or those of `parse`.
    panel : raw closes of the other pairs that the bundle reads, over the same time; what they sent
        after the frame's last bar does not count.

    Returns
    -------
    pair, timestamp (open of the last bar), window, predictions by horizon (window, level,
    martingale, innovation, sigma, low, high, signal, signal_strength; what there is not is None),
    columns_hash, trained_until.

    Raises
    ------
    BarError : bars that break the bar schema, or whose rates are in another unit than those that
        the bundle was trained on.
    RequestError : too few bars, a long hole just before the last, or a pair of the panel absent.
    """
    rows = newest(bundle, Sent.of(frame, "bars"), panel or {})
    return forecast_of(bundle, bundle.columns_of(rows), rows).content()


def newest(
    bundle: Bundle, sent: Sent, panel: Mapping[str, pd.Series] | Mapping[str, Sent]
) -> NewestBars:
    """The bars of a request on the grid.

    Raises BarError and RequestError as `forecast` does.
    """
    is_open = bar_arrays.check(sent.stamps, sent.columns, "bars")
    stamps, columns = sent.stamps[is_open], sent.columns[:, is_open]
    start = int(np.searchsorted(stamps, stamps[-1] - span(bundle) * _MINUTE))
    minutes, columns = stamps[start:] // _MINUTE, columns[:, start:]
    check_unit(minutes, columns, "bars", bundle.baseline)
    grid = sessions.grid(int(minutes[0]), int(minutes[-1]))
    rows = bar_arrays.on_grid(minutes, columns, grid, bundle.max_fill)
    return NewestBars(
        bundle.pair,
        rows,
        bundle.baseline,
        panel=_panel(bundle, rows[CLOSE], grid, panel) if bundle.panel else None,
        minutes=grid,
        market_minute=int(sessions.market_minutes(grid[-1:])[0]),
    )


def span(bundle: Bundle) -> int:
    """Minutes before the last bar that are read: no more calendar than the lookback can span, so
    that no request makes a grid of decades."""
    return 7 * sessions.DAY * (math.ceil(bundle.lookback / sessions.WEEK) + 1)


def _panel(
    bundle: Bundle,
    own: NDArray[np.float64],
    grid: NDArray[np.int64],
    panel: Mapping[str, pd.Series] | Mapping[str, Sent],
) -> Panel:
    """Closes of the bundle's panel on the grid of its own pair."""
    closes, baselines = np.full((len(grid), len(PAIRS)), np.nan), np.full(len(PAIRS), np.nan)
    closes[:, PAIRS.index(bundle.pair)] = own
    baselines[PAIRS.index(bundle.pair)] = bundle.baseline
    for pair, baseline in bundle.panel.items():
        closes[:, PAIRS.index(pair)] = _closes(bundle, pair, grid, panel=panel)
        baselines[PAIRS.index(pair)] = baseline
    return Panel(closes, baselines, wanted=1)


def _closes(
    bundle: Bundle,
    pair: str,
    grid: NDArray[np.int64],
    *,
    panel: Mapping[str, pd.Series] | Mapping[str, Sent],
) -> NDArray[np.float64]:
    """Closes of another pair on the rows of the bundle's own."""
    where = f"panel of {pair}"
    first, last = int(grid[0]) * _MINUTE, int(grid[-1]) * _MINUTE
    sent = Sent.of(panel[pair], where).between(first - BEFORE, last) if pair in panel else None
    if sent is None or not len(sent.stamps):
        since, until = map(sessions.timestamp, grid[[0, -1]])
        raise RequestError(
            f"panel: {pair} is absent, got {', '.join(panel) or 'no panel'}; expected closes of "
            f"{', '.join(bundle.panel)} from {since} to {until}. Send them too."
        )
    is_open = bar_arrays.check(sent.stamps, sent.columns, where)
    minutes, columns = sent.stamps[is_open] // _MINUTE, sent.columns[:, is_open]
    check_unit(minutes, columns, where, bundle.panel[pair])
    whole = sessions.grid(min(int(minutes[0]), int(grid[0])), int(grid[-1]))
    rows = bar_arrays.on_grid(minutes, columns, whole, bundle.max_fill)
    return np.asarray(rows[CLOSE, len(whole) - len(grid) :])


def payload(
    pair: str, frame: pd.DataFrame, panel: Mapping[str, pd.Series] | None = None
) -> dict[str, Any]:
    """Request for `forecast` over HTTP, of frames with a UTC index: plain lists, NaN as None."""
    lists = {
        name: [number(value) for value in frame[name].tolist()]
        for name in bars.COLUMNS
        if name in frame.columns
    }
    request: dict[str, Any] = {"pair": pair, "bars": {"ts_utc": _stamps(frame), **lists}}
    if panel:
        request["panel"] = {
            panel_pair: {"ts_utc": _stamps(closes), "close": closes.tolist()}
            for panel_pair, closes in panel.items()
        }
    return request


def _stamps(frame: pd.DataFrame | pd.Series) -> list[str]:
    import pandas as pd

    index = pd.DatetimeIndex(frame.index).tz_convert("UTC")
    return index.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
