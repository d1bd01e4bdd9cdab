"""An estimator of scikit-learn as a model of all horizons."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
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
        """Fit a clone of the estimator to each horizon's labels."""
        takes_weight = weight is not None and has_fit_parameter(self.estimator, "sample_weight")
        rest = {"sample_weight": weight} if takes_weight else {}
        self._fitted = MultiOutputRegressor(clone(self.estimator)).fit(_values(X), y, **rest)
        return self

    def predict(self, X: Input) -> Vector:
        """Forecasts (n, H)."""
        return np.asarray(self._fitted.predict(_values(X)), dtype=np.float64)


def _values(X: Input) -> Any:
    return X.values if isinstance(X, Design) else X


def model_of(model: Any, params: Params) -> Model:
    """A model by its name, a model, or an estimator of scikit-learn, as an unfitted model.

    Raises
    ------
    ParameterError : a name that is not registered, or something that cannot be fitted.
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
    return Estimator(estimator=model)
