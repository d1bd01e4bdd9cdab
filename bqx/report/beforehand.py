"""What can be said of a run's parameters before its notebooks take their time."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.features import catalog, lags
from bqx.learning import split
from bqx.learning.models import model_class
from bqx.market import sessions
from bqx.params import Params
from bqx.params.rules import own_model
from bqx.runs.run import Run
from bqx.stages import selection
from bqx.stages.bars import load
from bqx.trading import own_signal


def check(params: Params) -> None:
    """Refuse bars that are not there, a synthetic market that is shorter than a fold, names of
    features that nothing has, and features, models and rules of the user's own that cannot be
    imported.

    Raises
    ------
    BarError : neither a folder nor a file of bars.
    ParameterError : not even one fold fits, or a file that declares no features or no model.
    """
    catalog.adopt(params.own_features)
    candidates = lags.candidates_of(params)
    own_signal.rule_of(params)
    for name in filter(own_model, params.models):
        model_class(name)
    bars = params.bars_path
    if bars is None:
        split.make(params, _synthetic(params), candidates)
    elif not (bars.is_dir() or bars.is_file()):
        raise BarError(
            f"{bars}: no bars, got neither a folder nor a file; expected one-minute bars. "
            "Correct --set bars=FOLDER."
        )


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
