"""For cells of a notebook: bars, features, folds, fits and accounts as labelled frames."""

from bqx.workbench.forecasts import Forecasts
from bqx.workbench.splitter import PurgedFolds
from bqx.workbench.study import Study

__all__ = ["Forecasts", "PurgedFolds", "Study"]
