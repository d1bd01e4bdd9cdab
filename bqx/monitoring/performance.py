"""How a day's forecasts did beside those of the baseline's days, and how usual a change is."""

import numpy as np
import pandas as pd
from scipy import stats

from bqx.monitoring.metrics import chance_of
from bqx.monitoring.usual import LEAST_DAYS

ERRORS = {"skill_drop": "skill", "mae_ratio": "mae", "r2_change": "r2"}
"""Changes from the baseline, by name, and what of a day they are changes of."""


def measured(day: pd.DataFrame, usual: pd.DataFrame, share: float = 1.0) -> dict[str, float]:
    """Performance of a day beside that of the baseline's days, see `losses.of_days`.

    ``share`` : of the day's hours that have forecasts, above 0.
    Beside each of `ERRORS` stands the chance that a day which is like the baseline's does as badly.
    """
    if day.empty or not day["rows"].sum():
        return {}
    now, before = _scored(day), _scored(usual) if len(usual) else {}
    out = dict(now)
    if before:
        out["skill_drop"] = before["skill"] - now["skill"]
        out["mae_ratio"] = now["mae"] / before["mae"]
        out["r2_change"] = now["r2"] - before["r2"]
        out |= _chances(day, usual, share)
    return out


def _chances(day: pd.DataFrame, usual: pd.DataFrame, share: float) -> dict[str, float]:
    """Chances that one more of the baseline's days, with as few rows and hours as the day, is as
    bad.

    Errors are compared in logarithms, by Student's t of the baseline's days; none where these are
    too few or all alike.
    """
    by_day = {number: rows for number, rows in usual.groupby("day") if rows["rows"].sum()}
    if len(by_day) < LEAST_DAYS:
        return {}
    rows = np.median([frame["rows"].sum() for frame in by_day.values()])
    # A capture may keep more rows of few hours than a baseline has of a day: their labels overlap.
    less = max(rows / day["rows"].sum(), 1.0 / share)
    scores = pd.DataFrame([_errors(frame) for frame in by_day.values()])
    spread = scores.std(ddof=1) * np.sqrt(less + 1 / len(by_day))
    away = (pd.Series(_errors(day)) - scores.mean()) / spread.where(spread > 0)
    return {
        chance_of(name): float(stats.t.sf(away[of], len(by_day) - 1))
        for name, of in ERRORS.items()
        if np.isfinite(away[of])
    }


def _errors(frame: pd.DataFrame) -> dict[str, float]:
    """Logarithms of a day's errors, by what is scored."""
    scored = _scored(frame)
    with np.errstate(divide="ignore"):
        return {
            "skill": float(np.log(1.0 - scored["skill"])),
            "mae": float(np.log(scored["mae"])),
            "r2": float(np.log(1.0 - scored["r2"])),
        }


def _scored(frame: pd.DataFrame) -> dict[str, float]:
    total = frame.sum(numeric_only=True)
    spread = frame["label2"] - frame["label"] ** 2 / frame["rows"].clip(lower=1.0)
    return {
        "skill": float(1.0 - total["loss"] / total["known_loss"]),
        "mae": float(total["absolute"] / total["rows"]),
        "r2": float(1.0 - frame["error2"].sum() / spread.sum()),
        "direction_accuracy": float(total["hits"] / max(total["signs"], 1.0)),
    }
