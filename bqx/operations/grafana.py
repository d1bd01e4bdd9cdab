"""The dashboard of Grafana, on what Prometheus scraped, made by Grafana's own typed builders."""

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)

from bqx.operations.alert_rules import RULES
from bqx.operations.panels import Line, Panel, rows

UNITS = {
    "1": "short",
    "count": "short",
    "ms": "ms",
    "s": "s",
    "min": "m",
    "bytes": "bytes",
    "bp": "suffix: bp",
    "USD": "currencyUSD",
}
"""Grafana's names of the units."""

SOURCE = "${datasource}"
COLUMNS = 24


def content(runbook: str = "") -> dict[str, Any]:
    """The dashboard as Grafana imports it; ``runbook`` is the address it links."""
    board = (
        dashboard.Dashboard("bqx")
        .uid("bqx")
        .tags(["bqx"])
        .timezone("utc")
        .refresh("1m")
        .time("now-24h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
    )
    if runbook:
        link = dashboard.DashboardLink("Runbook").type(DashboardLinkType.LINK).url(runbook)
        board = board.link(link)
    number = 0
    for title, panels in rows().items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            number += 1
            board = board.with_panel(_panel(panel, number))
    built: dict[str, Any] = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    return built


def _panel(panel: Panel, number: int) -> timeseries.Panel:
    chart = (
        timeseries.Panel()
        .id(number)
        .title(panel.title)
        .description(panel.about)
        .unit(UNITS[panel.unit])
        .datasource(DataSourceRef(type_val="prometheus", uid=SOURCE))
        .span(COLUMNS // 3)
        .height(8)
        .thresholds(_thresholds(panel))
    )
    for i, line in enumerate(panel.lines):
        chart = chart.with_target(_target(line, "ABC"[i]))
    return chart


def _target(line: Line, letter: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(line.query).legend_format(line.label).ref_id(letter)


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    names = {line.metric for line in panel.lines}
    bounds = [rule.bound for rule in RULES if rule.metric in names and rule.above]
    steps = [Threshold(value=None, color="green")]
    colours = ("orange", "red")[-len(set(bounds)) :] if bounds else ()
    for value, colour in zip(sorted(set(bounds)), colours, strict=True):
        steps.append(Threshold(value=value, color=colour))
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
