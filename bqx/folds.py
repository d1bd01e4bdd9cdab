"""Walk-forward folds by trading day, with purge and embargo.

Rows are market minutes (rows of the grid), so a distance between rows is a number of open minutes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bqx import sessions
from bqx.errors import ParameterError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """One step of the walk: rows to fit on, to stop and shrink on, and to forecast.

    ``train``, ``validation`` : rows left after the purge.
    ``test`` : every row of the test days; ``scored`` : those that no earlier fold has tested.
    ``last_seen`` : last row whose bar a train or validation label reads.
    """

    number: int
    train: Rows
    validation: Rows
    test: Rows
    scored: Rows
    last_seen: int


def purge(rows: Rows, horizon: int, lookback: int, interval: tuple[int, int], embargo: int) -> Rows:
    """Rows whose bars, from ``lookback`` before to ``horizon`` after, stay clear of an interval.

    Parameters
    ----------
    rows : (n,) rows, on either side of the interval.
    horizon, lookback, embargo : rows.
    interval : first and last row of what is held out, widened by ``embargo`` on both sides.

    >>> purge(np.arange(12), horizon=2, lookback=1, interval=(5, 6), embargo=1)
    array([ 0,  1,  9, 10, 11])
    """
    first, last = interval[0] - embargo, interval[1] + embargo
    return rows[(rows + horizon < first) | (rows - lookback > last)]


def rolling_origin(
    minutes: Rows,
    train_days: int,
    validation_days: int,
    test_days: int,
    step_days: int,
    embargo: int,
    horizon: int,
    lookback: int,
) -> tuple[Fold, ...]:
    """Folds of consecutive trading days: train, validation, test, moved on by ``step_days``.

    A fold needs all its test days; a rest at the end is not used. Train rows are purged against
    validation and test, validation rows against test.

    Parameters
    ----------
    minutes : (T,) epoch minutes of the grid's rows.
    train_days, validation_days, test_days, step_days : trading days that have rows.
    embargo, horizon, lookback : market minutes; the largest horizon, the features' lookback.

    Raises
    ------
    ParameterError : a number of days below 1, a negative embargo, too few days for one fold, or
        nothing left of a train or validation part after the purge.
    """
    lengths = {
        "train_days": train_days,
        "validation_days": validation_days,
        "test_days": test_days,
        "step_days": step_days,
    }
    for name, value in lengths.items():
        if value < 1:
            raise ParameterError(
                f"{name}: too short, got {value}; expected at least 1. Give a number of days."
            )
    if embargo < 0:
        raise ParameterError(
            f"embargo: negative, got {embargo}; expected minutes >= 0. Give 0 for none."
        )
    days = sessions.trading_days(minutes)
    edges = np.flatnonzero(np.diff(days, prepend=days[:1] - 1, append=days[-1:] + 1))
    present = len(edges) - 1
    need = train_days + validation_days + test_days
    if present < need:
        raise ParameterError(
            f"train_days: one fold needs {need} trading days (train {train_days}, validation "
            f"{validation_days}, test {test_days}), got {present}; expected no more than there "
            "are. Lower them or give more bars."
        )
    folds: list[Fold] = []
    tested = 0
    for number, day in enumerate(range(0, present - need + 1, step_days)):
        a, b, c, d = edges[day + np.cumsum([0, train_days, validation_days, test_days])].tolist()
        train = purge(np.arange(a, b), horizon, lookback, (b, d - 1), embargo)
        validation = purge(np.arange(b, c), horizon, lookback, (c, d - 1), embargo)
        for name, rows in (("train_days", train), ("validation_days", validation)):
            if len(rows) == 0:
                raise ParameterError(
                    f"{name}: no row of fold {number} outlives the purge, got {lengths[name]} days "
                    f"with horizon {horizon} and embargo {embargo} minutes; expected some rows. "
                    f"Raise {name} or lower the embargo."
                )
        folds.append(
            Fold(
                number=number,
                train=train,
                validation=validation,
                test=np.arange(c, d),
                scored=np.arange(max(c, tested), d),
                last_seen=int(validation[-1]) + horizon,
            )
        )
        tested = d
    return tuple(folds)
