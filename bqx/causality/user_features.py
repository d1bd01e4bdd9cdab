"""A first try of the kernels that a user brings, so that what fails is named."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BqxError, ParameterError
from bqx.features import catalog
from bqx.features.engine.compute import Plan
from bqx.features.spec import Feature
from bqx.market.bars import Bars

Array = NDArray[np.float64]


def try_kernels(bars: Bars, features: Sequence[Feature], fits: Mapping[str, Array]) -> None:
    """Compute a few rows of each kernel that is none of the catalog's.

    Raises ParameterError for one that fails, or does not give float64 (T, outputs).
    """
    # One may give more columns than a family of the catalog declares: others declare the rest.
    catalog_families = set(map(id, catalog.FAMILIES))
    own_features = [feature for feature in features if id(feature.family) not in catalog_families]
    for feature in {(id(f.family), f.source.key, f.window): f for f in own_features}.values():
        learnt = (fits[feature.fit_key],) if feature.fit_key else ()
        # One row is fewer than most windows have: a history's first bars are no reason to fail.
        for rows in sorted({1, min(len(bars), 100), min(len(bars), max(feature.lookback, 1))}):
            _try_kernel(bars.rows(0, rows), feature, fits, learnt)


def _try_kernel(
    bars: Bars, feature: Feature, fits: Mapping[str, Array], learnt: tuple[Array, ...]
) -> None:
    rows, columns, source = len(bars), len(feature.family.outputs), feature.source
    try:
        inputs = (Plan(source.inputs)(bars, np.float64, fits=fits),) if source.inputs else ()
        x = np.ascontiguousarray(source.build(bars, *inputs))
        output = feature.family.kernel(x, bars.first_market_minute, *feature.window, *learnt)
    except BqxError:
        raise
    except Exception as error:
        raise ParameterError(
            f"{feature.name}: its kernel fails on {rows} rows, got {type(error).__name__}: "
            f"{error}; expected values, or NaN where rows are too few. Mend the kernel or its "
            "source."
        ) from error
    if rows < feature.lookback:
        return  # whatever it says of too few rows is compared like all other values
    is_table = isinstance(output, np.ndarray) and output.ndim == 2 and output.dtype == np.float64
    if not is_table or output.shape != (rows, columns):
        got = f"{getattr(output, 'dtype', type(output).__name__)} {getattr(output, 'shape', '')}"
        raise ParameterError(
            f"{feature.name}: its kernel gives another array, got {got.strip()}; expected float64 "
            f"({rows}, {columns}), one row for each bar and one column for each declared output. "
            "Mend the kernel, or what its family declares."
        )
