"""A screen of columns: each one's information coefficient, per pair and over all pairs.

Only training and validation rows of the first fold are read, which no fold of a rolling origin
tests. All days of them decide on a test; fifths of the days and sessions show how steady it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.errors import ParameterError
from bqx.evaluation import conditions, screening
from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import samples
from bqx.learning.folds import Fold
from bqx.learning.models.design import thin
from bqx.learning.selection import COPY
from bqx.market import sessions
from bqx.parallel import over_pairs
from bqx.params import Params

Rows = NDArray[np.int64]
Series = NDArray[np.float64]

ALL = "all pairs"
"""Scope of tests over all pairs together."""
FIFTHS = tuple(f"fifth {number}" for number in range(1, 6))
"""Consecutive parts of the days."""
COMPARED = 6_000
"""Most rows on which columns are compared with each other."""
FEWEST_DAYS = 10


@dataclass(frozen=True, eq=False)
class PairScreen:
    """What a pair's rows say of all columns.

    ``sums`` : (days, sessions, C, H) sums of products, see `screening.day_products`;
    ``shares`` : (days, sessions) of the pair's rows; ``turnover`` : (C,);
    ``likeness`` : (C, C) absolute rank correlations, 0 where there is none.
    """

    sums: NDArray[np.float32]
    shares: Series
    turnover: Series
    likeness: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Screen:
    """What columns say of the innovation, none of it from a row that is tested.

    ``tests`` : one row per scope (`ALL` or a pair), column and horizon: ic, t, p.
    ``columns`` : one row per column: ``turnover``, how far its rank moves from row to row, 1 as
        chance draws; ``fifths``, ``sessions``: share of them in which the coefficient of all pairs
        has the sign of the whole at the horizon where that is strongest, ``peak``; ``kept`` : what
        is left of it at the longest horizon; ``copy_of`` : the stronger column of which it is
        nearly a copy, empty for none.
    ``steadiness`` : one row per part (a fifth of the days, or a session), column and horizon: ic.
    ``days``, ``rows`` : looked at.
    """

    tests: pd.DataFrame
    columns: pd.DataFrame
    steadiness: pd.DataFrame
    days: int
    rows: int


def screen_all(
    histories: Mapping[str, History], columns: Sequence[Column], fold: Fold, params: Params
) -> Screen:
    """Screen columns on the training and validation rows of a fold.

    Parameters
    ----------
    histories : of all pairs, on one grid.
    columns : candidates.
    fold : the first one, with what its pairs have learnt together.
    params : horizons, target_window, stride, workers and backend are read.

    Raises
    ------
    ParameterError : fewer than `FEWEST_DAYS` days.
    """
    rows = rows_of(fold, columns, params.stride)
    minutes = next(iter(histories.values())).bars.minutes[rows]
    days, day = np.unique(days_of(minutes, params), return_inverse=True)
    if len(days) < FEWEST_DAYS:
        raise ParameterError(
            f"screening: too few days, got {len(days)} before the first test row; expected at "
            f"least {FEWEST_DAYS}. Raise train_days or validation_days."
        )
    names = np.array(conditions.SESSIONS)
    session = (conditions.session(minutes)[:, None] == names).argmax(axis=1)
    block = day * len(names) + session
    screens: dict[str, PairScreen] = {}
    over_pairs(
        screen_pair,
        {
            pair: (history, columns, fold, rows, block, params)
            for pair, history in histories.items()
        },
        params.workers,
        write=screens.__setitem__,
        backend=params.backend,
    )
    return assemble({pair: screens[pair] for pair in histories}, columns, params.horizons, rows)


def days_of(minutes: Rows, params: Params) -> Rows:
    """Trading day of each minute, those that a label joins under one number.

    ``params`` : horizons and target_window are read.
    """
    return samples.label_days(sessions.trading_days(minutes), params)


def rows_of(fold: Fold, columns: Sequence[Column], stride: int) -> Rows:
    """Every stride-th training and validation row of a fold at which all columns look back far
    enough."""
    rows = np.union1d(fold.train, fold.validation)
    lookback = max(column.lookback for column in columns)
    return rows[(rows >= lookback - 1) & (rows % stride == 0)]


def screen_pair(
    history: History,
    columns: Sequence[Column],
    fold: Fold,
    rows: Rows,
    block: Rows,
    params: Params,
) -> PairScreen:
    """Screen the columns of one pair; ``block`` : (n,) number of each row's day and session, days
    that a label joins as one."""
    labels = samples.labels_of(samples.targets_of(history.bars, params))
    y = np.column_stack([label[rows] for label in labels.values()])
    x = history.matrix(columns, rows, samples.fits_of(history.bars, columns, fold))
    x = np.asfortranarray(x)
    parts = len(conditions.SESSIONS)
    blocks = (int(block.max()) // parts + 1) * parts
    sums = np.zeros((blocks, x.shape[1], y.shape[1]), np.float32)
    products = screening.day_products(x, y, block)
    sums[: len(products)] = products
    labelled = np.isfinite(y).all(axis=1)
    shares = np.bincount(block[labelled], minlength=blocks) / max(labelled.sum(), 1)
    follows = np.diff(rows, prepend=rows[0] - 1) == params.stride
    with threadpool_limits(1):
        likeness = likeness_of(x)
    return PairScreen(
        sums=sums.reshape(-1, parts, *sums.shape[1:]),
        shares=shares.reshape(-1, parts),
        turnover=screening.turnover(x, follows),
        likeness=likeness,
    )


def likeness_of(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C, C) absolute rank correlations of (n, C) columns, absent values at the middle."""
    few = x[thin(len(x), COMPARED)]
    z = np.zeros(few.shape, np.float32)
    for number, column in enumerate(few.T):
        finite = np.isfinite(column)
        if finite.sum() > 1:
            z[finite, number] = np.nan_to_num(screening.standard_ranks(column[finite]))
    return np.asarray(np.abs(z.T @ z) / np.float32(max(len(z), 1)))


