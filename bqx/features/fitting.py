"""Parameters that fitted families learn from training rows, frozen with the fold or the bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.bars import Bars
from bqx.errors import ArtefactError, ParameterError
from bqx.features.spec import Array, Feature


@dataclass(frozen=True)
class Fits:
    """What fitted families have learnt.

    ``parameters`` : float64 by ``Feature.fit_key``, as `compute` takes them; NaN where nothing
    could be learnt. ``until`` : epoch minute of the last bar that was read.
    """

    parameters: Mapping[str, Array]
    until: int

    def to_json(self) -> dict[str, Any]:
        """Plain lists, NaN as None; every digit is kept."""
        held = {
            key: [None if np.isnan(value) else float(value) for value in values]
            for key, values in self.parameters.items()
        }
        return {"until": self.until, "parameters": held}

    @staticmethod
    def from_json(held: Any) -> "Fits":
        """Fits of what `to_json` gives.

        Raises ArtefactError for anything else.
        """
        try:
            parameters = {
                str(key): np.array([np.nan if v is None else float(v) for v in values])
                for key, values in held["parameters"].items()
            }
            return Fits(parameters, int(held["until"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtefactError(
                f"fits: damaged, got {type(error).__name__} {error}; expected parameters by name "
                "and the minute of the last bar. Fit again."
            ) from error


def fit(bars: Bars, features: Sequence[Feature], rows: NDArray[np.int64]) -> Fits:
    """Learn the parameters of the features' fitted families.

    Parameters
    ----------
    bars : T rows of one pair.
    features : those without a fit are passed over.
    rows : (n,) training rows, ascending; all from the first to the last are read, and no other.

    Raises
    ------
    ParameterError : no rows.
    """
    if len(rows) == 0:
        raise ParameterError(f"{bars.pair}: no rows to fit on; expected at least 1. Give some.")
    part = bars.rows(int(rows[0]), int(rows[-1]) + 1)
    fitted = {feature.fit_key: feature for feature in features if feature.fit_key}
    parameters = {}
    for key, feature in fitted.items():
        learn = feature.family.fit
        if learn is not None:
            x = np.ascontiguousarray(feature.source.build(part))
            parameters[key] = np.asarray(learn(x, part.first_market_minute), dtype=np.float64)
    return Fits(parameters, int(part.minutes[-1]))
