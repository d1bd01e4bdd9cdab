"""Every metric of a running system, declared once.

The server's ``/metrics``, the dashboards, the alert rules and the figures read this list: a metric
that is not here is nowhere, and one that is here is everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]
Writer = Literal["monitor", "alert", "online", "server"]

PREFIX = "bqx_"

MONITOR: tuple[Writer] = ("monitor",)
ALERT: tuple[Writer] = ("alert",)
ONLINE: tuple[Writer] = ("online",)
SERVER: tuple[Writer] = ("server",)

CHANCE = 0.01
"""Share of days like the bundle's own on which a bound on a day's performance may be passed."""

GROUPS = {
    "model": "Model",
    "api": "API",
    "endpoint": "Endpoint",
    "quality": "Quality of the bars",
    "cost": "Cost to date",
    "online": "Online learning",
}
"""Groups of the dashboards by key."""


@dataclass(frozen=True)
class Metric:
    """A number that says how the system does.

    ``unit`` : ``1`` for a share or a plain number; ``writers`` : commands of ``bqx`` that measure
    it into a file of measurements, and the server, which counts it itself; ``kind`` : of
    Prometheus; ``labels`` : by which a served metric is told apart.
    """

    name: str
    group: str
    unit: str
    help: str
    writers: tuple[Writer, ...]
    kind: Kind = "gauge"
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """Name in Prometheus.

        >>> BY_NAME["requests"].exposed
        'bqx_requests_total'
        """
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"

    @property
    def is_measured(self) -> bool:
        """Whether files of measurements hold it."""
        return self.writers != SERVER


METRICS = (
    Metric("skill", "model", "1", "skill against the martingale forecast, last 24 hours", MONITOR),
    Metric(
        "skill_drop", "model", "1", "skill of the bundle less that of the last 24 hours", MONITOR
    ),
    Metric("mae", "model", "1", "mean absolute error of the innovation, in sigma", MONITOR),
    Metric("mae_ratio", "model", "1", "mean absolute error over that of the bundle", MONITOR),
    Metric("r2", "model", "1", "raw R², last 24 hours; the martingale has most of it", MONITOR),
    Metric("r2_change", "model", "1", "raw R² less that of the bundle", MONITOR),
    *(
        Metric(
            f"{name}_chance",
            "model",
            "1",
            f"chance that a day like the bundle's own has so bad a {name}",
            MONITOR,
        )
        for name in ("skill_drop", "mae_ratio", "r2_change")
    ),
    Metric("direction_accuracy", "model", "1", "share of directions forecast right", MONITOR),
    Metric(
        "drifted_features_share",
        "model",
        "1",
        "share of columns whose drift is calibrated",
        MONITOR,
    ),
    Metric("drifted_columns", "model", "count", "columns that drifted", MONITOR),
    Metric("panel_drift", "model", "1", "1 where the panel as a whole drifted", MONITOR),
    Metric(
        "training_failed",
        "model",
        "count",
        "trainings that failed since the last measurement",
        ALERT,
    ),
    Metric(
        "retraining_started", "model", "count", "trainings begun since the last measurement", ALERT
    ),
    Metric(
        "model_deployed", "model", "count", "versions approved since the last measurement", ALERT
    ),
    Metric(
        "latency_p99_ms", "api", "ms", "99th percentile of an answer's time", (*MONITOR, *ALERT)
    ),
    Metric(
        "error_rate",
        "api",
        "1",
        "share of requests answered with a status of 500 or more",
        (*MONITOR, *ALERT),
    ),
    Metric("cache_hit_rate", "api", "1", "share of forecasts answered from memory", ALERT),
    Metric("requests", "api", "count", "requests answered", SERVER, "counter", ("route", "code")),
    Metric("request_seconds", "api", "s", "time of an answer", SERVER, "histogram", ("route",)),
    Metric("forecasts", "api", "count", "forecasts asked for", SERVER, "counter", ("source",)),
    Metric("endpoint_up", "endpoint", "1", "1 where the server answers its ping", ALERT),
    Metric("instances", "endpoint", "count", "containers that serve", ALERT),
    Metric("in_flight", "endpoint", "bytes", "bytes of requests being answered", SERVER),
    Metric("pairs_served", "endpoint", "count", "pairs with a model", SERVER),
    Metric(
        "newest_bar_age_minutes",
        "quality",
        "min",
        "age of the newest bar of any pair",
        (*MONITOR, *SERVER),
    ),
    Metric("frozen_pairs", "quality", "count", "pairs whose bars came to a standstill", MONITOR),
    Metric(
        "broken_columns", "quality", "count", "columns without values, or with one value", MONITOR
    ),
    Metric("spikes", "quality", "count", "bars that leapt and came back, last hour", MONITOR),
    Metric("quality_gaps", "quality", "count", "holes of the last hour", MONITOR),
    Metric("triangle_residual_bp", "quality", "bp", "largest median triangle residual", MONITOR),
    Metric("bars", "quality", "count", "bars that came", SERVER, "counter", ("fate",)),
    Metric("cost_to_date", "cost", "USD", "charges of this month", ALERT),
    Metric("cost_share_of_budget", "cost", "1", "charges of this month over the budget", ALERT),
    Metric("online_skill_hour", "online", "1", "skill of the online models, last hour", ONLINE),
    Metric("online_skill_day", "online", "1", "skill of the online models, last day", ONLINE),
    Metric("online_skill_week", "online", "1", "skill of the online models, last week", ONLINE),
    Metric(
        "online_weight", "online", "1", "weight of the online models beside the batch's", ONLINE
    ),
    Metric("online_drift_events", "online", "count", "members begun anew in the last day", ONLINE),
    Metric("online_updates", "online", "count", "labels learnt in the last hour", ONLINE),
)

BY_NAME = {metric.name: metric for metric in METRICS}

MEASURED = tuple(metric for metric in METRICS if metric.is_measured)


def of_group(group: str) -> tuple[Metric, ...]:
    """Metrics of a group, in their order."""
    return tuple(metric for metric in METRICS if metric.group == group)


def of_writer(writer: Writer) -> set[str]:
    """Names of the metrics that one writes."""
    return {metric.name for metric in METRICS if writer in metric.writers}


def chance_of(name: str) -> str:
    """Name of the chance that a measurement is as bad on a day like the bundle's own."""
    return f"{name}_chance"


def is_usual(name: str, numbers: Mapping[str, float | None]) -> bool:
    """Whether a measurement is as bad on more than a few days that are like the bundle's own; False
    where that was not measured.

    >>> is_usual("mae_ratio", {"mae_ratio_chance": 0.2}), is_usual("mae_ratio", {})
    (True, False)
    """
    chance = numbers.get(chance_of(name))
    return chance is not None and chance > CHANCE
