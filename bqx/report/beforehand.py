"""What can be said of a run's parameters before its notebooks take their time."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BarError, ParameterError
from bqx.features import catalog, lags
from bqx.learning import split
from bqx.learning.models import MODELS, Design, Model, check_settings, make
from bqx.market import sessions
from bqx.params import Params
from bqx.runs.run import Run
from bqx.stages import selection
from bqx.stages.bars import load
from bqx.trading import own_signal

FEW_ROWS = 400
"""Random rows that a model with settings is fitted to."""


def check(params: Params) -> None:
    """Refuse what `check_without_bars` does, models that cannot be made here or fitted with their
    settings, and bars that are not there.

    Raises
    ------
    BarError : neither a folder nor a file of bars.
    ParameterError : a model that lacks a package or fails, a value of a setting that it cannot be
        fitted with, or see `check_without_bars`.
    """
    check_without_bars(params)
    for name in params.models:
        model = _made(name, params)
        # A user's own model may be fitted to nothing but columns of its own.
        if name in MODELS and name in params.settings:
            _check_fit(model, params)
    bars = params.bars_path
    if bars is not None and not (bars.is_dir() or bars.is_file()):
        raise BarError(
            f"{bars}: no bars, got neither a folder nor a file; expected one-minute bars. "
            "Correct --set bars=FOLDER."
        )


def check_without_bars(params: Params) -> None:
    """Refuse a synthetic market that is shorter than a fold, names of features that nothing has,
    features, models and rules of the user's own that cannot be imported, and settings and ranges
    that a model does not have.

    Raises ParameterError, which names the parameter.
    """
    catalog.adopt(params.own_features)
    candidates = lags.candidates_of(params)
    own_signal.rule_of(params)
    for name in params.models:
        check_settings(name, params)
    if params.bars_path is None:
        split.make(params, _synthetic(params), candidates)


def _made(name: str, params: Params) -> Model:
    """A model as training makes it."""
    try:
        return make(name, params)
    except ParameterError:
        raise
    except Exception as error:
        # A user's own model raises whatever it likes.
        raise ParameterError(
            f"models: {name} cannot be made, got {type(error).__name__} {error}; expected a model "
            "of its settings and no other arguments. Give each a default, or correct settings."
        ) from error


def _check_fit(model: Model, params: Params) -> None:
    """Fit a model to a few random rows: values of its settings are known by its estimator alone."""
    rng = np.random.default_rng(params.seed)
    x = rng.standard_normal((FEW_ROWS, 3 * model.past)).astype(np.float32)
    y = rng.standard_normal((FEW_ROWS, len(params.horizons)))
    first, later = slice(None, FEW_ROWS * 3 // 4), slice(FEW_ROWS * 3 // 4, None)
    try:
        model.fit(Design(x[first]), y[first], validation=(Design(x[later]), y[later]))
    except Exception as error:
        told = str(error).strip().splitlines() or [""]
        raise ParameterError(
            f"settings: {model.NAME} cannot be fitted with them, got {params.settings[model.NAME]} "
            f"and {type(error).__name__} {told[0][:200]}; expected values that it takes. Correct "
            "settings."
        ) from error


def check_bars(params: Params, run: Run) -> None:
    """Refuse files of bars, as notebook 01 has read them, that selection could not learn from.

    A synthetic market has no holes, so that `check` has seen to it.

    Raises ParameterError as `selection.usable_split` does.
    """
    if params.bars_path:
        selection.usable_split(load(run), lags.candidates_of(params), params)


def _synthetic(params: Params) -> NDArray[np.int64]:
    first = date.fromisoformat(params.start).toordinal() - date(1970, 1, 1).toordinal()
    last = (first + params.days) * sessions.DAY - 1
    return sessions.grid(first * sessions.DAY, last)
