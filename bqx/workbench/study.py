"""A study: bars and parameters, and what a cell asks of them.

Everything is computed by the functions that a run's stages use, in memory and in this process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.causality.certificate import CUTS, Certificate, certify
from bqx.errors import ParameterError
from bqx.evaluation import screening
from bqx.evaluation.column_screen import days_of, mean_over
from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import pooled, samples, split, training
from bqx.learning import screening as pooled_columns
from bqx.learning.fold_fit import Learnt, learn_fold
from bqx.learning.folds import Fold
from bqx.learning.models import Model
from bqx.learning.targets import Target, known_direction, known_share, make
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params, from_settings
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages.bars import load, read_bars
from bqx.stages.features import histories
from bqx.workbench.columns import Wanted, columns_of, described
from bqx.workbench.estimator import model_of
from bqx.workbench.forecasts import Forecasts
from bqx.workbench.splitter import Part, PurgedFolds

CELL = ["column", "horizon (min)"]
"""Index of a table of columns and horizons."""


@dataclass(frozen=True, repr=False)
class Study:
    """Bars of some pairs on one grid, and the parameters that target, folds and costs follow.

    ``bars`` : by pair, on the same rows.
    ``params`` : see ``bqx params``; the keys are those of a parameter file.
    ``published`` : place of the features that a run has published of these bars, empty for none.
    """

    bars: Mapping[str, Bars]
    params: Params = field(default_factory=Params)
    published: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.bars, Mapping) or not self.bars:
            raise ParameterError(
                f"study: no bars by pair, got {self.bars!r:.60}; expected those of bars.align. "
                "Study.read takes a folder or file."
            )

    @classmethod
    def of(cls, bars: Mapping[str, Bars], **settings: Any) -> Self:
        """A study of bars on one grid (`bars.align`); ``settings`` are parameters by key."""
        return cls(bars, from_settings(settings))

    @classmethod
    def read(cls, path: str | Path, **settings: Any) -> Self:
        """A study of a folder or file of bars, read as a run reads it."""
        params = from_settings({"pairs": (), **settings, "bars": str(path)})
        return cls(read_bars(params)[0], params)

    @classmethod
    def simulated(cls, market: str = "planted", **settings: Any) -> Self:
        """A study of the synthetic market: ``null``, or one with a signal such as ``planted``."""
        params = from_settings({**settings, "market": market})
        return cls(read_bars(params)[0], params)

    @classmethod
    def of_run(cls, folder: str | Path) -> Self:
        """A study of the bars of a run, with the parameters that its notebooks have settled."""
        run = Run.open(Path(folder).absolute(), Params())
        bars = load(run).bars
        place = next(iter(histories(run, bars).values())).place
        return cls(bars, settled(run), place)

    def only(self, pair: str, *pairs: str) -> Self:
        """The study of some of its pairs; their features still read all pairs of the bars."""
        return replace(self, bars={name: self._bars(name) for name in (pair, *pairs)})

    @property
    def pairs(self) -> tuple[str, ...]:
        """The pairs, most liquid first."""
        return tuple(self.bars)

    @property
    def minutes(self) -> NDArray[np.int64]:
        """(T,) epoch minutes of the rows."""
        return next(iter(self.bars.values())).minutes

    def targets(self, pair: str = "") -> dict[int, Target]:
        """Target of each horizon of a pair, the first pair where none is named."""
        return samples.targets_of(self._bars(pair), self.params)

    def labels(self, pair: str = "") -> pd.DataFrame:
        """(T, H) innovations in sigma, NaN where there is none; a column a horizon, minutes."""
        labels = samples.labels_of(self.targets(pair))
        return pd.DataFrame(labels, index=self._bars(pair).ts).rename_axis(columns="horizon (min)")

    def known(self) -> pd.DataFrame:
        """What a forecaster without information scores: R² and direction of BQX and its change."""
        rows = {}
        for horizon in self.params.horizons:
            window = self.params.window(horizon)
            rows[horizon] = {
                "R² of the level": known_share(window, horizon),
                "R² of the change": known_share(window, horizon, "delta"),
                "direction of the change": known_direction(window, horizon),
                "skill": 0.0,
            }
        return pd.DataFrame(rows).T.rename_axis(index="horizon (min)")

    def features(self, *wanted: Wanted, pair: str = "") -> pd.DataFrame:
        """(T, C) columns of a pair, float32, indexed by ``ts_utc``; see `columns.columns_of`.

        ``attrs["columns"]`` holds the title, formula, unit and lookback of each. What a fitted
        family learns, it learns on the first fold's training rows.
        """
        columns = columns_of(wanted)
        return self._frame(columns, np.arange(len(self.minutes)), self.folds[0], pair)

    @cached_property
    def folds(self) -> PurgedFolds:
        """Folds by the parameters, purged for what the core profile looks back."""
        return self.folds_for()

    def folds_for(self, *wanted: Wanted) -> PurgedFolds:
        """Folds purged for what some columns and the labels look back."""
        columns = columns_of(wanted or ("core",))
        purged = split.make(self.params, self.minutes, columns)
        return PurgedFolds(purged.folds, self.minutes)

    def xy(
        self,
        *wanted: Wanted,
        fold: int | None = None,
        part: Part = "train",
        horizon: int = 0,
        pair: str = "",
    ) -> tuple[pd.DataFrame, pd.Series]:
        """Columns and the innovation in sigma on rows where the label and all columns are there.

        Parameters
        ----------
        fold, part : rows of a part of a fold; without a fold, all rows.
        horizon : minutes; the first one where none is named.

        Raises
        ------
        ParameterError : no such column, fold, part or horizon.
        """
        columns, horizon = columns_of(wanted), horizon or self.params.horizons[0]
        folds = self.folds_for(*columns)
        rows = np.arange(len(self.minutes)) if fold is None else folds.rows(fold, part)
        label = self._label(pair, horizon)
        rows = rows[np.isfinite(label[rows])]
        frame = self._frame(columns, rows, folds[fold or 0], pair)
        whole = np.isfinite(frame.to_numpy()).all(axis=1)
        y = pd.Series(label[rows][whole], frame.index[whole], name=f"innovation in {horizon} min")
        return frame[whole], y

    def certify(self, *wanted: Wanted, cuts: int = CUTS) -> Certificate:
        """Proof that columns read no later bar, on these bars; see `certificate.certify`."""
        features = tuple(dict.fromkeys(column.feature for column in columns_of(wanted)))
        return certify(self.bars, features, cuts)

    def screen(self, *wanted: Wanted) -> pd.DataFrame:
        """Information coefficient of each column with each horizon's innovation, pooled over pairs.

        Only rows before the first test row are looked at. One row per column and horizon: ``ic``,
        its ``t`` and ``p`` from sums over days, and ``fdr`` over all that were looked at, sorted
        by it.
        """
        columns, fold = columns_of(wanted), self.folds_for(*wanted)[0]
        rows = np.concatenate((fold.train, fold.validation))
        _, block = np.unique(days_of(self.minutes[rows], self.params), return_inverse=True)
        horizons, sums = self.params.horizons, []
        for pair in self.pairs:
            values = self._matrix(columns, rows, fold, pair)
            labels = self.labels(pair).to_numpy()[rows]
            sums.append(screening.day_products(values, labels, block))
        ic, t, p = screening.tested(mean_over(sums))
        cells = pd.MultiIndex.from_product(([c.name for c in columns], horizons), names=CELL)
        frame = pd.DataFrame({"ic": ic.ravel(), "t": t.ravel(), "p": p.ravel()}, index=cells)
        frame["fdr"] = screening.false_discovery_rate(p.ravel())
        return described(frame.sort_values(["fdr", "p"]), columns)

    def fit(self, model: Any, *wanted: Wanted) -> Forecasts:
        """Fit a model to every pair and fold, and forecast the test rows.

        Its forecasts are kept as far as the validation rows support them, as in a run.

        Parameters
        ----------
        model : name, bqx model, or estimator of scikit-learn, see `estimator.model_of`.
        wanted : columns that it reads.

        Raises
        ------
        ParameterError : too few rows to learn from, or see `estimator.model_of`.
        """
        columns, unfitted = columns_of(wanted), model_of(model, self.params)
        folds = samples.share(self.bars, columns, self.folds_for(*columns).folds)
        if unfitted.POOLED:
            learnt = self._learnt_together(unfitted, columns, folds)
        else:
            learnt = {pair: self._learnt(pair, unfitted, columns, folds) for pair in self.bars}
        evidence = training.weigh_all(learnt, self.params)
        results = {
            pair: training.keep_pair(pair_bars, folds, learnt[pair], evidence[pair], self.params)
            for pair, pair_bars in self.bars.items()
        }
        return Forecasts(self.bars, self.params, results)

    def _learnt(
        self, pair: str, model: Model, columns: tuple[Column, ...], folds: tuple[Fold, ...]
    ) -> tuple[Learnt, ...]:
        history, targets, params = self._history(pair), self.targets(pair), self.params
        return tuple(
            learn_fold(
                history, columns, fold, model=model.unfitted(), targets=targets, params=params
            )
            for fold in folds
        )

    def _learnt_together(
        self, model: Model, columns: tuple[Column, ...], folds: tuple[Fold, ...]
    ) -> dict[str, tuple[Learnt, ...]]:
        histories_by_pair = {pair: self._history(pair) for pair in self.bars}
        screens = pooled_columns.screen_all(histories_by_pair, columns, folds, self.params)
        return pooled.learn_all(
            histories_by_pair, columns, folds, screens=screens, params=self.params, name=model.NAME
        )

    def _bars(self, pair: str) -> Bars:
        pair = pair or self.pairs[0]
        if not isinstance(pair, str) or pair not in self.bars:
            raise ParameterError(
                f"pair: not in the study, got {pair!r}; expected one of {', '.join(self.bars)}."
            )
        return self.bars[pair]

    def _label(self, pair: str, horizon: int) -> NDArray[np.float64]:
        if horizon not in self.params.horizons:
            raise ParameterError(
                f"horizon: not in the study, got {horizon!r}; expected one of "
                f"{', '.join(map(str, self.params.horizons))}. Name it under horizons."
            )
        target = make(self._bars(pair), self.params.window(horizon), horizon)
        return target.label("innovation")

    def _matrix(
        self, columns: tuple[Column, ...], rows: NDArray[np.int64], fold: Fold, pair: str
    ) -> NDArray[np.float32]:
        history = self._history(pair)
        return history.matrix(columns, rows, samples.fits_of(history.bars, columns, fold))

    def _history(self, pair: str) -> History:
        return History(self._bars(pair), self.published)

    def _frame(
        self, columns: tuple[Column, ...], rows: NDArray[np.int64], fold: Fold, pair: str
    ) -> pd.DataFrame:
        values = self._matrix(columns, rows, fold, pair)
        names = [column.name for column in columns]
        return described(pd.DataFrame(values, self._bars(pair).ts[rows], names), columns)

    def summary(self) -> pd.DataFrame:
        """One row per pair: rows, quoted, carried over and missing minutes, first and last bar."""
        rows = {}
        for pair, pair_bars in self.bars.items():
            rows[pair] = {
                "rows": len(pair_bars),
                "carried over": int(pair_bars.frame["filled"].sum()),
                "missing": int(np.isnan(pair_bars.close).sum()),
                "from": pair_bars.ts[0],
                "to": pair_bars.ts[-1],
            }
        return pd.DataFrame(rows).T.rename_axis(index="pair")

    def __repr__(self) -> str:
        first, last = sessions.timestamps(self.minutes[[0, -1]]).strftime("%Y-%m-%d")
        horizons = ", ".join(map(str, self.params.horizons))
        extent = f"{len(self.minutes):,} minutes from {first} to {last}"
        return f"Study of {', '.join(self.pairs)}: {extent}, horizons {horizons}"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.summary().to_html()}"
