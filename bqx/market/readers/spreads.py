"""The spread of a file's bars: its unit, where it was recorded, and rates of another side."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bqx.errors import BarError
from bqx.market import bars, examination
from bqx.market.bars import RATES
from bqx.market.declared import Declared, option
from bqx.market.pairs import pip
from bqx.market.readers.columns import Columns


@dataclass(frozen=True)
class Spread:
    """Bars with their spread in the rate's unit, what is said of it, and what is to be told.

    ``frame`` : the bars but those of a stray spread.
    """

    frame: pd.DataFrame
    said: str
    notes: list[str]


def schema(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Rows in the bar schema, the spread as it stands; what is 0 everywhere is absent."""
    out = frame.reindex(columns=list(bars.COLUMNS))
    if "spread" not in frame and "ask_close" in frame:
        out["spread"] = frame["ask_close"] - frame["close"]
    absent = [n for n in ("volume", "spread") if not (np.abs(out[n].to_numpy()) > 0).any()]
    out[absent] = np.nan
    if "ask_close" in frame and "spread" not in frame:
        # Which of the two is the ask is judged by the median, before single rows are cut at 0.
        if out["spread"].median() < 0:
            raise BarError(
                f"{where}: the ask lies below the bid, by {-out['spread'].median():.6g} in "
                "the middle; expected more than 0. Exchange the names of the columns."
            )
        out["spread"] = out["spread"].clip(lower=0)
    return out


def told_of_zeros(frame: pd.DataFrame, where: str) -> list[str]:
    """What has to be known of a file whose spread is 0 in all bars, see `schema`."""
    ask = frame.get("ask_close", np.nan)
    spread = frame["spread"] if "spread" in frame else ask - frame["close"]
    if not (spread == 0).any() or (spread.abs() > 0).any():
        return []
    return [
        f"{where}: the spread is 0 in all bars, taken for not recorded: costs are the pair's "
        "average"
    ]


def examined(
    pair: str, frame: pd.DataFrame, columns: Columns, declared: Declared, where: str
) -> Spread:
    """The spread in the rate's unit.

    Raises BarError where it cannot be a spread in its unit.
    """
    own = frame["spread"].to_numpy()
    if np.isnan(own).all():
        return Spread(frame, "none", [])
    is_quoted = "spread" in columns.names
    unit = (declared.spread_unit or columns.spread_unit or "rate") if is_quoted else "rate"
    frame = frame.assign(spread=own * _size(unit, pair, frame))
    fault = examination.spread_unit(pair, frame, is_declared=bool(declared.spread_unit))
    if fault:
        raise BarError(
            f"{where}: {fault}, which is no spread in {_UNITS[unit]}; expected the unit that the "
            f"spread is in. {_mend(unit, pair, frame.assign(spread=own))}"
        )
    said = f"{_UNITS[unit]}, {_shown(columns, declared)}" if is_quoted else "ask less bid"
    notes = []
    stray = examination.stray_spreads(frame)
    if stray.any():
        bar = frame[stray].iloc[0]
        notes.append(
            f"{where} ({bar.name}): a stray spread is set aside with its bar, {bar['spread']:.6g} "
            f"of {bar['close']:.8g}; {stray.sum():,} such"
        )
        frame, own = frame[~stray], own[~stray]
    blank = examination.unrecorded(own)
    if blank.any():
        times = frame.index[blank]
        frame = frame.assign(spread=np.where(blank, np.nan, frame["spread"]))
        said += f"; {blank.mean():.0%} not recorded"
        notes.append(
            f"{where}: the spread is 0 in {blank.sum():,} bars of long stretches from {times[0]} "
            f"to {times[-1]}, taken for not recorded: costs there are the pair's average"
        )
    return Spread(frame, said, notes)


_UNITS = {"rate": "the rate's unit", "pips": "pips", "points": "points"}


def _size(unit: str, pair: str, frame: pd.DataFrame) -> float:
    """A unit of spreads, quote units."""
    if unit == "points":
        return examination.point(pair, frame[list(RATES)].to_numpy())
    return pip(pair) if unit == "pips" else 1.0


def _mend(refused: str, pair: str, frame: pd.DataFrame) -> str:
    """The other units in which the spread, as it stands, may be one."""
    mends = []
    for unit in _UNITS.keys() - {refused}:
        scaled = frame.assign(spread=frame["spread"] * _size(unit, pair, frame))
        if not examination.spread_unit(pair, scaled, is_declared=True):
            middle = scaled["spread"][scaled["spread"] > 0].median()
            mends.append(f"{option('spread_unit', unit)} ({middle:.3g})")
    return (
        f"Pass {' or '.join(sorted(mends))}." if mends else "Correct the column, or leave it out."
    )


def _shown(columns: Columns, declared: Declared) -> str:
    if declared.spread_unit:
        return "declared"
    return "by the format" if columns.spread_unit else "plausible"


def to_bid(frame: pd.DataFrame, side: str, where: str) -> tuple[pd.DataFrame, str]:
    """Bid bars of ask or mid bars where all have a spread, and what is to be told."""
    spread = frame["spread"].to_numpy()
    if np.isnan(spread).any():
        return frame, (
            f"{where}: {side} rates are taken as they are, for want of a spread; costs, which add "
            "half a spread to them, place the mid too high"
        )
    less = spread if side == "ask" else spread / 2
    rates = frame[list(RATES)].sub(less, axis=0)
    return frame.assign(**rates), f"{where}: bid rates are the {side} rates less the spread"
