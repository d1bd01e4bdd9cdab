"""An estimator of scikit-learn as a model of all horizons."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from bqx.errors import ParameterError
from bqx.learning.models import Model, make
from bqx.learning.models.base import Input, Later, Vector, Weight
from bqx.learning.models.design import Design
from bqx.params import Params


@dataclass(kw_only=True)
class Estimator(Model):
    """A regressor or pipeline, fitted anew for each horizon.

    Sample weights reach it where its ``fit`` takes them. It cannot be stored: a model that a run
    trains and serves is a class of its own, see ``book/change.md``.
    """

    NAME: ClassVar[str] = "estimator"
    RUN_KEYS: ClassVar[dict[str, str]] = {}

    estimator: Any

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit a clone of the estimator to each horizon's labels.

        Raises ParameterError where it takes no absent values and a column has some.
        """
        takes_weight = weight is not None and has_fit_parameter(self.estimator, "sample_weight")
        rest = {"sample_weight": weight} if takes_weight else {}
        with _absent_named(_values(X)):
            self._fitted = MultiOutputRegressor(clone(self.estimator)).fit(_values(X), y, **rest)
        return self

    def predict(self, X: Input) -> Vector:
        """Forecasts (n, H); raises ParameterError as `fit`."""
        with _absent_named(_values(X)):
            return np.asarray(self._fitted.predict(_values(X)), dtype=np.float64)


def _values(X: Input) -> Any:
    return X.values if isinstance(X, Design) else X


@contextmanager
def _absent_named(values: Any) -> Iterator[None]:
    """Say which of (n, C) columns have absent values where an estimator refuses NaN."""
    try:
        yield
    except ValueError as error:
        absent = np.isnan(values).mean(axis=0)
        if "NaN" not in str(error) or not absent.any():
            raise
        raise ParameterError(
            f"model: takes no absent values, got {np.count_nonzero(absent)} of {len(absent)} "
            f"columns with some, in up to {absent.max():.2%} of the rows; expected an estimator "
            "that takes them. Fill them before it: "
            "make_pipeline(SimpleImputer(), estimator)."
        ) from error


def model_of(model: Any, params: Params) -> Model:
    """A model by its name, a model, or an estimator of scikit-learn, as an unfitted model.

    Raises
    ------
    ParameterError : a name that is not registered, or something that cannot be fitted or copied.
    """
    if isinstance(model, str):
        return make(model, params)
    if isinstance(model, Model):
        return model.unfitted()
    if isinstance(model, type) and issubclass(model, Model):
        return model.from_params(params)
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "predict")):
        got = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise ParameterError(
            f"model: cannot be fitted, got {got}; expected a name such as ridge, a bqx model or an "
            "estimator of scikit-learn, such as Ridge()."
        )
    try:
        get_tags(clone(model))
    except (TypeError, RuntimeError, AttributeError) as error:
        raise ParameterError(
            f"model: cannot be copied for each horizon, got {type(model).__name__}, which is no "
            "estimator of scikit-learn; expected a class that keeps the arguments of __init__ "
            "under their names. Derive it from sklearn.base.BaseEstimator."
        ) from error
    return Estimator(estimator=model)
