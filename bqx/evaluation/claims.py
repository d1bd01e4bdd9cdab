"""Whether forecasts hold information: one test of all, then folds, then pairs and horizons.

What is tested are the products of forecast and label, summed by trading day. Without information
each day's sum is as likely positive as negative, whatever its size, so that its sign may be turned:
the bounds below are quantiles over random signs of whole days, which keeps all dependence between
pairs and horizons, and holds for few days and for days of unequal weight.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Series = NDArray[np.float64]

FAMILY_ERROR = 0.05
"""Chance that a run claims anything that is not there."""
FLIPS = 10_000
"""Random signs of the days behind a bound."""
_AT_ONCE = 1_000

RUN, FOLD, PAIR, HORIZON, CELL = LEVELS = ("run", "fold", "pair", "horizon", "cell")
"""What a claim is about, the whole before its parts."""


@dataclass(frozen=True)
class Test:
    """One-sided tests of the columns of a table of sums by day.

    ``t`` : (n,) see `statistic`; ``bound`` : (n,) what each must exceed; ``rejected`` : (n,).
    """

    t: Series
    bound: Series
    rejected: NDArray[np.bool_]


def statistic(sums: Series) -> Series:
    """(n,) sum over days divided by the root of the summed squares; 0 for nothing but zeros.

    Student's t with the variance about 0 in place of that about the mean: its standard deviation
    without information is 1 for however few days, however uneven.

    Parameters
    ----------
    sums : (d, n) sums by day.

    >>> statistic(np.array([[1.0], [1.0], [1.0], [1.0]])).item()
    2.0
    """
    return np.asarray(_scaled(sums).sum(axis=0))


def step_down(sums: Series, level: float, seed: int) -> Test:
    """Test several columns so that the chance of any false rejection is ``level`` at most.

    A column is rejected where its statistic exceeds the quantile of the largest statistic under
    random signs, over the columns that no step before has rejected.

    Parameters
    ----------
    sums : (d, n) sums by day.
    level : chance of any false rejection, whichever of the columns are null.
    seed : of the signs.

    Source: Romano and Wolf (2005), Exact and approximate stepdown methods for multiple hypothesis
    testing, Journal of the American Statistical Association 100(469).
    """
    t, flipped = statistic(sums), _flipped(_scaled(sums), seed)
    bound, rejected = np.full(len(t), np.nan), np.zeros(len(t), np.bool_)
    while not rejected.all():
        left = ~rejected
        bound[left] = _quantile(flipped[:, left].max(axis=1), level)
        rejected |= left & (t > bound)
        if rejected[left].sum() == 0:
            break
    return Test(t, bound, rejected)


def _scaled(sums: Series) -> Series:
    norm = np.sqrt((sums * sums).sum(axis=0))
    return sums / np.where(norm > 0, norm, 1.0)


def _flipped(scaled: Series, seed: int) -> Series:
    """(FLIPS, n) statistics under random signs of the days."""
    rng = np.random.default_rng(seed)
    out = np.empty((FLIPS, scaled.shape[1]))
    for start in range(0, FLIPS, _AT_ONCE):
        signs = 2.0 * rng.integers(0, 2, (_AT_ONCE, len(scaled))) - 1.0
        # Without BLAS, whose last bits depend on the machine's threads.
        out[start : start + _AT_ONCE] = np.einsum("rd,dn->rn", signs, scaled)
    return out


def _quantile(values: Series, level: float) -> float:
    """What at most a share ``level`` of the values and one more exceeds, less a rounding; infinite
    where there are too few values to tell."""
    place = int(np.ceil((1.0 - level) * (len(values) + 1))) - 1
    return np.inf if place >= len(values) else float(np.sort(values)[place]) + 1e-9


def daily_products(
    y: Series, forecast: Series, *, fold: Series, day: NDArray[np.int64]
) -> pd.DataFrame:
    """Sums of a pair and horizon by fold and day, see `claim`; rows with a NaN are left out.

    Parameters
    ----------
    y, forecast : (T,) label and forecast in sigma.
    fold, day : (T,) numbers of both; several days as one where a label reaches further than one.
    """
    valid = np.isfinite(y) & np.isfinite(forecast)
    label, view = y[valid], forecast[valid]
    sums = {
        "fold": fold[valid].astype(np.int64),
        "day": day[valid],
        "rows": np.ones(len(label), np.int64),
        "product": view * label,
        "power": view**2,
        "label": label**2,
    }
    return pd.DataFrame(sums).groupby(["fold", "day"], as_index=False).sum()


def claim(products: pd.DataFrame, seed: int, error: float = FAMILY_ERROR) -> pd.DataFrame:
    """All claims of a run, none of them false but with the chance ``error``.

    The whole run is tested at ``error``: all days, pairs and horizons at once. In a run that is
    claimed, every fold is tested at its share of ``error``; in a fold that is claimed, its pairs,
    horizons and cells by `step_down` at that same share. So the shares add up to ``error``
    whichever parts are null.

    Parameters
    ----------
    products : one row per fold, pair, horizon and day: columns fold, pair, horizon, day, rows, and
        the day's sums ``product`` of forecast times label, ``power`` of squared forecasts and
        ``label`` of squared labels, in sigma.
    seed : of the signs.

    Returns
    -------
    DataFrame : level (one of `LEVELS`), fold, pair, horizon (None where it is about all), t, bound,
        claimed, ``noise`` and ``signal`` for `smallest_skill`, days.
    """
    folds = [fold for _, fold in products.groupby("fold", sort=True)]
    tables = [_by_day(fold) for fold in folds]
    signals = [_signal(fold) for fold in folds]
    everything = np.concatenate([table.sum(axis=1).to_numpy() for table in tables])[:, None]
    run = step_down(everything, error, seed)
    whole = _rows(RUN, [(None, None, None)], everything, run, [sum(map(sum, signals))])
    rows = [whole]
    open_gate = bool(run.rejected[0])
    for fold, table, signal in zip(folds, tables, signals, strict=True):
        number, share = int(fold["fold"].iloc[0]), error / len(folds)
        together = table.sum(axis=1).to_numpy()[:, None]
        tested = step_down(together, share, seed)
        fold_rows = _rows(FOLD, [(number, None, None)], together, tested, [signal.sum()])
        fold_rows["claimed"] &= open_gate
        rows += [
            fold_rows,
            _within(number, table, signal, share, seed, bool(fold_rows["claimed"].all())),
        ]
    return pd.concat(rows, ignore_index=True)


def _by_day(fold: pd.DataFrame) -> pd.DataFrame:
    """(days, cells) products in units of each cell's label variance; 0 where a cell has no day."""
    cell = fold.groupby(["pair", "horizon"])
    variance = cell["label"].transform("sum") / cell["rows"].transform("sum")
    scaled = fold.assign(product=fold["product"] / variance.where(variance > 0, 1.0))
    return scaled.pivot(index="day", columns=["pair", "horizon"], values="product").fillna(0.0)


