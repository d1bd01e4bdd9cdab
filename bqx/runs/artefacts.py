"""Every artefact of a run folder: where it lies, which notebook makes it, and what it holds.

What an artefact must hold is checked when it is written and when it is read; an artefact may hold
more. ``BARS.path(pair="eurusd")`` is its path in the folder, ``BARS.read(run, pair="eurusd")`` its
content after the run has checked its hash and that nothing it was made from has changed since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from bqx.errors import ArtefactError
from bqx.files import read_json, read_parquet

KINDS = {"time": "M", "integer": "iu", "number": "f", "flag": "b", "text": "OU"}
"""Kinds of columns, and NumPy's letters of the types that they may have."""


class Source(Protocol):
    """A run, or one of its stages at work."""

    def need(self, relative: str) -> Path:
        """Path of an artefact after checking it."""


class Sink(Protocol):
    """A stage at work."""

    def write_json(self, relative: str, value: Any) -> None:
        """Write and record a JSON artefact."""

    def write_parquet(self, relative: str, frame: pd.DataFrame) -> None:
        """Write and record a Parquet artefact."""


@dataclass(frozen=True)
class Artefact:
    """A file, or a folder with its files.

    ``pattern`` : path in the run folder, names in braces; ``maker`` : the notebook.
    """

    pattern: str
    maker: str

    @property
    def root(self) -> str:
        """First part of the path: the folder of an artefact of many files."""
        return self.pattern.partition("/")[0]

    def path(self, **names: object) -> str:
        """Path relative to the run folder."""
        return self.pattern.format(**names)

    def at(self, source: Source, **names: object) -> Path:
        """Where it lies, once the source has checked it."""
        return source.need(self.path(**names))

    def _check(self, where: str, expected: Sequence[str], present: Sequence[str]) -> None:
        absent = [name for name in expected if name not in present]
        if absent:
            raise ArtefactError(
                f"{where}: {absent[0]!r} is missing, got {', '.join(map(str, present)) or 'none'}; "
                f"expected {', '.join(expected)}. Run {self.maker} again."
            )


