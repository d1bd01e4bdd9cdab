"""The dashboard of CloudWatch, on the endpoint's metrics and those that `bqx alert` publishes."""

import json
from collections.abc import Iterator
from typing import Any

from bqx.cloud.calls import Call
from bqx.cloud.endpoint_requests import ENDPOINT, VARIANT
from bqx.cloud.retraining import NAMESPACE
from bqx.monitoring.measured import Measurements
from bqx.operations.alert_rules import RULES
from bqx.operations.panels import Line, Panel, rows

NAME = "bqx"
COLUMNS, WIDTH, HEIGHT = 24, 8, 6
PERIOD = 300


def content(region: str, endpoint: str = ENDPOINT) -> dict[str, Any]:
    """Body of the dashboard: a heading and its panels, row by row."""
    widgets: list[dict[str, Any]] = []
    y = 0
    for title, panels in rows().items():
        shown = [panel for panel in panels if any(line.cloud for line in panel.lines)]
        if not shown:
            continue
        heading = {"type": "text", "properties": {"markdown": f"## {title}"}}
        widgets.append(heading | {"x": 0, "y": y, "width": COLUMNS, "height": 1})
        y += 1
        for i, panel in enumerate(shown):
            place = {"x": i % 3 * WIDTH, "y": y + i // 3 * HEIGHT, "width": WIDTH, "height": HEIGHT}
            widgets.append(place | _widget(panel, region, endpoint))
        y += -(-len(shown) // 3) * HEIGHT
    return {"widgets": widgets}


def put(region: str) -> Call:
    """The call that makes the dashboard."""
    body = json.dumps(content(region))
    return Call("cloudwatch", "put_dashboard", {"DashboardName": NAME, "DashboardBody": body})


def publish(measurements: Measurements) -> Call:
    """The call that hands measurements over to CloudWatch, of which it keeps 15 months."""
    rows = [
        {"MetricName": name, "Timestamp": measurements.stamp, "Value": value}
        for name, value in measurements.numbers.items()
        if value is not None
    ]
    return Call("cloudwatch", "put_metric_data", {"Namespace": NAMESPACE, "MetricData": rows})


def _widget(panel: Panel, region: str, endpoint: str) -> dict[str, Any]:
    metrics = [
        row
        for i, line in enumerate(panel.lines)
        if line.cloud
        for row in _metrics(line, i, endpoint)
    ]
    properties = {
        "title": panel.title,
        "region": region,
        "view": "timeSeries",
        "period": PERIOD,
        "metrics": metrics,
        "yAxis": {"left": {"label": panel.unit, "showUnits": False}},
    }
    bounds = list(_bounds(panel))
    if bounds:
        properties["annotations"] = {"horizontal": bounds}
    return {"type": "metric", "properties": properties}


def _metrics(line: Line, number: int, endpoint: str) -> Iterator[list[Any]]:
    """Rows of a line: the metric, and where it has another unit an expression of it."""
    cloud = line.cloud
    assert cloud is not None
    dimensions = ["EndpointName", endpoint, "VariantName", VARIANT]
    metric = [cloud.namespace, cloud.name, *(dimensions if cloud.namespace != NAMESPACE else [])]
    key = f"m{number}"
    if cloud.scale == 1.0:
        # A sum is that of a minute.
        minute = {"period": 60} if cloud.statistic == "Sum" else {}
        yield [*metric, {"id": key, "stat": cloud.statistic, "label": line.label, **minute}]
        return
    yield [*metric, {"id": key, "stat": cloud.statistic, "visible": False}]
    yield [{"expression": f"{key} * {cloud.scale:g}", "id": f"e{number}", "label": line.label}]


def _bounds(panel: Panel) -> Iterator[dict[str, Any]]:
    names = {line.metric for line in panel.lines}
    for rule in RULES:
        if rule.metric in names and not rule.counts:
            yield {"label": rule.level, "value": rule.bound}