def _signal(fold: pd.DataFrame) -> Series:
    """(cells,) what the products of a forecast with correlation 1 would add up to."""
    sums = fold.groupby(["pair", "horizon"])[["rows", "power", "label"]].sum()
    label = sums["label"].where(sums["label"] > 0, 1.0)
    return (sums["rows"] * np.sqrt(sums["power"] / label)).to_numpy(np.float64)


def _within(
    number: int, table: pd.DataFrame, signal: Series, level: float, seed: int, is_claimed: bool
) -> pd.DataFrame:
    """Pairs, horizons and cells of a fold, claimed together or, where the fold is not, none."""
    by = {name: table.columns.get_level_values(name) for name in (PAIR, HORIZON)}
    groups = [(PAIR, (number, pair, None), by[PAIR] == pair) for pair in by[PAIR].unique()]
    groups += [(HORIZON, (number, None, h), by[HORIZON] == h) for h in by[HORIZON].unique()]
    groups += [
        (CELL, (number, *cell), np.arange(len(table.columns)) == column)
        for column, cell in enumerate(table.columns)
    ]
    sums = np.column_stack([table.to_numpy()[:, of].sum(axis=1) for _, _, of in groups])
    signals = [float(signal[of].sum()) for _, _, of in groups]
    tested = step_down(sums, level, seed)
    rows = _rows("", [names for _, names, _ in groups], sums, tested, signals)
    rows["level"] = [kind for kind, _, _ in groups]
    rows["claimed"] &= is_claimed
    return rows


def _rows(
    level: str,
    names: list[tuple[int | None, str | None, int | None]],
    sums: Series,
    tested: Test,
    signals: list[float],
) -> pd.DataFrame:
    fold, pair, horizon = zip(*names, strict=True)
    centred = sums - sums.mean(axis=0)
    return pd.DataFrame(
        {
            "level": level,
            "fold": pd.array(fold, dtype="Int64"),
            "pair": pd.Series(pair, dtype=object),
            "horizon": pd.array(horizon, dtype="Int64"),
            "t": tested.t,
            "bound": tested.bound,
            "claimed": tested.rejected,
            "noise": np.sqrt((centred * centred).sum(axis=0)),
            "signal": signals,
            "days": len(sums),
        }
    )
