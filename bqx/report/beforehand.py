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
from bqx.runs import artefacts
from bqx.runs.run import Run
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
    lags.candidates_of(params)
    own_signal.rule_of(params)
    for name in filter(own_model, params.models):
        model_class(name)
    bars = params.bars_path
    if bars is None:
        check_history(params, _synthetic(params))
    elif not (bars.is_dir() or bars.is_file()):
        raise BarError(
            f"{bars}: no bars, got neither a folder nor a file; expected one-minute bars. "
            "Correct --set bars=FOLDER."
        )


def check_bars(params: Params, run: Run) -> None:
    """Refuse parts of a fold that are longer than the bars that notebook 01 has read.

    Raises ParameterError when not even one fold fits.
    """
    if params.bars_path:
        # All pairs lie on one grid.
        pair = next(iter(artefacts.DATASET.read(run)["pairs"]))
        times = artefacts.BARS.read(run, pair=pair).index
        check_history(params, sessions.epoch_minutes(times))


def check_history(params: Params, minutes: NDArray[np.int64]) -> None:
    """Refuse parameters of which no fold fits into (T,) epoch minutes.

    Raises ParameterError.
    """
    # No column reads less than none: what fails here fails with every list of columns.
    split.make(params, minutes, ())


def _synthetic(params: Params) -> NDArray[np.int64]:
    first = date.fromisoformat(params.start).toordinal() - date(1970, 1, 1).toordinal()
    last = (first + params.days) * sessions.DAY - 1
    return sessions.grid(first * sessions.DAY, last)
