"""Every kernel compiled before it is needed: once after the sources have changed."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from bqx.features.engine.compute import compute
from bqx.features.engine.fitting import fit, pool
from bqx.features.engine.requirements import bars_of, walk
from bqx.features.spec import Feature

ROWS = 600
"""Rows of the bars that the kernels are run on; what is compiled does not depend on them."""


def compile_all(features: Sequence[Feature]) -> int:
    """Run every kernel of the features on a few random bars, family by family.

    Returns the number of families; a bar shows the progress.
    """
    bars = bars_of("eurusd", walk(ROWS))
    families: dict[str, list[Feature]] = {}
    for feature in features:
        families.setdefault(feature.family.name, []).append(feature)
    for members in tqdm(families.values(), desc="kernels", unit="family"):
        rows = np.arange(ROWS)
        shared = pool({bars.pair: bars}, members, rows)
        compute(bars, members, fits=fit(bars, members, rows).beside(shared).parameters)
    return len(families)
