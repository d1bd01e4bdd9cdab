"""The members that learn, as river has them."""

from typing import Any

from river.forest import ARFRegressor
from river.linear_model import LinearRegression
from river.optim import SGD
from river.tree.splitter import QOSplitter

from bqx.online.adwin import Adwin
from bqx.online.boosting import GRACE, RADIUS, BoostedTrees
from bqx.online.settings import Settings


def fresh(name: str, settings: Settings) -> Any:
    """A member of `settings.LEARNERS` that has learnt nothing yet."""
    if name == "forest":
        return ARFRegressor(
            n_models=settings.trees,
            max_features="sqrt",
            lambda_value=settings.bagging,
            drift_detector=Adwin(settings.drift),
            warning_detector=Adwin(settings.warning),
            grace_period=GRACE,
            max_depth=settings.depth,
            leaf_prediction="mean",
            splitter=QOSplitter(RADIUS),
            seed=settings.seed,
        )
    if name == "boosted":
        return BoostedTrees(settings.stages, settings.rate, settings.seed)
    pace = settings.slow if name == "linear_slow" else settings.fast
    return LinearRegression(optimizer=SGD(pace), intercept_lr=0.0)
