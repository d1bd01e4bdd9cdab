"""Models by name: those that parameters list, and a user's own.

A model is added by its file here and its line in `rules.MODELS`. A user's own needs neither: it is
named ``FILE.py:Class``, the file below the project's root, and its class is a `Model`.
"""

from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError, ParameterError
from bqx.identity import own_code
from bqx.learning.models import artefact
from bqx.learning.models.base import Model, Range
from bqx.params import Params, root
from bqx.params.rules import MODELS, own_model

PACKAGE = "bqx.learning.models"


def model_class(name: str) -> type[Model]:
    """The class of a model.

    Raises
    ------
    ParameterError : it is not registered, and no ``FILE.py:Class`` with such a class.
    """
    if name in MODELS:
        module, _, title = MODELS[name].partition(":")
        registered: type[Model] = getattr(import_module(f"{PACKAGE}.{module}"), title)
        return registered
    return _own_class(name)


def make(name: str, params: Params, **settings: Any) -> Model:
    """An unfitted model with a run's parameters; its settings among them, then ``settings``, win.

    Raises ParameterError for a setting that the model does not have.
    """
    check_settings(name, params)
    kind, run_settings = model_class(name), params.settings.get(name, {})
    return kind.from_params(params, **run_settings | settings)


def space(name: str, params: Params) -> dict[str, Range]:
    """Range of each setting that a search chooses: a run's, else the model's own.

    A setting that the model searches itself keeps its scale and step.

    Raises ParameterError for a setting that the model does not have.
    """
    check_settings(name, params)
    kind, spans = model_class(name), params.ranges.get(name, {})
    if not spans:
        return kind.SPACE
    ranges = {key: kind.SPACE.get(key, Range(*span)) for key, span in spans.items()}
    return {key: replace(ranges[key], low=low, high=high) for key, (low, high) in spans.items()}


def check_settings(name: str, params: Params) -> None:
    """Raise ParameterError for a setting or a range of a setting that the model does not have."""
    kind = model_class(name)
    names = [field.name for field in fields(kind) if field.init]
    for where, by_model in (("settings", params.settings), ("ranges", params.ranges)):
        for setting in by_model.get(name, {}):
            if setting not in names:
                raise ParameterError(
                    f"{where}: {kind.NAME} has no such setting, got {setting[:60]!r}; expected "
                    f"some of {', '.join(names)}."
                )


def load(folder: Path) -> Model:
    """Read a model that ``save`` wrote; nothing is parsed before it is checked.

    Raises
    ------
    ArtefactError : what `artefact.read` refuses, a model that is not there or whose own code has
        changed, or files that it cannot read.
    """
    about, parts = artefact.read(folder)
    name = str(about["model"])
    try:
        # Before a user's file is imported, which runs it.
        code = "" if name in MODELS else own_code.content(_own(name)[0])
        if about["code"] != code:
            raise ArtefactError(
                f"{folder}: fitted by other code, got {str(about['code'])[:12]}; expected that of "
                f"{name}, {code[:12]}. Fit the model again."
            )
        kind = model_class(name)
    except ParameterError as error:
        raise ArtefactError(f"{folder}: cannot be read, {error}") from error
    try:
        model = kind.from_settings(about["settings"])
        model.restore(parts)
    except Exception as error:
        # Parsers of other packages raise whatever they like.
        raise ArtefactError(
            f"{folder}: cannot be read, got {type(error).__name__} {error}; expected what a fitted "
            f"{kind.NAME} writes. Fit it again."
        ) from error
    return model


def _own(name: str) -> tuple[Path, str]:
    """The file of a user's own model, and the class in it."""
    relative, title = own_model(name) or ("", "")
    path = (root() / relative).resolve()
    if not relative or not path.is_relative_to(root().resolve()) or not path.is_file():
        raise ParameterError(
            f"models: not there, got {name!r}; expected one of {', '.join(MODELS)}, or "
            f"FILE.py:Class with a file below {root()}."
        )
    return path, title


def _own_class(name: str) -> type[Model]:
    """The class of a user's own module."""
    path, title = _own(name)
    try:
        module, code = own_code.known_by_content(path)
    except Exception as error:
        raise ParameterError(
            f"models: {path} cannot be imported, got {type(error).__name__} {error}; expected "
            "a module that defines a model."
        ) from error
    kind = getattr(module, title, None)
    if not (isinstance(kind, type) and issubclass(kind, Model)):
        raise ParameterError(
            f"models: no model in {path}, got {title} that is "
            f"{'absent' if kind is None else 'something else'}; expected a class that inherits "
            "from bqx.learning.models.Model."
        )
    kind.NAME, kind.CODE = name, code
    return kind
