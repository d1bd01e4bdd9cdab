"""The tear sheet of one column: what it is, how it is distributed, and what it says.

It reads the rows that `column_screen` reads: none that a fold of a rolling origin tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bqx.evaluation import conditions, screening
from bqx.evaluation.column_screen import ALL, days_of, likeness_of, mean_over, rows_of
from bqx.feature_store.history import History
from bqx.features.lags import CAUSALITY_LAG, LAGS, Column
from bqx.learning import samples
from bqx.learning.folds import Fold
from bqx.learning.selection import COPY
from bqx.market import sessions
from bqx.params import Params

Series = NDArray[np.float64]
Rows = NDArray[np.int64]

FIFTHS = ("lowest", "2", "3", "4", "highest")
NEAREST = 5
"""Columns that are listed beside it."""


@dataclass(frozen=True, eq=False)
class TearSheet:
    """One column on the training and validation rows of a fold.

    ``definition`` : by what is defined; ``by_session`` : one row per session, in the column's
    unit; ``ic`` : one row per scope and horizon, with the interval of ``confidence``;
    ``fifths`` : mean innovation in sigma by fifth of the column's values, columns by horizon;
    ``nearest`` : the columns whose ranks go with its own; ``note`` : what was looked at.
    """

    name: str
    definition: dict[str, str]
    by_session: pd.DataFrame
    ic: pd.DataFrame
    fifths: pd.DataFrame
    nearest: pd.DataFrame
    note: str

    def _tables(self) -> dict[str, pd.DataFrame]:
        return {
            f"Values by session ({self.definition['unit']})": self.by_session,
            "Information coefficient": self.ic,
            "Mean innovation by fifth of its values (sigma)": self.fifths,
            "Columns that go with it": self.nearest,
        }

    def __str__(self) -> str:
        head = [self.name, *(f"  {key:<12}{text}" for key, text in self.definition.items())]
        tables = [f"{title}\n{_text(table)}" for title, table in self._tables().items()]
        return "\n\n".join(("\n".join(head), self.note, *tables))

    def _repr_html_(self) -> str:
        about = pd.Series(self.definition, name=self.name).to_frame().to_html()
        tables = [
            f"<p><b>{title}</b></p>{_plain(table).to_html()}"
            for title, table in self._tables().items()
        ]
        return f"{about}<p>{self.note}</p>{''.join(tables)}"


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Four significant digits, a dash where there is no value."""
    return table.map(lambda x: f"{x:.4g}" if isinstance(x, float) else str(x)).replace("nan", "–")


def _text(table: pd.DataFrame) -> str:
    return _plain(table).to_string() if len(table) else "none"


def definition(column: Column, lags: Sequence[int] = LAGS) -> dict[str, str]:
    """What a column is, by what is said of it; ``lags`` : of a run."""
    feature = column.feature
    lagged = ", ".join(map(str, lags)) if feature.laggable and lags else "none"
    if feature.causality_lag:
        lagged += f", and {CAUSALITY_LAG}"
    values = {
        "what it is": feature.title + (f", {column.lag} minutes earlier" if column.lag else ""),
        "formula": feature.formula,
        "unit": feature.unit,
        "lookback": f"{column.lookback} bars",
        "lags": lagged,
        "table": feature.table,
        "domain": feature.domain,
        "range": f"{feature.lo:g} to {feature.hi:g}",
        "also called": feature.alias,
        "sum of": ", ".join(feature.spanned_by),
        "more": feature.spec.about or feature.family.about,
    }
    return {key: text for key, text in values.items() if text}


