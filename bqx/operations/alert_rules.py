"""When something is an alert: the rules, with the bounds that the field's documents state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bqx.monitoring import metrics

Level = Literal["critical", "warning", "info"]
LEVELS: tuple[Level, ...] = ("critical", "warning", "info")


@dataclass(frozen=True)
class Rule:
    """A bound on a metric.

    ``bound`` : a value beyond it is bad, ``above`` it or below; ``clear`` : a value within it is
    good; ``minutes``, ``clear_minutes`` : for how long; ``counts`` : each measurement beyond the
    bound is an event of its own, which never clears; ``under`` : the stricter rule of the same
    metric, while which fires this one is not told; ``runbook`` : heading of the runbook.
    """

    name: str
    level: Level
    metric: str
    bound: float
    clear: float
    title: str
    runbook: str
    minutes: float = 0.0
    clear_minutes: float = 0.0
    above: bool = True
    counts: bool = False
    under: str = ""

    def is_bad(self, value: float) -> bool:
        """Whether a value is beyond the bound."""
        return value > self.bound if self.above else value < self.bound

    def is_good(self, value: float) -> bool:
        """Whether a value is within the clearing bound."""
        return value <= self.clear if self.above else value >= self.clear

    def said(self, numbers: Mapping[str, float | None]) -> str:
        """The value among some measurements beside its bound, in words.

        >>> BY_NAME["errors"].said({"error_rate": 0.081})
        'error_rate is 0.081; alert above 0.05 for 5 minutes'
        """
        value, chance = numbers.get(self.metric), numbers.get(metrics.chance_of(self.metric))
        side = "above" if self.above else "below"
        lasting = f" for {self.minutes:g} minutes" if self.minutes else ""
        unit = metrics.BY_NAME[self.metric].unit
        shown = "" if unit in ("1", "count") else f" {unit}"
        now = "still so" if value is None else f"{value:.4g}{shown}"
        usual = "" if chance is None else f"; a usual day is as bad with a chance of {chance:.2g}"
        return f"{self.metric} is {now}; alert {side} {self.bound:g}{lasting}{usual}"


def _count(name: str, level: Level, title: str, runbook: str) -> Rule:
    return Rule(name, level, name, 0.0, 0.0, title, runbook, counts=True)


RULES = (
    Rule(
        "endpoint_down",
        "critical",
        "endpoint_up",
        1.0,
        1.0,
        "the endpoint does not answer",
        "endpoint-down",
        minutes=5.0,
        clear_minutes=2.0,
        above=False,
    ),
    Rule(
        "errors",
        "critical",
        "error_rate",
        0.05,
        0.04,
        "requests fail",
        "requests-fail",
        minutes=5.0,
        clear_minutes=5.0,
    ),
    Rule(
        "latency",
        "critical",
        "latency_p99_ms",
        500.0,
        400.0,
        "answers are far too slow",
        "high-latency",
        minutes=10.0,
        clear_minutes=10.0,
    ),
    Rule(
        "mae_critical",
        "critical",
        "mae_ratio",
        1.5,
        1.4,
        "the error is half as large again",
        "model-drift",
    ),
    Rule(
        "r2_drop",
        "critical",
        "r2_change",
        -0.05,
        -0.04,
        "R² has fallen",
        "model-drift",
        above=False,
    ),
    _count("training_failed", "critical", "a training failed", "training-failed"),
    Rule(
        "no_bars",
        "critical",
        "newest_bar_age_minutes",
        5.0,
        2.0,
        "no bars come",
        "broken-feed",
    ),
    Rule(
        "latency_slow",
        "warning",
        "latency_p99_ms",
        300.0,
        250.0,
        "answers are slow",
        "high-latency",
        minutes=10.0,
        clear_minutes=10.0,
        under="latency",
    ),
    Rule(
        "mae_warning",
        "warning",
        "mae_ratio",
        1.2,
        1.15,
        "the error has grown by a fifth",
        "model-drift",
        under="mae_critical",
    ),
    Rule(
        "drift",
        "warning",
        "panel_drift",
        0.5,
        0.5,
        "the inputs have drifted",
        "drift-of-inputs",
    ),
    Rule(
        "direction",
        "warning",
        "direction_accuracy",
        0.5,
        0.5,
        "directions are worse than a coin's",
        "model-drift",
        above=False,
    ),
    Rule(
        "frozen",
        "warning",
        "frozen_pairs",
        0.0,
        0.0,
        "a feed stands still",
        "broken-feed",
        clear_minutes=5.0,
    ),
    Rule(
        "broken",
        "warning",
        "broken_columns",
        0.0,
        0.0,
        "a column is broken",
        "broken-feed",
        clear_minutes=5.0,
    ),
    Rule(
        "budget_spent",
        "warning",
        "cost_share_of_budget",
        1.0,
        1.0,
        "the month's budget is spent",
        "cost",
    ),
    Rule(
        "budget",
        "warning",
        "cost_share_of_budget",
        0.875,
        0.875,
        "seven eighths of the month's budget are spent",
        "cost",
        under="budget_spent",
    ),
    Rule(
        "cache",
        "warning",
        "cache_hit_rate",
        0.8,
        0.85,
        "too few forecasts come from memory",
        "high-latency",
        minutes=10.0,
        clear_minutes=10.0,
        above=False,
    ),
    _count("retraining_started", "info", "a retraining has begun", "weekly-retraining"),
    _count("model_deployed", "info", "a model was deployed", "rollback"),
)

BY_NAME = {rule.name: rule for rule in RULES}
