"""What learning online has come to: the measurements that dashboards and alerts read."""

import numpy as np
import pandas as pd

from bqx.files import write_json
from bqx.market import sessions
from bqx.monitoring.measured import FILE, Measurements
from bqx.online.replay import KEYS
from bqx.online.settings import LEARNERS
from bqx.online.store import FORECASTS, LABELS, OnlineStore

HOUR = 60
SPANS = {"hour": HOUR, "day": sessions.DAY, "week": 7 * sessions.DAY}
"""Minutes up to the newest over whose labels skill is taken."""


def write(store: OnlineStore) -> None:
    """Write the measurements of a store beside its minutes, where it has some."""
    minutes = store.minutes(FORECASTS) + store.minutes(LABELS)
    if minutes:
        write_json(store.folder / FILE, measure(store, max(minutes)).content())


def measure(store: OnlineStore, minute: int) -> Measurements:
    """Measurements of all pairs and horizons at the end of an epoch minute; None for a skill
    without a label."""
    scored = store.scored(after=minute - max(SPANS.values()))
    day = [store.read(FORECASTS, m) for m in store.minutes(FORECASTS, minute - sessions.DAY)]
    forecasts = pd.concat(day) if day else pd.DataFrame(columns=[*KEYS, "resets"])
    resets = forecasts.groupby(["pair", "horizon"])["resets"]
    newest = forecasts.groupby(["pair", "horizon"]).last()
    weights = newest.reindex(columns=[f"weight_{name}" for name in LEARNERS]).sum(axis=1)
    return Measurements(
        60.0 * (minute + 1),
        {f"online_skill_{name}": _skill(scored, minute - span) for name, span in SPANS.items()}
        | {
            "online_weight": float(weights.mean()) if len(weights) else None,
            "online_drift_events": float((resets.max() - resets.min()).sum()),
            "online_updates": float((scored["known_at"] > minute - HOUR).sum()),
        },
    )


def _skill(scored: pd.DataFrame, after: int) -> float | None:
    newer = scored[scored["known_at"] > after]
    label = newer["label"].to_numpy(np.float64)
    power = float((label**2).sum())
    error = label - newer["online"].to_numpy(np.float64)
    return 1.0 - float((error**2).sum()) / power if power else None