def make(
    histories: Mapping[str, History],
    column: Column,
    others: Sequence[Column],
    *,
    fold: Fold,
    params: Params,
) -> TearSheet:
    """The tear sheet of a column.

    Parameters
    ----------
    histories : of all pairs, on one grid.
    others : columns that it is compared with, on the first pair's rows.
    fold : the first one, with what its pairs have learnt together.
    params : horizons, target_window, stride and confidence are read.
    """
    rows = rows_of(fold, (column,), params.stride)
    minutes = next(iter(histories.values())).bars.minutes[rows]
    days, day = np.unique(days_of(minutes, params), return_inverse=True)
    pairs = {
        pair: _of_pair(history, column, rows, day, fold=fold, params=params)
        for pair, history in histories.items()
    }
    sums = {pair: of_pair.sums for pair, of_pair in pairs.items()}
    scopes = {ALL: mean_over(list(sums.values())), **sums} if len(sums) > 1 else sums
    ic = pd.concat([_ic(scope, scope_sums, params) for scope, scope_sums in scopes.items()])
    fifths = pd.DataFrame(
        mean_over([of_pair.fifths for of_pair in pairs.values()]),
        index=pd.Index(FIFTHS, name="fifth"),
        columns=[f"{horizon} min" for horizon in params.horizons],
    )
    first, last = sessions.timestamps(minutes[[0, -1]]).strftime("%Y-%m-%d")
    return TearSheet(
        name=column.name,
        definition=definition(column, params.lags),
        by_session=_by_session(
            {pair: of_pair.values for pair, of_pair in pairs.items()}, conditions.session(minutes)
        ),
        ic=ic.set_index(["scope", "horizon (min)"]),
        fifths=fifths,
        nearest=_nearest(next(iter(histories.values())), column, others, fold=fold, params=params),
        note=(
            f"On {len(days)} days from {first} to {last}, every {params.stride} minutes, of "
            f"{', '.join(histories)}: training and validation rows of the first fold alone."
        ),
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """A pair's (n,) values of the column, (days, 1, H) sums of products, and (5, H) mean labels."""

    values: Series
    sums: Series
    fifths: Series


def _of_pair(
    history: History, column: Column, rows: Rows, day: Rows, *, fold: Fold, params: Params
) -> _Pair:
    labels = samples.labels_of(samples.targets_of(history.bars, params))
    y = np.column_stack([label[rows] for label in labels.values()])
    x = history.matrix((column,), rows, samples.fits_of(history.bars, (column,), fold))
    values = x[:, 0].astype(np.float64)
    return _Pair(values, screening.day_products(x, y, day), _fifths(values, y))


def _ic(scope: str, sums: Series, params: Params) -> pd.DataFrame:
    ic, t, p = (values[0] for values in screening.tested(sums))
    with np.errstate(invalid="ignore", divide="ignore"):
        half_width = np.abs(ic / t) * stats.t.ppf(0.5 + params.confidence / 2, len(sums) - 1)
    level = f"{params.confidence:.0%}"
    return pd.DataFrame(
        {
            "scope": scope,
            "horizon (min)": params.horizons,
            "IC": ic,
            f"{level} low": ic - half_width,
            f"{level} high": ic + half_width,
            "t": t,
            "p": p,
        }
    )


def _fifths(values: Series, labels: Series) -> Series:
    """(5, H) mean labels of a pair's rows by fifth of the column; NaN for a fifth without rows."""
    whole = np.isfinite(values) & np.isfinite(labels).all(axis=1)
    out = np.full((len(FIFTHS), labels.shape[1]), np.nan)
    if whole.any():
        rank = stats.rankdata(values[whole]) / (whole.sum() + 1.0)
        number = np.minimum((rank * len(FIFTHS)).astype(np.int64), len(FIFTHS) - 1)
        for fifth in np.unique(number):
            out[fifth] = labels[whole][number == fifth].mean(axis=0)
    return out


def _by_session(values: Mapping[str, Series], session: NDArray[np.str_]) -> pd.DataFrame:
    rows: dict[str, dict[str, Any]] = {}
    every = np.concatenate(list(values.values()))
    names = np.tile(session, len(values))
    for name in (*(n for n in conditions.SESSIONS if (session == n).any()), "all"):
        in_session = every if name == "all" else every[names == name]
        finite = in_session[np.isfinite(in_session)]
        low, middle, high = np.quantile(finite, [0.05, 0.5, 0.95]) if len(finite) else [np.nan] * 3
        rows[name.replace("_", " ")] = {
            "rows": len(in_session),
            "absent": f"{1.0 - len(finite) / max(len(in_session), 1):.1%}",
            "mean": float(finite.mean()) if len(finite) else np.nan,
            "deviation": float(finite.std()) if len(finite) else np.nan,
            "5 %": float(low),
            "median": float(middle),
            "95 %": float(high),
        }
    return pd.DataFrame(rows).T.rename_axis("session")


def _nearest(
    history: History, column: Column, others: Sequence[Column], *, fold: Fold, params: Params
) -> pd.DataFrame:
    beside = [other for other in others if other.name != column.name]
    columns = (column, *beside)
    rows = rows_of(fold, columns, params.stride)
    x = history.matrix(columns, rows, samples.fits_of(history.bars, columns, fold))
    alike = likeness_of(x)[0, 1:]
    order = [i for i in np.argsort(-alike, kind="stable") if alike[i] > 0]
    near = [i for i in order if alike[i] >= COPY]
    listed = order[: max(NEAREST, len(near))]
    return pd.DataFrame(
        {
            "rank correlation": alike[listed].astype(float),
            "near copy": ["yes" if i in near else "" for i in listed],
            "what it is": [beside[i].feature.title for i in listed],
        },
        index=pd.Index([beside[i].name for i in listed], name="column"),
    )
