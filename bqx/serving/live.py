"""The forecast for the last of some raw bars, the same in a notebook and behind HTTP."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import BarError, RequestError
from bqx.learning.bundle import Bundle
from bqx.market import bars, sessions
from bqx.market.pairs import PAIRS

OPTIONAL = ("volume", "spread")
_REQUEST = {"pair", "bars", "panel"}
FARTHEST = 5.0
"""Most times that a rate may be above or below the bundle's baseline. No pair came so far in the 25
years since the euro; ten times is another unit."""
WIDEST = 0.01
"""Largest spread, as a share of the rate."""
EARLIEST, LATEST = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")
"""Bars outside are taken for a mistake; clock features need a calendar."""


def forecast(
    bundle: Bundle, frame: pd.DataFrame, panel: Mapping[str, pd.Series] | None = None
) -> dict[str, Any]:
    """Answer for the last bar of a frame of raw bars.

    The bars go on the grid as in the batch, so the answer is the batch's for the same row.

    Parameters
    ----------
    bundle : of the pair.
    frame : raw bars of the pair, index ``ts_utc``.
    panel : raw closes of the other pairs that the bundle reads, over the same time; what they sent
        after the frame's last bar does not count.

    Returns
    -------
    pair, timestamp (open of the last bar), window, predictions by horizon (window, level,
    martingale, innovation, sigma, low, high; an end that there is not is None), columns_hash,
    trained_until.

    Raises
    ------
    BarError : bars that break the bar schema, or whose rates are in another unit than those that
        the bundle was trained on.
    RequestError : too few bars, a long hole just before the last, or a pair of the panel absent.
    """
    frame = bars.validate(frame, "bars")
    # No more calendar than the lookback can span, so that no request makes a grid of decades.
    weeks = math.ceil(bundle.lookback / sessions.WEEK) + 1
    recent = frame.loc[frame.index[-1] - pd.Timedelta(weeks=weeks) :]
    _check_unit(recent, "bars", bundle.baseline)
    grid = bars.to_grid(recent, max_fill=bundle.max_fill)
    own = bars.Bars(bundle.pair, grid, bundle.baseline)
    if bundle.panel:
        others = {pair: _panel_bars(bundle, pair, own, panel=panel or {}) for pair in bundle.panel}
        own = bars.join({bundle.pair: own, **others})[bundle.pair]
    return {
        "pair": bundle.pair,
        "timestamp": frame.index[-1].isoformat(),
        "window": bundle.window,
        "predictions": {
            str(horizon): {name: _listed(value) for name, value in asdict(prediction).items()}
            for horizon, prediction in bundle.predict(own).items()
        },
        "columns_hash": bundle.columns_hash,
        "trained_until": bundle.trained_until.isoformat(),
    }


def _panel_bars(
    bundle: Bundle, pair: str, own: bars.Bars, *, panel: Mapping[str, pd.Series]
) -> bars.Bars:
    """Bars of another pair of the panel on the rows of the bundle's own."""
    closes = panel.get(pair)
    first, last = own.ts[0], own.ts[-1]
    # From before the first row, whose close may have been carried.
    recent = None if closes is None else closes.loc[first - pd.Timedelta(days=3) : last]
    if recent is None or recent.empty:
        raise RequestError(
            f"panel: {pair} is absent, got {', '.join(panel) or 'no panel'}; expected closes of "
            f"{', '.join(bundle.panel)} from {first} to {last}. Send them too."
        )
    frame = bars.validate(pd.DataFrame(dict.fromkeys(bars.RATES, recent)), f"panel of {pair}")
    _check_unit(frame, f"panel of {pair}", bundle.panel[pair])
    earliest = pd.DatetimeIndex([min(frame.index[0], first)])
    start = int(sessions.epoch_minutes(earliest)[0])
    grid = bars.to_grid(frame, start, int(own.minutes[-1]), max_fill=bundle.max_fill)
    return bars.Bars(pair, grid.loc[first:], bundle.panel[pair])


def _check_unit(frame: pd.DataFrame, where: str, baseline: float) -> None:
    rates = frame[list(bars.RATES)].to_numpy()
    times = np.maximum(rates / baseline, baseline / rates).max(axis=1)
    spread = frame["spread"].to_numpy()
    widest = WIDEST * rates[:, 3]
    for far, name, values, rule in (
        (times > FARTHEST, "rate", rates.max(axis=1), f"{FARTHEST:g} times of {baseline:.6g}"),
        (spread > widest, "spread", spread, f"{WIDEST:.0%} of the rate, in quote units"),
    ):
        if far.any():
            row = int(np.argmax(far))
            raise BarError(
                f"{where} ({frame.index[row]}): no {name} of this pair, got {values[row]:.6g}; "
                f"expected it within {rule} ({int(far.sum()):,} such rows)."
            )


