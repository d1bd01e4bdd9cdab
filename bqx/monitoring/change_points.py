"""Change points of a panel's errors, by river's ADWIN.

Labels that overlap say the same again and again, on which ADWIN alarms without a change. Errors are
therefore averaged over blocks as long as the longest label before it reads them.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from river.drift import ADWIN

from bqx.market import sessions
from bqx.monitoring.captured import PairRows

DELTA = 0.002
"""ADWIN's confidence, as the field's documents and river have it."""


def change_points(values: NDArray[np.float64], delta: float = DELTA) -> list[int]:
    """Positions in (n,) values at which ADWIN sees a change, the oldest first."""
    detector, positions = ADWIN(delta=delta), []
    for position, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            positions.append(position)
    return positions


def of_errors(pairs: Mapping[str, PairRows]) -> list[str]:
    """Starts of the blocks in which the errors of all pairs' forecasts, in sigma squared, changed:
    ISO times."""
    frames = []
    for rows in pairs.values():
        for horizon, labels in rows.labels().groupby("horizon"):
            places = np.searchsorted(rows.bars.minutes, labels["minute"])
            error = (labels["innovation"] - rows.innovations[int(str(horizon))][places]) ** 2
            frames.append(pd.DataFrame({"known_at": labels["known_at"], "error": error}))
    every = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if every.empty:
        return []
    longest = max(max(rows.windows[h] + h for h in rows.windows) for rows in pairs.values())
    mean = every.groupby(every["known_at"] // longest)["error"].mean()
    places = change_points(mean.to_numpy())
    stamps = sessions.timestamps(mean.index.to_numpy(np.int64)[places] * longest)
    return [stamp.isoformat() for stamp in stamps]
