"""What is checked of a bundle before anything of it is used; each raises ArtefactError."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from bqx.errors import ArtefactError
from bqx.features import catalog
from bqx.files import sha256
from bqx.learning.conformal import GROUPS
from bqx.learning.models import Model, forecasts
from bqx.market.pairs import PAIRS
from bqx.market.sessions import DAY

MEND = "Run notebook 12_registry again."


def columns(path: Path, stored: Mapping[str, Any]) -> None:
    """Refuse columns whose values are decided by other code than when the model was trained."""
    identities = dict(stored["identities"])
    unlike = catalog.changed(identities)
    unlike += [c["feature"] for c in stored["columns"] if c["feature"] not in identities]
    if absent := sorted(set(identities) - set(catalog.FEATURES)):
        raise ArtefactError(
            f"{path}: a feature that the catalog lacks, got {absent[0]}; expected its file among "
            f"those that {catalog.OWN} names. Name it there."
        )
    if unlike:
        raise ArtefactError(
            f"{path}: made by other code, got another identity of {', '.join(unlike)}; expected "
            f"that of the catalog at hand. {MEND}"
        )


def file(path: Path, expected: object) -> None:
    """Refuse a file that is absent, or another than was written."""
    actual = sha256(path) if path.is_file() else "no file"
    if actual != expected:
        raise ArtefactError(
            f"{path}: damaged or exchanged, got {actual[:12]}; expected {str(expected)[:12]}. "
            f"{MEND}"
        )


def values(path: Path, stored: Mapping[str, Any]) -> None:
    """Refuse values that no training gives, though their seal is right.

    A negative lag would read later bars, a share beyond 1 would forecast more than the model.
    """
    horizons, betas, panel = stored["horizons"], stored["betas"], stored["panel"]
    by_horizon = {str(horizon) for horizon in horizons}
    good = {
        "pair": stored["pair"] in PAIRS,
        "horizons": bool(horizons) and horizons == sorted(set(horizons)) and _whole(horizons, 1),
        "window": stored["window"] == "matched" or _whole([stored["window"]], 1),
        "max_fill": _whole([stored["max_fill"]], 0),
        "columns": _whole([column["lag"] for column in stored["columns"]], 0),
        "betas": set(betas) == by_horizon and all(0.0 <= beta <= 1.0 for beta in betas.values()),
        "reach": set(stored["reach"]) == by_horizon
        and all(map(_calibrated, stored["reach"].values())),
        "baseline": 0.0 < stored["baseline"] < inf,
        "panel": panel.keys() <= set(PAIRS) and all(0.0 < first < inf for first in panel.values()),
        "trained_until": datetime.fromisoformat(stored["trained_until"]).tzinfo is not None,
    }
    for name, possible in good.items():
        if not possible:
            raise ArtefactError(
                f"{path}: {name} that no training gives, got {str(stored[name])[:60]}; expected "
                f"what was fitted. {MEND}"
            )


def _whole(numbers: Sequence[Any], least: int) -> bool:
    return all(type(number) is int and least <= number <= DAY for number in numbers)


def _calibrated(of: Mapping[str, Any]) -> bool:
    low, high = of["cuts"]
    widths = [*(width for width in of["start"] if width is not None), of["naive"]]
    return (
        0.0 <= low <= high < inf
        and len(of["start"]) == GROUPS
        and all(0.0 <= width < inf for width in widths)
        and 0.0 < of["coverage"] < 1.0
    )


def forecast(path: Path, model: Model, columns: int, horizons: int) -> None:
    """Refuse a model of other columns or horizons, or one that forecasts no number."""
    try:
        forecasts(model, np.zeros((1, columns), np.float32), horizons)
    except Exception as error:  # models raise what they like
        raise ArtefactError(
            f"{path}: a model of something else, got {type(error).__name__} {error}"[:300]
            + f"; expected {horizons} forecasts from {columns} columns. {MEND}"
        ) from error
