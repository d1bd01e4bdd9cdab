"""Notebook 14: what every candidate column says of the innovation, on rows that no fold tests."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bqx.evaluation import column_screen, screening
from bqx.evaluation.column_screen import ALL
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts, known_trials, screens
from bqx.runs.artefacts import Source
from bqx.runs.run import Run, Stage
from bqx.runs.screens import ScreenTrials
from bqx.runs.settled import settled
from bqx.stages import selection
from bqx.stages.bars import load
from bqx.stages.features import histories
from bqx.stages.lagging import columns_of

NAME = "14_screening"

LEVEL = 0.05
"""False discovery rate at which a column is named."""


@dataclass(frozen=True, eq=False)
class Screening:
    """What a screen found.

    ``tests`` : one row per scope, column and horizon: ic, t, p, and fdr over all tests, those of
        earlier screens among them; ``columns``, ``steadiness`` : see `column_screen.Screen`.
    ``facts`` : days, rows, columns, tests, earlier, named.
    """

    tests: pd.DataFrame
    columns: pd.DataFrame
    steadiness: pd.DataFrame
    facts: dict[str, int]

    @property
    def named(self) -> tuple[str, ...]:
        """Columns of which a test holds at `LEVEL`, the surest first."""
        significant = self.tests[self.tests["fdr"] <= LEVEL].sort_values(
            ["fdr", "p"], kind="stable"
        )
        return tuple(dict.fromkeys(significant["column"]))

    def sentence(self) -> str:
        """What came of it, in one sentence of two lines."""
        seen = (
            f"{self.facts['columns']:,} columns on {self.facts['days']} days, "
            f"{self.facts['tests']:,} tests"
            + (f" and {before:,} of earlier screens" if (before := self.facts["earlier"]) else "")
        )
        names = len(self.named)
        outcome = f"{names:,} named" if names else "none named"
        return f"{seen}:\n{outcome} at a false discovery rate of {LEVEL:.0%}."

    def leading(self, count: int = 20) -> pd.DataFrame:
        """The surest columns over all pairs, each at its surest horizon, copies left out."""
        about = self.columns.set_index("column")
        pooled_tests = self.tests[self.tests["scope"] == ALL].sort_values(
            ["fdr", "p"], kind="stable"
        )
        best = pooled_tests.dropna(subset="p").drop_duplicates("column").set_index("column")
        best = best[about.loc[best.index, "copy_of"] == ""].head(count)
        copies, about = about["copy_of"].value_counts(), about.loc[best.index]
        return pd.DataFrame(
            {
                "horizon (min)": best["horizon"],
                "IC": best["ic"],
                "t": best["t"],
                "false discovery rate": best["fdr"],
                "left at the longest": about["kept"],
                "fifths that agree": about["fifths"],
                "sessions that agree": about["sessions"],
                "turnover": about["turnover"],
                "near copies": copies.reindex(best.index, fill_value=0),
            }
        )

    def decay(self, count: int = 15, scope: str = ALL) -> pd.DataFrame:
        """Coefficients of the leading columns by horizon."""
        return self._by(self.tests[self.tests["scope"] == scope], "horizon", count)

    def by_pair(self, count: int = 15) -> pd.DataFrame:
        """Coefficients of the leading columns by pair, each at its surest horizon."""
        return self._by(self._at_best(self.tests, count), "scope", count)

    def steady(self, count: int = 15) -> pd.DataFrame:
        """Coefficients of the leading columns by fifth of the days and by session."""
        table = self._by(self._at_best(self.steadiness, count), "part", count)
        return table.rename(columns=lambda name: name.removeprefix("fifth ").replace("_", " "))

    def _at_best(self, frame: pd.DataFrame, count: int) -> pd.DataFrame:
        best = self.leading(count)["horizon (min)"]
        return frame[frame["horizon"] == frame["column"].map(best)]

    def _by(self, frame: pd.DataFrame, name: str, count: int) -> pd.DataFrame:
        names = self.leading(count).index
        order = list(dict.fromkeys(frame[name]))
        table = frame[frame["column"].isin(names)].pivot(index="column", columns=name, values="ic")
        axis = "horizon (min)" if name == "horizon" else ""
        return table.loc[names, order].rename_axis(index="column", columns=axis)


def build(params: Params) -> Screening:
    """Screen every candidate column, record the tests in the ledger, and store them.

    Raises ParameterError for too few days before the first test row.
    """
    run = Run.open(params.folder, params)
    params = settled(run, NAME)
    dataset = load(run)
    inputs = artefacts.roots(artefacts.BARS, artefacts.COLUMNS, artefacts.SPLIT)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], [*inputs, artefacts.LEARNT.path()]) as stage:
        columns = columns_of(stage)
        fold = selection.fitted_folds(stage, dataset)[0]
        screen = column_screen.screen_all(histories(run, dataset.bars), columns, fold, params)
        looked_at = column_screen.rows_of(fold, columns, params.stride)[[0, -1]]
        first, last = map(int, dataset.minutes[looked_at])
        scopes = (ALL, *dataset.bars)
        trials = ScreenTrials(
            bars=replace(known_trials.span(run), first=first, last=last),
            window=str(params.target_window),
            scopes=scopes,
            columns=np.array([screens.number_of(column) for column in columns], np.int64),
            horizons=params.horizons,
            p=screen.tests["p"].to_numpy(np.float32).reshape(len(scopes), len(columns), -1),
        )
        overlapping = [s for s in known_trials.known(run).screens if s.bars.overlaps(trials.bars)]
        before = screens.earlier(trials, overlapping)
        known_trials.screen(run.folder, trials)
        p = np.concatenate((screen.tests["p"].to_numpy(), before))
        tests = screen.tests.assign(fdr=screening.false_discovery_rate(p)[: len(screen.tests)])
        facts = {
            "days": screen.days,
            "rows": screen.rows,
            "columns": len(columns),
            "tests": int(screen.tests["p"].notna().sum()),
            "earlier": len(before),
        }
        screened = Screening(tests, screen.columns, screen.steadiness, facts)
        _write(stage, screened)
    return screened


def _write(stage: Stage, screened: Screening) -> None:
    artefacts.SCREENED.write(stage, screened.tests)
    artefacts.SCREENED_COLUMNS.write(stage, screened.columns)
    artefacts.SCREENED_PARTS.write(stage, screened.steadiness)
    named = list(screened.named)
    artefacts.SCREENING.write(stage, screened.facts | {"level": LEVEL, "named": named})


def read(source: Source) -> Screening:
    """The stored screen of a run."""
    facts = artefacts.SCREENING.read(source)
    return Screening(
        tests=artefacts.SCREENED.read(source),
        columns=artefacts.SCREENED_COLUMNS.read(source),
        steadiness=artefacts.SCREENED_PARTS.read(source),
        facts={name: facts[name] for name in ("days", "rows", "columns", "tests", "earlier")},
    )
