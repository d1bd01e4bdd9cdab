"""Every plot of the book: results in, a matplotlib figure out; every axis carries its unit."""

from bqx.report.figures.features import (
    columns_by_kind,
    counts,
    day_profile,
    importance,
    mechanical_share,
    rates,
    warm_up,
)
from bqx.report.figures.models import compared, domain_shares, domains_over_time, learning_curves
from bqx.report.figures.online import year
from bqx.report.figures.shap_values import beeswarm, dependence
from bqx.report.figures.skill import (
    calibration,
    coverage,
    forecasts,
    matrix,
    skill_by_horizon,
    verdict,
)
from bqx.report.figures.speed import benchmarks, latency
from bqx.report.figures.system import system
from bqx.report.figures.trading import break_even, costs, equity, exposure

__all__ = [
    "beeswarm",
    "benchmarks",
    "break_even",
    "calibration",
    "columns_by_kind",
    "compared",
    "costs",
    "counts",
    "coverage",
    "day_profile",
    "dependence",
    "domain_shares",
    "domains_over_time",
    "equity",
    "exposure",
    "forecasts",
    "importance",
    "latency",
    "learning_curves",
    "matrix",
    "mechanical_share",
    "rates",
    "skill_by_horizon",
    "system",
    "verdict",
    "warm_up",
    "year",
]
