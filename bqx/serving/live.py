"""The forecast for the last of some raw bars, the same in a notebook and behind HTTP."""

import math
from typing import Any

import pandas as pd

from bqx import bars, sessions
from bqx.bundle import Bundle
from bqx.errors import RequestError

OPTIONAL = ("volume", "spread")
EARLIEST, LATEST = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")
"""Bars outside are taken for a mistake; clock features need a calendar."""


def forecast(bundle: Bundle, frame: pd.DataFrame) -> dict[str, Any]:
    """Answer for the last bar of a frame of raw bars.

    The bars go on the grid as in the batch, so the answer is the batch's for the same row.

    Returns
    -------
    pair, timestamp (open of the last bar), window, predictions by horizon (window, level,
    martingale, innovation, sigma), catalog_hash, trained_until.

    Raises
    ------
    BarError : bars that break the bar schema.
    RequestError : too few bars, or a long hole just before the last.
    """
    frame = bars.validate(frame, "bars")
    # No more calendar than the lookback can span, so that no request makes a grid of decades.
    weeks = math.ceil(bundle.lookback / sessions.WEEK) + 1
    recent = frame.loc[frame.index[-1] - pd.Timedelta(weeks=weeks) :]
    grid = bars.Bars(bundle.pair, bars.to_grid(recent, max_fill=bundle.max_fill), bundle.baseline)
    return {
        "pair": bundle.pair,
        "timestamp": frame.index[-1].isoformat(),
        "window": bundle.window,
        "predictions": {
            str(horizon): {
                "window": prediction.window,
                "level": prediction.level,
                "martingale": prediction.martingale,
                "innovation": prediction.innovation,
                "sigma": prediction.sigma,
            }
            for horizon, prediction in bundle.predict(grid).items()
        },
        "catalog_hash": bundle.catalog_hash,
        "trained_until": bundle.trained_until.isoformat(),
    }


def payload(pair: str, frame: pd.DataFrame) -> dict[str, Any]:
    """Request for `forecast` over HTTP, of a frame with a UTC index: plain lists, NaN as None."""
    columns = [name for name in bars.COLUMNS if name in frame.columns]
    lists = {
        name: [None if math.isnan(value) else value for value in frame[name].tolist()]
        for name in columns
    }
    stamps = pd.DatetimeIndex(frame.index).tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"pair": pair, "bars": {"ts_utc": stamps.tolist(), **lists}}


def parse(content: Any) -> tuple[str, pd.DataFrame]:
    """Pair and frame of a decoded JSON request.

    Raises RequestError for anything but a pair and bars of lists of one length: ``ts_utc`` ISO
    times in UTC, finite numbers for open, high, low and close, numbers or null for volume and
    spread.
    """
    if not isinstance(content, dict) or set(content) != {"pair", "bars"}:
        raise _shape("request", _keys(content), "an object with 'pair' and 'bars'")
    pair, given = content["pair"], content["bars"]
    if not isinstance(pair, str):
        raise _shape("pair", type(pair).__name__, "a text such as 'eurusd'")
    needed = {"ts_utc", *bars.RATES}
    if not isinstance(given, dict) or not needed <= set(given) <= needed | set(OPTIONAL):
        raise _shape(
            "bars", _keys(given), f"lists {', '.join(sorted(needed))}, maybe volume, spread"
        )
    lengths = {len(values) if isinstance(values, list) else -1 for values in given.values()}
    if len(lengths) != 1 or lengths <= {0, -1}:
        raise _shape("bars", f"lengths {sorted(lengths)}", "lists of one length, at least 1")
    numbers = {
        name: [_number(name, row, value) for row, value in enumerate(given[name], start=1)]
        for name in bars.COLUMNS
        if name in given
    }
    return pair, pd.DataFrame(numbers, index=_times(given["ts_utc"]), dtype="float64")


def _shape(where: str, got: str, rule: str) -> RequestError:
    return RequestError(f"{where}: wrong shape, got {got}; expected {rule}. Correct the request.")


def _keys(value: Any) -> str:
    return f"keys {sorted(value)}"[:120] if isinstance(value, dict) else type(value).__name__


def _number(name: str, row: int, value: Any) -> float:
    if value is None and name in OPTIONAL:
        return math.nan
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return float(value)
    raise RequestError(
        f"bars: {name} {row} is no finite number, got {str(value)[:40]!r}; expected one. Send no "
        "bar for a minute without trades."
    )


def _times(values: list[Any]) -> pd.DatetimeIndex:
    if not all(isinstance(value, str) for value in values):
        raise _shape("ts_utc", "other than text", "ISO times such as '2024-01-08T09:30:00Z'")
    try:
        times = pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, OverflowError) as error:
        raise _shape(
            "ts_utc", str(error)[:80], "ISO times such as '2024-01-08T09:30:00Z'"
        ) from None
    outside = times.isna() | (times < EARLIEST) | (times > LATEST)
    if outside.any():
        raise _shape("ts_utc", str(values[int(outside.argmax())])[:40], "times from 1990 to 2099")
    return times
