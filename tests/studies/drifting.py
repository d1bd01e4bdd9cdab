"""Markets whose signal drifts over a year, their champion, and what learns beside it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.learning import targets
from bqx.learning.models.ridge import Ridge
from bqx.learning.samples import EXTREME
from bqx.market import bars, planted, sessions, simulated
from bqx.market.bars import Bars
from bqx.online.settings import MEMBERS, Settings
from bqx.online.weights import RecentErrors, softmax

Vector = NDArray[np.float64]
Matrix = NDArray[np.float32]

WINDOW, HORIZON = 15, 30
STRIDE = 20
"""Minutes between two forecasts."""
MONTH = 28
"""Days of a simulated month."""
TRAINED = 2
"""Months that the champion is fitted on."""
COLUMNS, ALIKE = 20, 0.8
"""Columns of all learners, and from which correlation on two are one."""
KEPT = 6
"""Months that retraining reads, every week anew."""
SETTINGS = Settings(trees=20, stages=20, slow=1e-4, fast=4e-4, memory=720, run_in=500)
SHAPES: dict[str, Callable[[int], float]] = {
    "sudden": lambda month: 0.6 if month < TRAINED + 6 else -0.6,
    "gradual": lambda month: 0.6 * (1.0 - max(month - TRAINED, 0) / 5.5),
    "steady": lambda month: 0.6,
    "null": lambda month: 0.0,
}
"""Expected next return as a share of the mean past one, month by month, the champion's first."""


@dataclass(frozen=True, eq=False)
class Year:
    """Bars of one pair, and (T,) what an oracle forecasts in sigma; zeros where nobody knows."""

    bars: Bars
    oracle: Vector


def market(shape: str, seed: int, months: int = TRAINED + 12) -> Year:
    """A simulated pair whose momentum changes its strength from month to month."""
    pieces, drifts, level = [], [], 1.0
    for month in range(months):
        strength = SHAPES[shape](month)
        first = pd.Timestamp("2023-01-01") + pd.Timedelta(days=MONTH * month)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planted, "STRONG", strength)
            own = simulated.simulate(
                "strong" if strength else "null",
                ("eurusd",),
                start=str(first.date()),
                days=MONTH,
                seed=seed + month,
            )
        frame = own.frames["eurusd"]
        rates = [*bars.RATES]
        scale = level / float(frame["open"].iloc[0]) if pieces else 1.0
        frame = frame.assign(**{name: frame[name] * scale for name in rates})
        level = float(frame["close"].iloc[-1])
        pieces.append(frame)
        if own.planted is not None:
            drifts.append(own.planted)
    joined = bars.align({"eurusd": bars.validate(pd.concat(pieces), "simulated")})["eurusd"]
    target = targets.make(joined, WINDOW, HORIZON)
    oracle = np.zeros(len(joined))
    if drifts:
        series, decay = pd.concat(drifts)[["eurusd", "decay"]].reindex(joined.ts).to_numpy().T
        oracle = planted.oracle(series, decay, window=WINDOW, horizon=HORIZON) / target.sigma
    return Year(joined, oracle)


def chosen(x: Matrix, y: Vector) -> list[int]:
    """Columns with the highest information coefficient, none much like one before it."""
    ranks = pd.DataFrame(x).rank()
    ic = ranks.corrwith(pd.Series(y).rank()).abs().fillna(0.0).sort_values(ascending=False)
    alike, kept = ranks.corr().abs().to_numpy(), []
    for column in ic.index.tolist():
        if all(alike[column, other] < ALIKE for other in kept):
            kept.append(int(column))
        if len(kept) == COLUMNS:
            break
    return kept