def payload(
    pair: str, frame: pd.DataFrame, panel: Mapping[str, pd.Series] | None = None
) -> dict[str, Any]:
    """Request for `forecast` over HTTP, of frames with a UTC index: plain lists, NaN as None."""
    lists = {
        name: [_listed(value) for value in frame[name].tolist()]
        for name in bars.COLUMNS
        if name in frame.columns
    }
    request: dict[str, Any] = {"pair": pair, "bars": {"ts_utc": _stamps(frame), **lists}}
    if panel:
        request["panel"] = {
            other: {"ts_utc": _stamps(closes), "close": closes.tolist()}
            for other, closes in panel.items()
        }
    return request


def _listed(value: float) -> float | None:
    return None if math.isnan(value) else value


def _stamps(frame: pd.DataFrame | pd.Series) -> list[str]:
    index = pd.DatetimeIndex(frame.index).tz_convert("UTC")
    return index.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()


def parse(content: Any) -> tuple[str, pd.DataFrame, dict[str, pd.Series]]:
    """Pair, bars and closes of other pairs of a decoded JSON request.

    Raises RequestError for anything but a pair, bars of lists of one length (``ts_utc`` ISO times
    in UTC, finite numbers for open, high, low and close, numbers or null for volume and spread),
    and maybe a panel of such lists ``ts_utc`` and ``close`` by pair.
    """
    if not isinstance(content, dict) or not {"pair", "bars"} <= set(content) <= _REQUEST:
        raise _shape("request", _keys(content), "an object with 'pair', 'bars', maybe 'panel'")
    pair, panel = content["pair"], content.get("panel", {})
    if not isinstance(pair, str):
        raise _shape("pair", type(pair).__name__, "a text such as 'eurusd'")
    if not isinstance(panel, dict):
        raise _shape("panel", type(panel).__name__, "an object of closes by pair")
    unknown = sorted(set(panel) - set(PAIRS))
    if unknown:
        raise _shape("panel", f"{unknown[0][:20]!r}", "closes by pair, such as 'gbpusd'")
    closes = {
        other: _frame(f"panel {other}", lists, ("close",))["close"]
        for other, lists in panel.items()
    }
    return pair, _frame("bars", content["bars"], bars.RATES, optional=OPTIONAL), closes


def _frame(
    where: str, lists: Any, needed: tuple[str, ...], *, optional: tuple[str, ...] = ()
) -> pd.DataFrame:
    names = {"ts_utc", *needed}
    if not isinstance(lists, dict) or not names <= set(lists) <= names | set(optional):
        also = f", maybe {', '.join(optional)}" if optional else ""
        raise _shape(where, _keys(lists), f"lists {', '.join(sorted(names))}{also}")
    lengths = {len(values) if isinstance(values, list) else -1 for values in lists.values()}
    if len(lengths) != 1 or lengths <= {0, -1}:
        raise _shape(where, f"lengths {sorted(lengths)}", "lists of one length, at least 1")
    numbers = {
        name: _numbers(where, name, lists[name]) for name in (*needed, *optional) if name in lists
    }
    return pd.DataFrame(numbers, index=_times(lists["ts_utc"]), dtype="float64")


def _shape(where: str, got: str, rule: str) -> RequestError:
    return RequestError(f"{where}: wrong shape, got {got}; expected {rule}.")


def _keys(value: Any) -> str:
    return f"keys {sorted(value)}"[:120] if isinstance(value, dict) else type(value).__name__


def _numbers(where: str, name: str, values: list[Any]) -> NDArray[np.float64]:
    kinds = (float, int, NoneType) if name in OPTIONAL else (float, int)
    # NumPy reads None as NaN.
    numbers = np.array(
        [
            value if type(value) in kinds and (value is None or abs(value) < 1e15) else math.inf
            for value in values
        ],
        dtype=np.float64,
    )
    wrong = np.isinf(numbers)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise RequestError(
            f"{where}: {name} {row + 1} is no finite number, got {str(values[row])[:40]!r}; "
            "expected one. Send no bar for a minute without trades."
        )
    return numbers


def _times(values: list[Any]) -> pd.DatetimeIndex:
    rule = "ISO times such as '2024-01-08T09:30:00Z'"
    if not all(isinstance(value, str) for value in values):
        raise _shape("ts_utc", "other than text", rule)
    try:
        times = pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, OverflowError) as error:
        raise _shape("ts_utc", str(error)[:80], rule) from None
    outside = times.isna() | (times < EARLIEST) | (times > LATEST)
    if outside.any():
        raise _shape("ts_utc", str(values[int(outside.argmax())])[:40], "times from 1990 to 2099")
    return times
