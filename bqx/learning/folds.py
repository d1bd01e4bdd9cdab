"""Folds by trading day, with purge and embargo: rolling origin, chronological, combinatorial.

Rows are market minutes (rows of the grid), so a distance between rows is a number of open minutes.
All pairs share the grid, so a fold holds the same rows for each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import purgedcv
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.features.engine.fitting import Fits
from bqx.market import sessions

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Rows to fit on, to stop and shrink on, and to forecast; all ascending.

    ``train``, ``validation`` : rows left after the purge.
    ``test`` : every row of the test days; ``scored`` : those that no earlier fold has tested.
    ``last_seen`` : last row whose bar a train or validation label reads.
    ``shared`` : what fitted families have learnt from the training rows of all pairs together.
    ``own`` : what they have learnt from those of a pair alone, as far as it is known.
    """

    number: int
    train: Rows
    validation: Rows
    test: Rows
    scored: Rows
    last_seen: int
    shared: Fits | None = None
    own: Mapping[str, Fits] = field(default_factory=dict)


def purge(rows: Rows, horizon: int, lookback: int, held_out: Rows, embargo: int) -> Rows:
    """Rows whose bars, from ``lookback`` before to ``horizon`` after, stay clear of held-out ones.

    Held out are the rows of ``held_out`` and the bars that their labels read, ``horizon`` beyond
    each, widened by ``embargo`` on both sides.

    Parameters
    ----------
    rows : (n,) rows, on either side of those held out.
    horizon, lookback, embargo : rows.
    held_out : (m,) ascending rows, in one run or several.

    Source: Lopez de Prado (2018), chapter 7; the lookback is ours.

    >>> purge(np.arange(12), horizon=2, lookback=1, held_out=np.array([4, 5]), embargo=1)
    array([ 0, 10, 11])
    """
    runs = _runs(held_out)
    first, last = (np.array([run[end] for run in runs]) for end in (0, -1))
    start = np.concatenate((rows - lookback, first - embargo)).astype("timedelta64[m]")
    # Half open, hence the row more.
    end = np.concatenate((rows + horizon, last + horizon + embargo)) + 1
    kept = purgedcv.purge(
        np.arange(len(rows)),
        len(rows) + np.arange(len(first)),
        start,
        end.astype("timedelta64[m]"),
    )
    return rows[kept]


