"""What every model is: settings, a fit, forecasts, and the bytes that store it.

A model is a dataclass in a file of its own. The fields of its constructor are its settings, under
scikit-learn's words, so that ``sklearn.base.clone`` takes it; what a fit learns are fields without
``init``. Beside ``fit`` and ``predict`` it says by ``parts`` and ``restore`` what is stored of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.features.lags import Column
from bqx.learning.models import artefact
from bqx.learning.models.artefact import Parts
from bqx.learning.models.design import Design, Matrix
from bqx.params import Params

Vector = NDArray[np.float64]
Input = Matrix | Design
Weight = Vector | None
Later = tuple[Input, Vector] | None

ORDERS = 4
"""Orders of the columns, forwards and backwards, by which contributions are sampled."""
BACKGROUND = 50
"""Most rows that stand for a column that is left out."""


@dataclass(frozen=True)
class Range:
    """Values that a search may give a setting, whole numbers where ``low`` is one."""

    low: float
    high: float
    step: int | None = None
    log: bool = False


@dataclass(kw_only=True)
class Model:
    """An estimator of all horizons together.

    ``NAME`` : in parameters and artefacts; ``CODE`` : hash of the module of a model that is not
        registered, else empty.
    ``SPACE`` : range of each setting that a search chooses.
    ``RUN_KEYS`` : settings that a run's parameters give, with the parameter of each.
    ``EXTRA`` : packages of an extra that it needs.
    ``CHOOSES`` : whether validation rows choose a setting of it.
    ``POOLED`` : whether it is fitted to the rows of all pairs at once; `of` then gives each its
        own.
    """

    NAME: ClassVar[str]
    CODE: ClassVar[str] = ""
    SPACE: ClassVar[dict[str, Range]] = {}
    RUN_KEYS: ClassVar[dict[str, str]] = {"random_state": "seed"}
    EXTRA: ClassVar[tuple[str, ...]] = ()
    CHOOSES: ClassVar[bool] = True
    POOLED: ClassVar[bool] = False

    random_state: int = 0
    aside: dict[str, float] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Scores on validation rows of what it learns beside the forecast, by name."""

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns, NaN allowed, and (n, H) labels.

        Parameters
        ----------
        weight : (n,) of the rows, None for equal ones.
        validation : columns and labels of later rows, by which settings that need choosing are
            chosen; the choice stays in the setting, so that `unfitted` has it too.
        """
        raise NotImplementedError

    def predict(self, X: Input) -> Vector:
        """Forecasts (n, H) of (n, C) columns, or ascending quantiles (n, H, Q)."""
        raise NotImplementedError

    def of(self, pair: str) -> Self:
        """The model of one pair, of one that was fitted to several."""
        return self

    def parts(self) -> Parts:
        """What has been learnt, by file name; no pickles."""
        raise NotImplementedError

    def restore(self, parts: Parts) -> None:
        """Take over what ``parts`` gave."""
        raise NotImplementedError

    def contributions(self, X: Matrix, seed: int = 0) -> Vector:
        """(n, C, H) SHAP values: what each of (n, C) columns adds to each forecast.

        Sampled against the rows of ``X`` and exact in their sum, where a model has no way of its
        own: each column is put in after those before it, in random orders and their reverses.

        Source: Lundberg and Lee (2017).
        """
        draw = np.random.default_rng(seed)
        background = X[draw.permutation(len(X))[:BACKGROUND]]
        base = point(self.predict(background)).mean(axis=0)
        out = np.zeros((*X.shape, len(base)))
        orders = [draw.permutation(X.shape[1]) for _ in range(ORDERS)]
        orders += [order[::-1] for order in orders]
        for order in orders:
            filled = background[draw.integers(len(background), size=len(X))].copy()
            before = point(self.predict(filled))
            excess = base - before
            for column in order:
                filled[:, column] = X[:, column]
                after = point(self.predict(filled))
                out[:, column] += after - before
                before = after
            # What the drawn rows differ from the mean is nobody's; shared, the sum stays exact.
            out -= excess[:, None, :] / X.shape[1]
        return out / len(orders)

    def reads(self, columns: Sequence[Column]) -> tuple[Column, ...]:
        """Columns that it reads where some are chosen."""
        return tuple(columns)

    @property
    def past(self) -> int:
        """Columns that it reads for each one that is chosen, the present one last."""
        return 1

    def get_params(self, deep: bool = False) -> dict[str, Any]:
        """Settings by name, as scikit-learn asks for them."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.init}

    def unfitted(self) -> Self:
        """A model with the same settings, those that a validation part chose included."""
        return type(self)(**self.get_params())

    @classmethod
    def from_params(cls, params: Params, **settings: Any) -> Self:
        """An unfitted model with a run's parameters; ``settings`` win over them."""
        return cls(**{name: getattr(params, key) for name, key in cls.RUN_KEYS.items()} | settings)

    def settings(self) -> dict[str, Any]:
        """Settings as JSON knows them, for `from_settings`."""
        return self.get_params()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """An unfitted model of stored settings."""
        return cls(**settings)

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        about = {"model": self.NAME, "code": self.CODE, "settings": self.settings()}
        artefact.save(folder, about, self.parts())


def point(forecast: Vector) -> Vector:
    """(n, H) point forecasts: those given, or the middle one of (n, H, Q) quantiles.

    Raises ParameterError where a model gives another shape.
    """
    if np.ndim(forecast) not in (2, 3):
        raise ParameterError(
            f"models: a forecast of another shape, got {np.shape(forecast)}; expected one value "
            "per row and horizon. Mend the model's predict."
        )
    return forecast if forecast.ndim == 2 else forecast[:, :, forecast.shape[2] // 2]


def forecasts(model: Model, x: Matrix, horizons: int) -> Vector:
    """(n, H) point forecasts of (n, C) columns.

    Raises ParameterError for another shape, and for one that is no number or too large for one.
    """
    given = point(model.predict(x))
    if given.shape != (len(x), horizons):
        raise ParameterError(
            f"models: forecasts of another shape, got {given.shape} of {model.NAME}; expected "
            f"({len(x)}, {horizons}), one per row and horizon. Mend the model's predict."
        )
    wrong = ~(np.abs(given) < np.finfo(np.float32).max)
    if wrong.any():
        raise ParameterError(
            f"models: forecasts that are no numbers, got {given[wrong][0]} and "
            f"{wrong.sum() - 1:,} more of {wrong.size:,} of {model.NAME}; expected a finite "
            "one for every row, absent columns or not. Mend the model's fit or predict."
        )
    return given
