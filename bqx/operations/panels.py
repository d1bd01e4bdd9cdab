"""The panels of every dashboard: six that say how the system does, and one for each other metric.

Each line of a panel has its query of Prometheus and its metric of CloudWatch, so that both
dashboards, the alert rules and the figures of the book show the same.
"""

from dataclasses import dataclass

from bqx.monitoring import metrics
from bqx.monitoring.metrics import BY_NAME, GROUPS, Metric

JOB = "bqx"
"""Name under which Prometheus scrapes the server."""

WATCHING = ("/ping", "/metrics")
"""Routes of those who watch, which are left out."""

_ASKED = f'route!~"{"|".join(WATCHING)}"'
_REQUESTS = BY_NAME["requests"].exposed
_FORECASTS = BY_NAME["forecasts"].exposed
_BUCKETS = f"{BY_NAME['request_seconds'].exposed}_bucket"
_FAILED = f'(sum(rate({_REQUESTS}{{{_ASKED},code=~"5.."}}[5m])) or vector(0))'


def quantile(share: float) -> str:
    """Query of the answers' time below which a share lies, in ms."""
    rate = f"sum by (le) (rate({_BUCKETS}{{{_ASKED}}}[5m]))"
    return f"1000 * histogram_quantile({share:g}, {rate})"


QUERIES = {
    "requests": f"60 * sum(rate({_REQUESTS}{{{_ASKED}}}[5m]))",
    "request_seconds": quantile(0.5),
    "latency_p99_ms": quantile(0.99),
    "error_rate": f"{_FAILED} / sum(rate({_REQUESTS}{{{_ASKED}}}[5m]))",
    "forecasts": f"60 * sum by (source) (rate({_FORECASTS}[5m]))",
    "cache_hit_rate": f'sum(rate({_FORECASTS}{{source="memory"}}[10m])) '
    f"/ sum(rate({_FORECASTS}[10m]))",
    "endpoint_up": f'max(up{{job="{JOB}"}})',
    "instances": f'sum(up{{job="{JOB}"}})',
    "bars": f"60 * sum by (fate) (rate({BY_NAME['bars'].exposed}[5m]))",
}
"""Queries of what is not read as it stands, by metric."""


def query(metric: Metric) -> str:
    """Query of a metric."""
    return QUERIES.get(metric.name, metric.exposed)


@dataclass(frozen=True)
class Cloud:
    """A metric of CloudWatch: one of an endpoint's where it is SageMaker's, else bqx's own.

    ``scale`` : factor to the line's unit.
    """

    name: str
    statistic: str = "Average"
    namespace: str = "bqx"
    scale: float = 1.0


@dataclass(frozen=True)
class Line:
    """A line: what it is called, the metric it shows, its query, and CloudWatch's metric."""

    label: str
    metric: str
    query: str
    cloud: Cloud | None


@dataclass(frozen=True)
class Panel:
    """Lines of one unit."""

    title: str
    unit: str
    about: str
    lines: tuple[Line, ...]


def _sagemaker(name: str, statistic: str, scale: float = 1.0) -> Cloud:
    return Cloud(name, statistic, "AWS/SageMaker", scale)


def _line(name: str, label: str = "") -> Line:
    metric = BY_NAME[name]
    cloud = Cloud(name) if metric.is_measured else None
    return Line(label or name.replace("_", " "), name, query(metric), cloud)


def _latency(label: str, share: float) -> Line:
    # Latencies are in microseconds.
    cloud = _sagemaker("ModelLatency", label.lower(), 1e-3)
    return Line(label, "request_seconds", quantile(share), cloud)


SIX = (
    Panel(
        "Invocations a minute",
        "count",
        "Requests without pings.",
        (Line("requests", "requests", QUERIES["requests"], _sagemaker("Invocations", "Sum")),),
    ),
    Panel(
        "Latency",
        "ms",
        "The documents ask for 100, 150 and 200 ms at P50, P95 and P99.",
        (_latency("P50", 0.5), _latency("P95", 0.95), _latency("P99", 0.99)),
    ),
    Panel(
        "Error rate",
        "1",
        "Share of answers with a status of 500 or more.",
        (
            Line(
                "errors",
                "error_rate",
                QUERIES["error_rate"],
                _sagemaker("Invocation5XXErrors", "Average"),
            ),
        ),
    ),
    Panel(
        "R² and skill, 24 hours",
        "1",
        "R² is mostly known in advance; skill is what the model adds.",
        (_line("r2", "R²"), _line("skill")),
    ),
    Panel(
        "Drift",
        "1",
        "Share of columns that drifted, and whether the panel as a whole did.",
        (_line("drifted_features_share", "columns"), _line("panel_drift", "panel")),
    ),
    Panel(
        "Scaling",
        "count",
        "Containers that serve, and requests a minute for each of them.",
        (
            Line("containers", "instances", QUERIES["instances"], Cloud("instances")),
            Line(
                "requests of each",
                "requests",
                f"{QUERIES['requests']} / {QUERIES['instances']}",
                _sagemaker("InvocationsPerInstance", "Sum"),
            ),
        ),
    ),
)
"""The six panels that the field's documents ask for."""


def rows() -> dict[str, tuple[Panel, ...]]:
    """Panels by the title of their row: the six, and every metric in its group."""
    return {"How it does": SIX} | {
        title: tuple(_single(metric) for metric in metrics.of_group(key))
        for key, title in GROUPS.items()
    }


def _single(metric: Metric) -> Panel:
    title = metric.name.replace("_", " ").capitalize()
    unit = "count" if metric.kind == "counter" else metric.unit
    about = f"{metric.help[:1].upper()}{metric.help[1:]}."
    if metric.kind == "histogram":
        return Panel(title, "ms", about, (_latency("P50", 0.5), _latency("P99", 0.99)))
    return Panel(title, unit, about, (_line(metric.name),))