def rolling_origin(
    minutes: Rows,
    train_days: int,
    validation_days: int,
    test_days: int,
    step_days: int,
    embargo: int,
    horizon: int,
    lookback: int,
    *,
    expanding: bool = False,
) -> tuple[Fold, ...]:
    """Folds of consecutive trading days: train, validation, test, moved on by ``step_days``.

    A fold needs all its test days; a rest at the end is not used. Parts that take up all days make
    a single, chronological fold.

    Parameters
    ----------
    minutes : (T,) epoch minutes of the grid's rows.
    train_days, validation_days, test_days, step_days : trading days that have rows.
    embargo, horizon, lookback : market minutes; the largest horizon, the largest lookback of
        features and labels.
    expanding : whether later folds keep the days that the first ones learn from. Train and
        validation then share all days before the test days as ``train_days`` and
        ``validation_days`` share those of the first fold.

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
    days = _days(minutes)
    need = _needed(lengths, len(days))
    splits = []
    for start in range(0, len(days) - need + 1, step_days):
        first = 0 if expanding else start
        test = start + train_days + validation_days
        validation = test - (test - first) * validation_days // (train_days + validation_days)
        splits.append(
            np.split(np.arange(first, test + test_days), [validation - first, test - first])
        )
    return _folds(days, splits, embargo, horizon, lookback, ("train_days", "validation_days"))


def _needed(lengths: Mapping[str, int], days: int) -> int:
    """Trading days of a fold, which must be there."""
    for name, value in lengths.items():
        if value < 1:
            raise ParameterError(
                f"{name}: too short, got {value}; expected at least 1 trading day."
            )
    train, validation, test, _ = lengths.values()
    need = train + validation + test
    if days < need:
        raise ParameterError(
            f"train_days: one fold needs {need} trading days (train {train}, validation "
            f"{validation}, test {test}), got {days}; expected no more than there "
            "are. Lower train_days, validation_days or test_days, or raise days."
        )
    return need


def combinatorial(
    minutes: Rows, groups: int, test_groups: int, embargo: int, horizon: int, lookback: int
) -> tuple[Fold, ...]:
    """Folds for every choice of ``test_groups`` among ``groups`` of consecutive trading days.

    The last group that is not tested validates, the others train, on either side of the test days.
    Every row is tested by several folds: `paths` tells which make a series without gaps.

    Parameters
    ----------
    minutes, embargo, horizon, lookback : as for `rolling_origin`.
    groups : parts of nearly equal numbers of days, the first ones a day longer.

    Raises
    ------
    ParameterError : no test group, fewer than two groups beside them, more groups than days, a
        negative embargo, or nothing left of a train or validation part after the purge.

    Source: Lopez de Prado (2018), chapter 12.
    """
    days = _days(minutes)
    if test_groups < 1:
        raise ParameterError(f"test_groups: too few, got {test_groups}; expected at least 1 group.")
    if not test_groups + 2 <= groups <= len(days):
        raise ParameterError(
            f"groups: impossible, got {groups}; expected from {test_groups + 2} (test_groups, one "
            f"that validates, one that trains) to the {len(days)} trading days."
        )
    days_of = np.array_split(np.arange(len(days)), groups)

    def split(tested: tuple[int, ...]) -> list[Rows]:
        *train, validation = (group for group in range(groups) if group not in tested)
        return [
            np.concatenate([days_of[group] for group in members])
            for members in (train, (validation,), tested)
        ]

    choices = combinations(range(groups), test_groups)
    names = ("groups", "groups")
    return _folds(days, map(split, choices), embargo, horizon, lookback, names)


def paths(folds: Sequence[Fold], rows: int) -> Rows:
    """(paths, rows) number of the fold that forecasts each row in each path, -1 where none does.

    A row's k-th fold stands in path k, so that the first path is that of ``Fold.scored``.

    >>> rows = np.array([1, 2])
    >>> early = Fold(0, rows, rows, rows, rows, 2)
    >>> paths([early, Fold(1, rows, rows, rows + 1, rows + 1, 2)], 4)
    array([[-1,  0,  0,  1],
           [-1, -1,  1, -1]])
    """
    times = np.zeros(rows, dtype=np.int64)
    for fold in folds:
        times[fold.test] += 1
    out = np.full((times.max(), rows), -1)
    seen = np.zeros(rows, dtype=np.int64)
    for fold in folds:
        out[seen[fold.test], fold.test] = fold.number
        seen[fold.test] += 1
    return out


def longest_run(rows: Rows) -> Rows:
    """The longest run of consecutive rows among ascending ones, the first of several.

    >>> longest_run(np.array([1, 2, 5, 6, 7, 9]))
    array([5, 6, 7])
    """
    return max(_runs(rows), key=len)


def _runs(rows: Rows) -> list[Rows]:
    return np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)


def _days(minutes: Rows) -> list[Rows]:
    """Rows of every trading day that has any."""
    days = sessions.trading_days(minutes)
    return np.split(np.arange(len(minutes)), np.flatnonzero(np.diff(days)) + 1)


def _folds(
    days: Sequence[Rows],
    splits: Iterable[Sequence[Rows]],
    embargo: int,
    horizon: int,
    lookback: int,
    names: tuple[str, str],
) -> tuple[Fold, ...]:
    """Folds of the train, validation and test days of every split.

    Train rows are purged against validation and test, validation rows against test. An error names
    the parameter of the train or of the validation days.
    """
    if embargo < 0:
        raise ParameterError(
            f"embargo: negative, got {embargo}; expected minutes >= 0, 0 for none."
        )
    folds: list[Fold] = []
    rows = int(days[-1][-1]) + 1
    tested = np.zeros(rows, dtype=np.bool_)
    for number, split in enumerate(splits):
        train, validation, test = (
            np.concatenate([days[day] for day in part_days]) for part_days in split
        )
        later = np.sort(np.concatenate((validation, test)))
        train = purge(train, horizon, lookback, later, embargo)
        validation = purge(validation, horizon, lookback, test, embargo)
        for name, left, before in zip(names, (train, validation), split[:2], strict=True):
            if len(left) == 0:
                raise ParameterError(
                    f"{name}: no row of fold {number} outlives the purge, got {len(before)} days "
                    f"with horizon {horizon}, lookback {lookback} and embargo {embargo} minutes; "
                    "expected some rows. Raise train_days or validation_days, or lower embargo."
                )
        folds.append(
            Fold(
                number=number,
                train=train,
                validation=validation,
                test=test,
                scored=test[~tested[test]],
                last_seen=min(int(max(train[-1], validation[-1])) + horizon, rows - 1),
            )
        )
        tested[test] = True
    return tuple(folds)