def ridge(x: Matrix, y: Vector) -> Ridge:
    """A line through rows, its penalty chosen on the last fifth of them."""
    most = EXTREME * y.std()
    y = np.clip(y, -most, most)[:, None]
    split, apart = int(0.8 * len(y)), -(-HORIZON // STRIDE)
    early = slice(0, split - apart)
    fitted = Ridge().fit(x[early], y[early], validation=(x[split:], y[split:]))
    return fitted.unfitted().fit(x, y)


def forecasts(year: Year, trained_days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The champion's forecasts, and beside them the oracle's and those of weekly retraining.

    Both frames have the same rows, all after the champion's training rows; columns are chosen on
    these.
    """
    own = year.bars
    columns = tuple(c for c in lags.grid(catalog.profile("core"), ()) if not c.suffix)
    label = targets.make(own, WINDOW, HORIZON).label("innovation")
    lookback = max(column.lookback for column in columns)
    rows = np.arange(lookback, len(own), STRIDE)
    rows = rows[np.isfinite(own.close[rows])]
    end = own.minutes[0] + trained_days * sessions.DAY
    seen = rows[own.minutes[rows] + HORIZON < end]
    x = History(own).matrix(columns, rows)
    y = label[rows]
    learnt = np.arange(len(rows)) < len(seen)
    whole = np.isfinite(y)
    best = chosen(x[learnt & whole], y[learnt & whole])
    x = x[:, best]
    champion = ridge(x[learnt & whole], y[learnt & whole])
    minutes = own.minutes[rows]
    ahead = minutes >= end
    frame = pd.DataFrame(x[ahead], columns=[columns[c].name for c in best])
    frame = frame.assign(
        pair=own.pair,
        horizon=HORIZON,
        minute=minutes[ahead],
        forecast=champion.predict(x[ahead])[:, 0],
        label=y[ahead],
    )
    beside = pd.DataFrame({"oracle": year.oracle[rows][ahead], "retrained": 0.0})
    week = (minutes - minutes[0]) // (7 * sessions.DAY)
    for number in np.unique(week[ahead]).tolist():
        start = minutes[week == number][0]
        past = (minutes + HORIZON < start) & (minutes > start - KEPT * MONTH * sessions.DAY)
        model = ridge(x[past & whole], y[past & whole])
        now = ahead & (week == number)
        beside.loc[now[ahead], "retrained"] = model.predict(x[now])[:, 0]
    return frame, beside


def documented(out: pd.DataFrame, label: Vector) -> Vector:
    """The forecast by the documents' weights: the mean of the last 100 errors, as it is."""
    recent = RecentErrors(len(MEMBERS), 100)
    members = out[list(MEMBERS)].to_numpy()
    combined = np.zeros(len(out))
    late = -(-HORIZON // STRIDE)
    for row in range(len(out)):
        if row >= late and np.isfinite(label[row - late]):
            recent.add(np.abs(label[row - late] - members[row - late]))
        combined[row] = softmax(recent.mean(), 1.0) @ members[row]
    return combined


def by_month(frame: pd.DataFrame, beside: pd.DataFrame, out: pd.DataFrame) -> pd.DataFrame:
    """Squared errors in sigma by month: the label's own (``power``) and each forecast's.

    ``frame``, ``beside`` : see `forecasts`; ``out`` : replay of the frame.
    """
    label = frame["label"].to_numpy()
    views = {name: out[name].to_numpy() for name in ("online", *MEMBERS)}
    views |= {"documented": documented(out, label)}
    views |= {name: beside[name].to_numpy() for name in beside}
    losses = {"power": label**2} | {name: (label - view) ** 2 for name, view in views.items()}
    errors = pd.DataFrame(losses)
    errors = errors[np.isfinite(label) & np.isfinite(beside["oracle"].to_numpy())]
    day = (frame["minute"].to_numpy()[errors.index] - frame["minute"].iloc[0]) // sessions.DAY
    return errors.groupby(day // MONTH).sum()


def skill(errors: pd.DataFrame) -> pd.DataFrame:
    """Share of the label's power that each forecast saves."""
    return 1.0 - errors.drop(columns="power").div(errors["power"], axis=0)


def recovered(months: pd.DataFrame, name: str, change: int) -> dict[str, float | int | None]:
    """What a forecast is worth after a change, and when it is worth more than none again.

    Parameters
    ----------
    months : skill by month, see `skill`; ``change`` : the first month after the change.

    Returns ``month`` : first month, counted from the change, with a skill above 0, None for none;
    ``skill`` : mean of the months after the change.
    """
    after = months.loc[months.index >= change, name]
    above = np.flatnonzero(after.to_numpy() > 0.0)
    return {"month": int(above[0]) + 1 if len(above) else None, "skill": float(after.mean())}
