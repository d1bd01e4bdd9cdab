"""Estimators, one a file, behind one small interface."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.features import lags
from bqx.features.lags import Column
from bqx.learning.models import artefact
from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.ensemble import Ensemble, Stacking
from bqx.learning.models.members import ALONE, Estimator, Vector, point
from bqx.learning.models.transformer import Transformer
from bqx.params import Params

__all__ = ["MEMBERS", "MODELS", "Design", "Estimator", "Matrix", "Vector", "design", "load",
           "make", "point", "reads", "unfitted"]  # fmt: skip

MODELS: dict[str, type[Estimator]] = ALONE | {"ensemble": Ensemble, "stacking": Stacking}
"""All estimators by name, the simpler before the more complex."""

MEMBERS = ("ridge", "forest", "xgboost")
"""Estimators that an ensemble joins."""


def make(name: str, params: Params, **settings: Any) -> Estimator:
    """An unfitted estimator with a run's parameters, where it has fields of their names.

    ``settings`` win over them.
    """
    model = MODELS[name]
    known = {field.name for field in fields(model) if field.init}  # type: ignore[arg-type]
    given = {key: getattr(params, key) for key in known & set(Params.model_fields)}
    if "members" in known:
        given["members"] = tuple(make(member, params) for member in MEMBERS)
        given["gap"] = -(-max(params.horizons) // params.stride)
    return model(**given | settings)


def unfitted(model: Estimator) -> Estimator:
    """A model with the same settings, those that a validation part chose included."""
    return replace(model)  # type: ignore[type-var]


def reads(model: Estimator, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Columns that a model reads of some chosen ones: a sequence has each at all its steps."""
    if isinstance(model, Transformer):
        return lags.steps(columns, model.steps, model.spacing)
    return tuple(columns)


def load(folder: Path) -> Estimator:
    """Read a model that ``save`` wrote; nothing is parsed before it is checked.

    Raises
    ------
    ArtefactError : what `artefact.read` refuses, an unknown estimator, or files that it cannot
        read.
    """
    name, settings, parts = artefact.read(folder)
    try:
        return MODELS[name].restore(settings, parts)
    except Exception as error:
        # Parsers of other packages raise whatever they like.
        raise ArtefactError(
            f"{folder}: cannot be read, got {type(error).__name__} {error}; expected a model of "
            f"{', '.join(MODELS)}. Fit it again."
        ) from error
