"""What is deployed of a pair: model, columns and what ties them to bars, without pickle.

A bundle is a folder: ``bundle.json``, the model's folder, whose manifest's hash ``bundle.json``
holds, and ``baseline/``, the statistics by which it is monitored. Hashes are checked before a model
is parsed, since the parser trusts its input.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ArtefactError, RequestError
from bqx.features import catalog
from bqx.features.engine.fitting import Fits
from bqx.features.engine.requirements import needs
from bqx.features.lags import Column
from bqx.features.newest_columns import NewestColumns
from bqx.files import check_seal, digest, read_json, sealed, sha256, write_json
from bqx.learning import bundle_checks, models, targets
from bqx.learning.baseline_files import StoredBaseline
from bqx.learning.conformal import Calibration
from bqx.learning.models import Model, artefact, point
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS
from bqx.market.sessions import timestamp
from bqx.params import Params

if TYPE_CHECKING:
    from bqx.learning.baseline import Baseline
    from bqx.learning.fold_fit import FoldFit

MANIFEST = "bundle.json"
MODEL = "model"
"""Folder of the model inside the bundle's."""


@dataclass(frozen=True)
class Prediction:
    """Forecast of BQX at one horizon: expected level, martingale and sigma in units of BQX.

    ``innovation`` is what the model adds to the martingale, in sigma; ``low`` and ``high`` are the
    ends of the level's interval as calibrated in training, NaN where that had no label.
    """

    window: int
    level: float
    martingale: float
    innovation: float
    sigma: float
    low: float
    high: float


@dataclass(frozen=True)
class Bundle:
    """The model of one pair and all that a forecast needs besides the bars.

    ``window`` : of the target, minutes, or ``matched``; ``betas`` : share of each horizon's
    forecast that is kept; ``baseline`` : of the rate index, quote units; ``panel`` : baselines of
    the other pairs whose closes its columns read; ``max_fill`` : longest hole that carries the
    last close, minutes; ``metrics`` : what the book says about it; ``baseline_statistics`` : by
    which it is monitored, None for none; ``content`` : hash of the manifest that it was read from,
    by which a registry knows it, empty for one that was not.
    """

    pair: str
    horizons: tuple[int, ...]
    window: int | str
    columns: tuple[Column, ...]
    fits: Fits
    betas: dict[int, float]
    model: Model
    calibration: dict[int, Calibration]
    baseline: float
    panel: dict[str, float]
    max_fill: int
    metrics: dict[str, Any]
    trained_until: datetime
    baseline_statistics: "Baseline | StoredBaseline | None" = None
    content: str = ""

    @cached_property
    def statistics(self) -> "Baseline | None":
        """What it is monitored by, read from its folder where it lies there."""
        statistics = self.baseline_statistics
        return statistics.read() if isinstance(statistics, StoredBaseline) else statistics

    @cached_property
    def lookback(self) -> int:
        """Market minutes of bars that a forecast needs, the last one included."""
        widest = max(self.window_of(horizon) for horizon in self.horizons)
        return max(widest + targets.RUN_IN + 1, *(column.lookback for column in self.columns))

    @property
    def identities(self) -> dict[str, str]:
        """Identity of the feature behind each column, by its name."""
        return catalog.identities(dict.fromkeys(column.feature for column in self.columns))

    @cached_property
    def columns_hash(self) -> str:
        """One hash of the columns and their identities, which answers show."""
        return digest([[column.name for column in self.columns], self.identities])

    def window_of(self, horizon: int) -> int:
        """Window of the target at a horizon, minutes."""
        return horizon if isinstance(self.window, str) else self.window

    def predict(self, bars: Bars) -> dict[int, Prediction]:
        """Forecasts of the last row by horizon; bars older than the lookback do not count.

        Raises
        ------
        RequestError : fewer rows than the lookback, or no volatility because of a long hole.
        """
        return self.forecasts(self.columns_of(bars), bars)

    def columns_of(self, bars: Bars) -> NDArray[np.float32] | None:
        """(1, C) columns of the last row, None where no horizon's forecast is kept."""
        if not any(self.betas.values()):
            return None
        return self._newest({self.pair: bars}, {self.pair: self.fits}, threads=1)[self.pair]

    def forecasts(self, x: NDArray[np.float32] | None, bars: Bars) -> dict[int, Prediction]:
        """Forecasts of the last row of some bars, given its (1, C) columns.

        Parameters
        ----------
        x : None where no horizon's forecast is kept.

        Raises RequestError as `predict` does.
        """
        need = self.lookback
        if len(bars) < need:
            raise RequestError(
                f"bars: too few, got {len(bars):,} market minutes; expected at least {need:,} up "
                "to the bar of the forecast. Send a longer history."
            )
        forecasts = np.zeros(len(self.horizons)) if x is None else point(self.model.predict(x))[0]
        out = {}
        for horizon, forecast in zip(self.horizons, forecasts, strict=True):
            window, beta = self.window_of(horizon), self.betas[horizon]
            martingale, sigma = targets.newest(bars, window, horizon)
            innovation = float(beta * forecast) if beta else 0.0
            level = martingale + sigma * innovation
            if not np.isfinite(level):
                raise RequestError(
                    f"bars: no volatility at {timestamp(bars.minutes[-1])}, got a hole of over "
                    f"{self.max_fill} minutes before; expected {targets.SPAN + window} minutes "
                    "since. Wait for more bars."
                )
            half_width = sigma * self.calibration[horizon].newest(int(bars.minutes[-1]), sigma)
            out[horizon] = Prediction(
                window=window,
                level=level,
                martingale=martingale,
                innovation=innovation,
                sigma=sigma,
                low=level - half_width,
                high=level + half_width,
            )
        return out

    @cached_property
    def _newest(self) -> NewestColumns:
        return NewestColumns({self.pair: self.columns})

    def _facts(self, model: Path, statistics: dict[str, str]) -> dict[str, Any]:
        """Content of the manifest beside a saved model."""
        return {
            "pair": self.pair,
            "model": sha256(model / artefact.MANIFEST),
            "horizons": self.horizons,
            "window": self.window,
            "columns": [
                {"feature": c.feature.name, "lag": c.lag, "suffix": c.suffix} for c in self.columns
            ],
            "identities": self.identities,
            "columns_hash": self.columns_hash,
            "fits": self.fits.to_json(),
            "betas": self.betas,
            "reach": {h: calibration.to_json() for h, calibration in self.calibration.items()},
            "baseline": self.baseline,
            "panel": self.panel,
            "max_fill": self.max_fill,
            "metrics": self.metrics,
            "trained_until": self.trained_until.isoformat(),
            "baseline_statistics": statistics,
        }

    def save(self, folder: Path) -> None:
        """Write the bundle; the folder appears, or is replaced, when everything is there."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary, replaced = (
            folder.with_name(f".{folder.name}{part}.{os.getpid()}.tmp") for part in ("", ".old")
        )
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            self.model.save(temporary / MODEL)
            statistics = self.statistics
            hashes = statistics.save(temporary) if statistics else {}
            write_json(temporary / MANIFEST, sealed(self._facts(temporary / MODEL, hashes)))
            if folder.exists():
                os.replace(folder, replaced)
            os.replace(temporary, folder)
            shutil.rmtree(replaced, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def bundle(bars: Bars, fit: "FoldFit", params: Params, metrics: dict[str, Any]) -> Bundle:
    """Bundle of a pair from one fold's fit, usually the last."""
    return Bundle(
        pair=bars.pair,
        horizons=params.horizons,
        window=params.target_window,
        columns=fit.columns,
        fits=fit.fits,
        betas=fit.evidence.betas,
        model=fit.model,
        calibration=fit.calibration,
        baseline=bars.baseline,
        panel=_panel(bars, fit.columns),
        max_fill=params.max_fill,
        metrics=metrics,
        trained_until=fit.trained_until,
    )


