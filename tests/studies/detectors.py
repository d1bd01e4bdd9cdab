"""Detectors of drift that read the same days: each says by day whether it would have alarmed."""

import warnings
from collections.abc import Mapping

import numpy as np
from river import drift as river
from scipy import stats
from streams import Stream, baseline_of, day_of

from bqx.monitoring import drift
from bqx.monitoring.panel import Panel

REFERENCE, CURRENT = 4_000, 288
"""Rows of a column's reference and of a day that two-sample tests are given."""
THIN = 6
"""Every so many rows are given to river's detectors, half an hour apart."""


def panel_of(streams: Mapping[str, Stream], first: int) -> Panel:
    """bqx's panel of the days before one."""
    return Panel({pair: baseline_of(own, first) for pair, own in streams.items()})


def bqx(panel: Panel, streams: Mapping[str, Stream], day: int) -> dict[str, bool]:
    """bqx's verdict of a day, and what fixed thresholds say of the same columns."""
    days = {pair: day_of(own, panel.baselines[pair], day) for pair, own in streams.items()}
    verdict = panel.judge(days)
    fixed = {
        f"{name}, any column": bool((verdict.columns[index] > bound).any())
        for name, (index, bound) in drift.FIXED.items()
    }
    half = {
        f"{name}, half of the columns": bool((verdict.columns[index] > bound).mean() >= 0.5)
        for name, (index, bound) in drift.FIXED.items()
    }
    reasons = set(verdict.statistics.loc[verdict.statistics["alarm"], "statistic"])
    return {"bqx": verdict.alarm} | {f"({r})": True for r in reasons} | fixed | half


def two_sample(
    streams: Mapping[str, Stream], references: list[np.ndarray], day: int
) -> dict[str, bool]:
    """The defaults of a widely used monitoring library, by scipy: Kolmogorov-Smirnov at 0.05 for
    small references, and the Wasserstein distance over the deviation at 0.1 for large ones; the
    panel drifts where half of its columns do."""
    drifted: dict[str, list[bool]] = {"KS": [], "Wasserstein": []}
    for own, reference in zip(streams.values(), references, strict=True):
        later = own.x[own.day == day]
        for column in range(later.shape[1]):
            values, usual = later[:, column], reference[:, column]
            values = values[np.isfinite(values)][:CURRENT]
            usual = usual[np.isfinite(usual)]
            if not len(values) or not len(usual):
                continue
            few = usual[:: max(len(usual) // 1_000, 1)]
            drifted["KS"].append(bool(stats.ks_2samp(few, values).pvalue < 0.05))
            deviation = max(float(usual.std()), 1e-3)
            distance = stats.wasserstein_distance(usual, values) / deviation
            drifted["Wasserstein"].append(bool(distance >= 0.1))
    names = {
        "KS": "KS at 0.05, half of the columns",
        "Wasserstein": "Wasserstein at 0.1, half of the columns",
    }
    return {names[name]: float(np.mean(found)) >= 0.5 for name, found in drifted.items()}


def reference_of(streams: Mapping[str, Stream], first: int) -> list[np.ndarray]:
    """Rows before a day of each pair, thinned."""
    out = []
    for own in streams.values():
        rows = own.x[own.day < first]
        out.append(rows[:: max(len(rows) // REFERENCE, 1)])
    return out


RIVER = {
    "river ADWIN, any column": river.ADWIN,
    "river PageHinkley, any column": river.PageHinkley,
}


def rivers(
    streams: Mapping[str, Stream], first: int, days: list[int], warm: int = 20
) -> dict[str, dict[int, bool]]:
    """river's detectors at their defaults, one for every column, given its values in its
    deviations, from some days before the first on."""
    out = {name: dict.fromkeys(days, False) for name in RIVER}
    for own in streams.values():
        known = np.unique(own.day[own.day < first])[-warm:]
        kept = np.isin(own.day, [*known.tolist(), *days])
        usual = own.x[own.day < first]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            centre, deviation = np.nanmean(usual, axis=0), np.nanstd(usual, axis=0)
        scaled = (own.x[kept][::THIN] - centre) / np.where(deviation > 0, deviation, 1.0)
        day = own.day[kept][::THIN]
        for name, make in RIVER.items():
            for column in scaled.T:
                detector = make()
                present = np.isfinite(column)
                for value, number in zip(
                    column[present].tolist(), day[present].tolist(), strict=True
                ):
                    detector.update(value)
                    if detector.drift_detected and number in out[name]:
                        out[name][number] = True
    return out


def simple() -> dict[str, bool]:
    """The two that read nothing."""
    return {"always": True, "never": False}


def verdicts(
    panel: Panel, streams: Mapping[str, Stream], first: int, days: list[int]
) -> dict[str, list[bool]]:
    """Whether each detector alarms, day by day."""
    references, rows = reference_of(streams, first), rivers(streams, first, days)
    found: list[dict[str, bool]] = [
        bqx(panel, streams, day)
        | two_sample(streams, references, day)
        | {name: rows[name][day] for name in RIVER}
        | simple()
        for day in days
    ]
    names = dict.fromkeys(name for of_day in found for name in of_day)
    return {name: [of_day.get(name, False) for of_day in found] for name in names}