@dataclass(frozen=True)
class Record(Artefact):
    """A JSON object with at least these ``keys``; none of them asks for an object of any keys."""

    keys: tuple[str, ...] = ()

    def read(self, source: Source, **names: object) -> Any:
        """The content, checked."""
        path = self.path(**names)
        return self._checked(read_json(source.need(path)), path)

    def write(self, stage: Sink, value: Any, **names: object) -> None:
        """Check and write."""
        path = self.path(**names)
        stage.write_json(path, self._checked(value, path))

    def _checked(self, value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            self._check(path, ("an object",), (type(value).__name__,))
        self._check(path, self.keys, tuple(value))
        return value


@dataclass(frozen=True)
class Records(Record):
    """A JSON list of objects with at least these ``keys``."""

    def _checked(self, value: Any, path: str) -> Any:
        if not isinstance(value, list):
            self._check(path, ("a list",), (type(value).__name__,))
        for row in value:
            if row is not None:
                super()._checked(row, path)
        return value


@dataclass(frozen=True)
class Table(Artefact):
    """A Parquet file with at least these columns, each of a kind of `KINDS`."""

    columns: Mapping[str, str]

    def read(self, source: Source, **names: object) -> pd.DataFrame:
        """The content, checked."""
        path = self.path(**names)
        return self._checked(read_parquet(source.need(path)), path)

    def write(self, stage: Sink, frame: pd.DataFrame, **names: object) -> None:
        """Check and write."""
        path = self.path(**names)
        stage.write_parquet(path, self._checked(frame, path))

    def _checked(self, frame: pd.DataFrame, path: str) -> pd.DataFrame:
        self._check(path, tuple(self.columns), tuple(map(str, frame.columns)))
        for name, kind in self.columns.items() if len(frame) else ():
            if frame[name].dtype.kind not in KINDS[kind]:
                raise ArtefactError(
                    f"{path}: column {name!r} has a wrong type, got {frame[name].dtype}; expected "
                    f"{kind}. Run {self.maker} again."
                )
        return frame


def roots(*artefacts: Artefact) -> list[str]:
    """Folders and files of artefacts, as a stage's inputs."""
    return [artefact.root for artefact in artefacts]


_CELL = {"pair": "text", "horizon": "integer"}
_FORECASTS = {
    "ts_utc": "time", "fold": "integer", "horizon": "integer",
    "forecast": "number", "raw": "number", "reach": "number", "naive": "number",
}  # fmt: skip
_LOSSES = {"day": "integer", "loss": "number", "known_loss": "number"}
_RATES = ("open", "high", "low", "close", "volume", "spread")
_SHARPE = ("net_sharpe", "net_sharpe_lo", "net_sharpe_hi")

BARS = Table("bars/{pair}.parquet", "01_bars", dict.fromkeys(_RATES, "number") | {"filled": "flag"})
PLANTED = Table("bars/planted.parquet", "01_bars", {"decay": "number"})
DATASET = Record("bars/dataset.json", "01_bars", ("pairs", "market"))

FEATURES = Artefact("features", "02_features")
CATALOG = Records("catalog.json", "02_features", ("name", "table", "unit", "lookback"))

RECONCILIATION = Record("reconciliation.json", "03_reconciliation", ("tables", "totals"))

COLUMNS = Record("columns.json", "04_lagging", ("parameters", "columns"))

SPLIT = Record("split.json", "05_selection", ("parameters", "horizon", "lookback", "folds"))
SELECTION = Records(
    "selection/{pair}.json", "05_selection",
    ("columns", "importance", "permutation", "shap", "share", "needed", "candidates", "dropped"),
)  # fmt: skip
SHARED = Records("selection/shared.json", "05_selection")
STABILITY = Records("selection/stability.json", "05_selection", ("pair", "fold", "kuncheva"))

FITS = Artefact("candidates/{model}/{pair}", "06_training")
"""A model's fits of a pair: the bundle of every fold, and the three below."""
FIT = Artefact("candidates/{model}/{pair}/{fold}", "06_training")
FIT_EVIDENCE = Records(
    "candidates/{model}/{pair}/evidence.json", "06_training", ("fold", "betas", "t", "critical")
)
FIT_VALIDATED = Table(
    "candidates/{model}/{pair}/validated.parquet", "06_training",
    _LOSSES | {"fold": "integer", "horizon": "integer"},
)  # fmt: skip
FIT_FORECASTS = Table("candidates/{model}/{pair}/forecasts.parquet", "06_training", _FORECASTS)
FIT_SETTINGS = Record("candidates/{model}/settings.json", "06_training")
CHOICE = Record("candidates/choice.json", "06_training", ("used", "steps"))
FIT_ERRORS = Table(
    "candidates/errors.parquet", "06_training",
    _LOSSES | _CELL | {"raw_loss": "number", "spread": "number", "model": "text"},
)  # fmt: skip

FORECASTS = Table("forecasts/{pair}.parquet", "06_training", _FORECASTS)
EVIDENCE = Records("forecasts/{pair}.json", "06_training", FIT_EVIDENCE.keys)
SCORES = Records(
    "forecasts/cells.json", "06_training",
    ("pair", "horizon", "skill", "skill_lo", "skill_hi", "unshrunk_skill", "coverage"),
)  # fmt: skip
ERRORS = Table("forecasts/errors.parquet", "06_training", _LOSSES | _CELL)
SCORES_BY_CONDITION = Records(
    "forecasts/conditions.json", "06_training", ("pair", "horizon", "condition", "value", "skill")
)
CONDITIONS = Table(
    "conditions/{pair}.parquet", "06_training",
    {"session": "text", "volatility": "text", "trend": "text"},
)  # fmt: skip
MODEL = Artefact("models/{pair}", "06_training")

BUNDLE = Artefact("bundles/{pair}", "07_deployment")

ACCOUNT = Table(
    "backtest/{pair}.parquet", "08_backtest",
    {"day": "integer", "gross": "number", "cost": "number", "net": "number"} | _CELL,
)  # fmt: skip
CELLS = Records("backtest/cells.json", "08_backtest", ("pair", "horizon", "reason", *_SHARPE))
COMPARATORS = Records(
    "backtest/comparators.json", "08_backtest", ("signal", "horizon", "trades", *_SHARPE)
)
NETTING = Records("backtest/netting.json", "08_backtest", ("netting", "cost", "saved"))
PROMOTION = Records(
    "backtest/promotion.json", "08_backtest",
    ("pair", "horizon", "promoted", "reasons", "deflated", "pbo", "trials"),
)  # fmt: skip

DRIFT = Table(
    "drift/drift.parquet", "09_monitoring",
    {"feature": "text", "psi": "number", "drifted": "flag", "pair": "text", "fold": "integer"},
)  # fmt: skip

QUALITY = Table("quality/{name}.parquet", "10_quality", {"pair": "text"})

COMPARED = Record("models_compared/choice.json", "11_models", ("honest", "trials", "steps"))

REGISTERED = Records(
    "registry.json", "12_registry",
    ("pair", "version", "status", "model", "horizons", "reasons"),
)  # fmt: skip

SHAP = Table(
    "explanation/shap.parquet", "13_explanation",
    _CELL | {"column": "text", "domain": "text", "shap": "number", "fold": "integer"},
)  # fmt: skip
CURVES = Table(
    "explanation/curves.parquet", "13_explanation",
    {"rows": "integer", "seen": "number", "unseen": "number", "model": "text", "pair": "text"},
)  # fmt: skip

VERDICT = Record(
    "verdict.json", "the whole run", ("run", "horizons", "signals", "registry", "cells")
)
FIGURE = Artefact("figures/{name}.png", "the whole run")

EVERY = tuple(value for value in globals().copy().values() if isinstance(value, Artefact))

MAKERS = {artefact.root: artefact.maker for artefact in EVERY}
"""Notebook that makes each artefact, by the first part of its path."""
