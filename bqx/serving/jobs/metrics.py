"""The numbers that a training job prints for the platform to read, and how it reads them."""

import math
from collections.abc import Mapping

MEANINGS = {
    "r2": "R² of the target on test rows",
    "mae": "mean absolute error of the target on test rows, in units of BQX",
    "directional_accuracy": "share of test rows whose sign the forecast has",
    "skill": "what the forecast adds to the martingale's, test rows in sigma",
    "known_r2": "R² of the martingale forecast on the same rows",
    "validation_skill": "the skill on validation rows, by which settings are searched",
}
"""Metrics by name, each the mean over the horizons."""

OBJECTIVE = "validation_skill"
"""What a search for settings maximises: test rows are for the judgement alone."""


def line(name: str, value: float) -> str:
    """What is printed of a metric.

    >>> line("r2", 0.5)
    'bqx metric r2=0.5;'
    """
    return f"bqx metric {name}={value:.9g};"


def lines(values: Mapping[str, float]) -> list[str]:
    """Lines of the metrics that have a value."""
    return [line(name, values[name]) for name in MEANINGS if math.isfinite(values[name])]


def definitions() -> list[dict[str, str]]:
    """``MetricDefinitions`` of a training job: a regular expression for each line."""
    return [{"Name": name, "Regex": f"bqx metric {name}=(-?[0-9.eE+-]+);"} for name in MEANINGS]