def assemble(
    screens: Mapping[str, PairScreen],
    columns: Sequence[Column],
    horizons: Sequence[int],
    rows: Rows,
) -> Screen:
    """The screen of all pairs from those of each."""
    names = [column.name for column in columns]
    pooled = mean_over([screen.sums for screen in screens.values()])
    shares = np.mean([screen.shares for screen in screens.values()], axis=0)
    scopes = {ALL: pooled} | {pair: screen.sums for pair, screen in screens.items()}
    tests = pd.concat(
        [_tests(scope, sums, names, horizons) for scope, sums in scopes.items()], ignore_index=True
    )
    parts = _parts(pooled, shares)
    likeness = np.mean([screen.likeness for screen in screens.values()], axis=0)
    turnover = mean_over([screen.turnover for screen in screens.values()])
    return Screen(
        tests=tests,
        columns=_columns(pooled, parts, names, horizons).assign(
            turnover=turnover, copy_of=copies(likeness, pooled, names)
        ),
        steadiness=pd.concat(
            [
                _cells(names, horizons).assign(part=name, ic=ic.ravel())
                for name, ic in parts.items()
            ],
            ignore_index=True,
        ),
        days=len(pooled),
        rows=len(rows) * len(screens),
    )


def mean_over(values: Sequence[NDArray[np.floating]]) -> Series:
    """Mean over the pairs that have a value."""
    total, count = np.zeros(values[0].shape), np.zeros(values[0].shape, np.int64)
    for pair_values in values:
        finite = np.isfinite(pair_values)
        total += np.where(finite, pair_values, 0.0)
        count += finite
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _cells(names: Sequence[str], horizons: Sequence[int]) -> pd.DataFrame:
    return pd.DataFrame(product(names, horizons), columns=["column", "horizon"])


def _tests(
    scope: str, sums: NDArray[np.floating], names: Sequence[str], horizons: Sequence[int]
) -> pd.DataFrame:
    ic, t, p = screening.tested(sums.sum(axis=1, dtype=np.float64))
    return _cells(names, horizons).assign(scope=scope, ic=ic.ravel(), t=t.ravel(), p=p.ravel())


def _parts(pooled: Series, shares: Series) -> dict[str, Series]:
    """(C, H) coefficients of each fifth of the days and of each session that has rows."""
    parts = {}
    for name, days in zip(FIFTHS, np.array_split(np.arange(len(pooled)), len(FIFTHS)), strict=True):
        parts[name] = pooled[days].sum(axis=(0, 1)) / shares[days].sum()
    for number, name in enumerate(conditions.SESSIONS):
        if (share := shares[:, number].sum()) > 0:
            parts[name] = pooled[:, number].sum(axis=0) / share
    return parts


def _columns(
    pooled: Series, parts: Mapping[str, Series], names: Sequence[str], horizons: Sequence[int]
) -> pd.DataFrame:
    ic = pooled.sum(axis=(0, 1))
    peak = np.nan_to_num(np.abs(ic), nan=-1.0).argmax(axis=1)
    every = np.arange(len(names))
    whole = ic[every, peak]
    alike = {
        name: np.sign(part_ic[every, peak]) == np.sign(whole) for name, part_ic in parts.items()
    }
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = ic[:, -1] / whole
    return pd.DataFrame(
        {
            "column": names,
            "peak": np.array(horizons)[peak],
            "kept": kept,
            "fifths": np.mean([alike[name] for name in FIFTHS], axis=0),
            "sessions": np.mean(
                [agrees for name, agrees in alike.items() if name not in FIFTHS], axis=0
            ),
        }
    )


def copies(likeness: NDArray[np.floating], pooled: Series, names: Sequence[str]) -> list[str]:
    """(C,) the strongest column of which each is nearly a copy, itself left out; empty for none."""
    _, t, _ = screening.tested(pooled.sum(axis=1))
    strength = np.nan_to_num(np.abs(t)).max(axis=1)
    leaders = np.full(len(names), -1)
    for leader in np.argsort(-strength, kind="stable"):
        if leaders[leader] < 0:
            near = (likeness[leader] >= COPY) & (leaders < 0)
            leaders[near] = leader
            leaders[leader] = leader
    return [names[leader] if leader != i else "" for i, leader in enumerate(leaders)]
