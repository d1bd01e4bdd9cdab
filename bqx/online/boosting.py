"""Boosted trees that learn from a stream: each corrects those before it.

river has AdaBoost for classes alone, no boosted regressor, so this stands in its place: Hoeffding
trees in a row, of which each learns what is left of the label after a share of every forecast
before it. A tree reads as many columns as the square root of their number, drawn once, which
takes a fifth of the time and keeps noise out.

Source: Beygelzimer, Hazan, Kale and Luo (2015), online gradient boosting with squared loss.
"""

import math
import random
from collections.abc import Mapping

from river.tree import HoeffdingTreeRegressor
from river.tree.splitter import QOSplitter

RADIUS = 0.5
"""Width of the slots in which a tree counts an input, in standard deviations."""
GRACE = 200
"""Rows of a leaf between two tries to split it."""
DEPTH = 3
"""Deepest level of a boosted tree."""


class BoostedTrees:
    """``stages`` trees, of whose forecasts the share ``rate`` is passed on."""

    def __init__(self, stages: int, rate: float, seed: int) -> None:
        self.rate = rate
        self.seed = seed
        self.subsets: list[list[str]] = []
        self.trees = [
            HoeffdingTreeRegressor(
                grace_period=GRACE,
                max_depth=DEPTH,
                leaf_prediction="mean",
                splitter=QOSplitter(RADIUS),
            )
            for _ in range(stages)
        ]

    def predict_one(self, x: Mapping[str, float]) -> float:
        """Forecast of a row of standardised columns."""
        return sum(
            self.rate * tree.predict_one({name: x[name] for name in names})
            for tree, names in zip(self.trees, self.subsets, strict=False)
        )

    def learn_one(self, x: Mapping[str, float], y: float) -> None:
        """Learn a row and its label."""
        if not self.subsets:
            draw = random.Random(self.seed)
            size = math.isqrt(len(x) - 1) + 1
            self.subsets = [draw.sample(sorted(x), size) for _ in self.trees]
        left = y
        for tree, names in zip(self.trees, self.subsets, strict=True):
            features = {name: x[name] for name in names}
            forecast = tree.predict_one(features)
            tree.learn_one(features, left)
            left -= self.rate * forecast