def _panel(bars: Bars, columns: Sequence[Column]) -> dict[str, float]:
    """Baselines of the other pairs of the bars' panel that the columns cannot do without."""
    if bars.panel is None:
        return {}
    baselines = dict(zip(PAIRS, bars.panel.baselines, strict=True))
    others = [pair for pair, b in baselines.items() if np.isfinite(b) and pair != bars.pair]
    features = tuple(dict.fromkeys(column.feature for column in columns))
    read = {pair for needed in needs(features, bars.pair, others).values() for pair in needed}
    return {pair: float(baselines[pair]) for pair in others if pair in read}


def load(folder: Path) -> Bundle:
    """Read a bundle.

    Raises
    ------
    ArtefactError : it is absent or incomplete, a file's hash differs, or one of its columns is
        computed by other code today.
    """
    path = folder / MANIFEST
    stored = read_json(path)
    try:
        check_seal(stored)
        bundle_checks.columns(path, stored)
        bundle_checks.values(path, stored)
        horizons = tuple(stored["horizons"])
        bundle_checks.file(folder / MODEL / artefact.MANIFEST, stored["model"])
        model = models.load(folder / MODEL)
        bundle_checks.forecast(path, model, len(stored["columns"]), len(horizons))
        return Bundle(
            pair=stored["pair"],
            horizons=horizons,
            window=stored["window"],
            columns=tuple(
                Column(catalog.FEATURES[item["feature"]], item["lag"], str(item["suffix"]))
                for item in stored["columns"]
            ),
            fits=Fits.from_json(stored["fits"]),
            betas={horizon: float(stored["betas"][str(horizon)]) for horizon in horizons},
            model=model,
            calibration={h: Calibration.from_json(stored["reach"][str(h)]) for h in horizons},
            baseline=float(stored["baseline"]),
            panel={pair: float(first) for pair, first in stored["panel"].items()},
            max_fill=stored["max_fill"],
            metrics=stored["metrics"],
            trained_until=datetime.fromisoformat(stored["trained_until"]),
            baseline_statistics=(
                StoredBaseline(folder, stored["baseline_statistics"])
                if stored.get("baseline_statistics")
                else None
            ),
            content=sha256(path),
        )
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, OSError) as error:
        raise ArtefactError(
            f"{path}: not a bundle, got {type(error).__name__} {error}; expected what "
            "12_registry writes. Run it again."
        ) from error
