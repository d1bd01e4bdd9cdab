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

    def read_in(self, folder: Path) -> Any:
        """The content in a folder, checked; for what no stage records, such as the verdict."""
        return self._checked(read_json(folder / self.path()), str(folder / self.path()))

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


def _keys(names: str) -> tuple[str, ...]:
    return tuple(names.split())


def _columns(**names: str) -> dict[str, str]:
    """Kinds of columns by name, from names by kind."""
    return {name: kind for kind, text in names.items() for name in text.split()}


_CELL = _columns(text="pair", integer="horizon")
_LOSSES = _columns(integer="day", number="loss known_loss")
_FORECASTS = _columns(time="ts_utc", integer="fold horizon", number="forecast raw reach naive")
_EVIDENCE = _keys("fold betas t")
_SHARPE = "net_sharpe net_sharpe_lo net_sharpe_hi"

_01, _02, _03, _04 = "01_bars", "02_features", "03_reconciliation", "04_lagging"
_05, _06, _07, _08 = "05_selection", "06_training", "07_deployment", "08_backtest"
_09, _10, _11, _12 = "09_monitoring", "10_quality", "11_models", "12_registry"
_13, _14, _RUN = "13_explanation", "14_screening", "the whole run"

_RATES = _columns(number="open high low close volume spread", flag="filled")
BARS = Table("bars/{pair}.parquet", _01, _RATES)
PLANTED = Table("bars/planted.parquet", _01, _columns(number="decay"))
DATASET = Record("bars/dataset.json", _01, _keys("pairs market minutes examined notes"))

FEATURES = Artefact("features", _02)
CATALOG = Records("catalog.json", _02, _keys("name table unit lookback"))

RECONCILIATION = Record("reconciliation.json", _03, _keys("tables totals grids statements"))

COLUMNS = Record("columns.json", _04, _keys("parameters columns"))

SPLIT = Record("split.json", _05, _keys("parameters horizon lookback rows folds"))
_CHOSEN = _keys("columns importance permutation shap share needed candidates dropped")
SELECTION = Records("selection/{pair}.json", _05, _CHOSEN)
LEARNT = Records("selection/fits.json", _05, _keys("shared own"))
"""What fitted families have learnt on each fold: of all pairs together, and of each pair."""
SCREENS = Records("selection/pooled.json", _05, _keys("columns strength candidates dropped"))
"""Columns of pooled models, a fold each."""
STABILITY = Records("selection/stability.json", _05, _keys("pair fold jaccard kuncheva"))

FITS = Artefact("candidates/{model}/{pair}", _06)
"""A model's fits of a pair: the bundle of every fold, and the three below."""
FIT = Artefact("candidates/{model}/{pair}/{fold}", _06)
FIT_EVIDENCE = Records("candidates/{model}/{pair}/evidence.json", _06, _EVIDENCE)
_VALIDATED = _LOSSES | _columns(integer="fold horizon")
FIT_VALIDATED = Table("candidates/{model}/{pair}/validated.parquet", _06, _VALIDATED)
FIT_FORECASTS = Table("candidates/{model}/{pair}/forecasts.parquet", _06, _FORECASTS)
FIT_SETTINGS = Record("candidates/{model}/settings.json", _06)
CHOICE = Record("candidates/choice.json", _06, _keys("used steps"))
_BY_MODEL = _LOSSES | _CELL | _columns(number="raw_loss target_loss spread", text="model")
FIT_ERRORS = Table("candidates/errors.parquet", _06, _BY_MODEL)

FORECASTS = Table("forecasts/{pair}.parquet", _06, _FORECASTS)
EVIDENCE = Records("forecasts/{pair}.json", _06, _EVIDENCE)
_SCORES = _keys("pair horizon skill skill_lo skill_hi unshrunk_skill coverage")
SCORES = Records("forecasts/cells.json", _06, _SCORES)
ERRORS = Table("forecasts/errors.parquet", _06, _LOSSES | _CELL)
"""Squared errors in sigma by day."""
_PRODUCTS = _CELL | _columns(integer="fold day rows", number="product power label")
PRODUCTS = Table("forecasts/products.parquet", _06, _PRODUCTS)
_CLAIMS = _keys("level fold pair horizon t bound claimed noise signal days")
CLAIMS = Records("forecasts/claims.json", _06, _CLAIMS)
_BY_CONDITION = _keys("pair horizon condition value skill coverage")
SCORES_BY_CONDITION = Records("forecasts/conditions.json", _06, _BY_CONDITION)
CONDITIONS = Table("conditions/{pair}.parquet", _06, _columns(text="session volatility trend"))
MODEL = Artefact("models/{pair}", _06)

_ACCOUNT = _CELL | _columns(integer="day trades", number="gross cost net turnover")
ACCOUNT = Table("backtest/{pair}.parquet", _08, _ACCOUNT)
CELLS = Records("backtest/cells.json", _08, _keys(f"pair horizon reason {_SHARPE}"))
COMPARATORS = Records("backtest/comparators.json", _08, _keys(f"signal horizon trades {_SHARPE}"))
NETTING = Records("backtest/netting.json", _08, _keys("netting cost saved"))
_DECISION = _keys("pair horizon promoted reasons deflated pbo configurations trials")
PROMOTION = Records("backtest/promotion.json", _08, _DECISION)

_DRIFT = _columns(text="feature pair", number="psi threshold", flag="drifted", integer="fold")
DRIFT = Table("drift/drift.parquet", _09, _DRIFT)
MONITORED = Record("drift/days.json", _09, _keys("fold sentence days"))
"""What the daily check says of each test day of the last fold."""

QUALITY = Table("quality/{name}.parquet", _10, _columns(text="pair"))

COMPARED = Record("models_compared/choice.json", _11, _keys("honest trials steps models"))

BUNDLE = Artefact("bundles/{pair}", _12)
_REGISTERED = _keys("pair version status model horizons reasons")
REGISTERED = Records("registry.json", _12, _REGISTERED)

_DEPLOYED = _keys("pair version status archive sha256")
DEPLOYED = Records("deployment.json", _07, _DEPLOYED)

_SHAP = _CELL | _columns(text="column domain model", number="shap", integer="fold")
SHAP = Table("explanation/shap.parquet", _13, _SHAP)
_CURVES = _columns(integer="rows", number="seen unseen", text="model pair")
CURVES = Table("explanation/curves.parquet", _13, _CURVES)

_TESTS = _columns(text="scope column", integer="horizon", number="ic t p fdr")
SCREENED = Table("screening/tests.parquet", _14, _TESTS)
_SCREENED = _columns(text="column copy_of", integer="peak", number="turnover kept fifths sessions")
SCREENED_COLUMNS = Table("screening/columns.parquet", _14, _SCREENED)
_STEADINESS = _columns(text="part column", integer="horizon", number="ic")
SCREENED_PARTS = Table("screening/parts.parquet", _14, _STEADINESS)
_SCREENING = _keys("days rows columns tests earlier level named")
SCREENING = Record("screening/screen.json", _14, _SCREENING)

_VERDICT = _keys(
    "run information tradable promoted headline lines horizons folds signals registry cells"
)
VERDICT = Record("verdict.json", _RUN, _VERDICT)
SHEET = Artefact("verdict.pdf", _RUN)
"""The verdict on one page."""
FIGURE = Artefact("figures/{name}.png", _RUN)

EVERY = tuple(value for value in globals().copy().values() if isinstance(value, Artefact))

MAKERS = {artefact.root: artefact.maker for artefact in EVERY}
"""Notebook that makes each artefact, by the first part of its path."""
