"""A first try of the kernels that a user brings, so that what fails is named."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BqxError, ParameterError
from bqx.features.spec import Feature
from bqx.market.bars import Bars

Array = NDArray[np.float64]


def try_kernels(bars: Bars, features: Sequence[Feature], fits: Mapping[str, Array]) -> None:
    """Compute a few rows of each kernel.

    Raises ParameterError for one that fails, or does not give (T, outputs).
    """
    # Kernels of others are tried one by one first, so that an error names its feature.
    for feature in {(id(f.family), f.source.key, f.window): f for f in features}.values():
        learnt = (fits[feature.fit_key],) if feature.fit_key else ()
        # One row is fewer than most windows have: a history's first bars are no reason to fail.
        for rows in sorted({1, min(len(bars), 100), min(len(bars), max(feature.lookback, 1))}):
            _try_kernel(bars.rows(0, rows), feature, learnt)


def _try_kernel(bars: Bars, feature: Feature, learnt: tuple[Array, ...]) -> None:
    rows, columns = len(bars), len(feature.family.outputs)
    try:
        if feature.source.inputs:
            return  # of the catalog's own kind, whose kernels are tried by the cuts
        x = np.ascontiguousarray(feature.source.build(bars))
        made = feature.family.kernel(x, bars.first_market_minute, *feature.window, *learnt)
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
    is_table = isinstance(made, np.ndarray) and made.ndim == 2 and made.dtype == np.float64
    if not is_table or len(made) != rows or made.shape[1] < columns:
        got = f"{getattr(made, 'dtype', type(made).__name__)} {getattr(made, 'shape', '')}"
        raise ParameterError(
            f"{feature.name}: its kernel gives another shape, got {got}; expected float64 "
            f"({rows}, {columns}): a row a bar, a column an output. Mend the kernel."
        )
