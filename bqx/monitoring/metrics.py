"""Every metric of a running system, declared once.

The server's ``/metrics``, the dashboards, the alert rules and the figures read this list: a metric
that is not here is nowhere, and one that is here is everywhere.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]
Origin = Literal["measured", "served"]

PREFIX = "bqx_"

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

    ``unit`` : ``1`` for a share or a plain number; ``origin`` : ``measured`` stands in
    ``measurements.json``, ``served`` is counted by the server itself; ``kind`` : of Prometheus;
    ``labels`` : by which a served metric is told apart.
    """

    name: str
    group: str
    unit: str
    help: str
    origin: Origin = "measured"
    kind: Kind = "gauge"
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """Name in Prometheus.

        >>> BY_NAME["requests"].exposed
        'bqx_requests_total'
        """
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


METRICS = (
    Metric("skill", "model", "1", "skill against the martingale forecast, last 24 hours"),
    Metric("skill_drop", "model", "1", "skill of the bundle less that of the last 24 hours"),
    Metric("mae", "model", "1", "mean absolute error of the innovation, in sigma"),
    Metric("mae_ratio", "model", "1", "mean absolute error over that of the bundle"),
    Metric("r2", "model", "1", "raw R², last 24 hours; the martingale has most of it"),
    Metric("r2_change", "model", "1", "raw R² less that of the bundle"),
    Metric("direction_accuracy", "model", "1", "share of directions forecast right"),
    Metric("drifted_features_share", "model", "1", "share of columns whose drift is calibrated"),
    Metric("drifted_columns", "model", "count", "columns that drifted"),
    Metric("panel_drift", "model", "1", "1 where the panel as a whole drifted"),
    Metric("training_failed", "model", "count", "trainings that failed since the last measurement"),
    Metric("retraining_started", "model", "count", "trainings begun since the last measurement"),
    Metric("model_deployed", "model", "count", "versions approved since the last measurement"),
    Metric("latency_p99_ms", "api", "ms", "99th percentile of an answer's time"),
    Metric("error_rate", "api", "1", "share of requests answered with a status of 500 or more"),
    Metric("cache_hit_rate", "api", "1", "share of forecasts answered from memory"),
    Metric("requests", "api", "count", "requests answered", "served", "counter", ("route", "code")),
    Metric("request_seconds", "api", "s", "time of an answer", "served", "histogram", ("route",)),
    Metric("forecasts", "api", "count", "forecasts asked for", "served", "counter", ("source",)),
    Metric("endpoint_up", "endpoint", "1", "1 where the server answers its ping"),
    Metric("instances", "endpoint", "count", "containers that serve"),
    Metric("in_flight", "endpoint", "bytes", "bytes of requests being answered", "served"),
    Metric("pairs_served", "endpoint", "count", "pairs with a model", "served"),
    Metric("newest_bar_age_minutes", "quality", "min", "age of the newest bar of any pair"),
    Metric("frozen_pairs", "quality", "count", "pairs whose bars came to a standstill"),
    Metric("broken_columns", "quality", "count", "columns without values, or with one value"),
    Metric("quality_gaps", "quality", "count", "holes of the last day"),
    Metric("triangle_residual_bp", "quality", "bp", "largest median triangle residual"),
    Metric("bars", "quality", "count", "bars that came", "served", "counter", ("fate",)),
    Metric("cost_to_date", "cost", "USD", "charges of this month"),
    Metric("cost_share_of_budget", "cost", "1", "charges of this month over the budget"),
    Metric("online_skill_hour", "online", "1", "skill of the online models, last hour"),
    Metric("online_skill_day", "online", "1", "skill of the online models, last day"),
    Metric("online_skill_week", "online", "1", "skill of the online models, last week"),
    Metric("online_weight", "online", "1", "weight of the online models beside the batch's"),
    Metric("online_drift_events", "online", "count", "change points found in the last day"),
    Metric("online_updates", "online", "count", "labels learnt in the last hour"),
)

BY_NAME = {metric.name: metric for metric in METRICS}

MEASURED = tuple(metric for metric in METRICS if metric.origin == "measured")
SERVED = tuple(metric for metric in METRICS if metric.origin == "served")


def of_group(group: str) -> tuple[Metric, ...]:
    """Metrics of a group, in their order."""
    return tuple(metric for metric in METRICS if metric.group == group)
