"""Dashboards and Prometheus's rules: generated from the one list, and valid for what reads them."""

import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import boto3
import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard
from moto import mock_aws

from bqx import cli
from bqx.cloud import calls
from bqx.monitoring import metrics
from bqx.monitoring.measured import Measurements
from bqx.operations import cloudwatch, grafana, panels, prometheus
from bqx.operations.alert_rules import RULES
from bqx.operations.judgement import Standing, judge
from bqx.serving.metered import SECONDS

SIX = [
    "Invocations a minute",
    "Latency",
    "Error rate",
    "R² and skill, 24 hours",
    "Drift",
    "Scaling",
]
GROUPS = ["Model", "API", "Endpoint", "Quality of the bars", "Cost to date"]


def test_the_six_panels_and_the_groups_are_there():
    rows = panels.rows()
    assert list(rows) == ["How it does", *GROUPS, "Online learning"]
    assert [panel.title for panel in rows["How it does"]] == SIX
    assert [line.label for line in rows["How it does"][1].lines] == ["P50", "P95", "P99"]
    assert {line.metric for line in rows["How it does"][3].lines} == {"r2", "skill"}


def test_every_metric_is_on_the_dashboards():
    shown = {line.metric for row in panels.rows().values() for p in row for line in p.lines}
    assert shown == {metric.name for metric in metrics.METRICS}
    assert {metric.group for metric in metrics.METRICS} == set(metrics.GROUPS)


def test_queries_read_what_the_server_tells():
    exposed = {metric.exposed for metric in metrics.METRICS}
    exposed |= {f"{metrics.BY_NAME['request_seconds'].exposed}_bucket"}
    queries = [line.query for row in panels.rows().values() for p in row for line in p.lines]
    for text in [*queries, *map(prometheus.expression, RULES)]:
        assert set(re.findall(r"bqx_\w+", text)) <= exposed
    assert {0.1, 0.15, 0.2, 0.3, 0.5} <= set(SECONDS)


def overlaps(places):
    cells = [
        (x, y)
        for left, top, width, height in places
        for x in range(left, left + width)
        for y in range(top, top + height)
    ]
    assert all(0 <= x < 24 for x, _ in cells)
    return len(cells) != len(set(cells))


def test_grafana_takes_its_dashboard():
    content = grafana.content("https://x/runbook.html")
    built = Dashboard.from_json(content)
    shown = [panel for panel in built.panels if panel.type_val == "timeseries"]
    assert [panel.title for panel in shown[:6]] == SIX
    assert len({panel.id_val for panel in shown}) == len(shown)
    places = [(p.grid_pos.x, p.grid_pos.y, p.grid_pos.w, p.grid_pos.h) for p in built.panels]
    assert not overlaps(places)
    for panel, own in zip(shown, (p for row in panels.rows().values() for p in row), strict=True):
        assert panel.title == own.title
        assert panel.datasource.uid == "${datasource}"
        assert panel.field_config.defaults.unit
    raw = [panel for panel in content["panels"] if panel["type"] == "timeseries"]
    queries = [target["expr"] for panel in raw for target in panel["targets"]]
    own = [line.query for row in panels.rows().values() for p in row for line in p.lines]
    assert queries == own
    latency = shown[1].field_config.defaults.thresholds.steps
    assert [step.value for step in latency] == [None]
    assert built.links[0].url == "https://x/runbook.html"


def test_cloudwatch_takes_its_dashboard_and_the_metrics_on_it(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    numbers = {metric.name: 0.5 for metric in metrics.MEASURED} | {"skill": None}
    with mock_aws():
        of = calls.clients("us-east-1")
        calls.make_all([cloudwatch.put("us-east-1")], of)
        calls.make_all([cloudwatch.publish(Measurements(1.7e9, numbers))], of)
        client = boto3.client("cloudwatch", "us-east-1")
        body = json.loads(client.get_dashboard(DashboardName="bqx")["DashboardBody"])
        known = {own["MetricName"] for own in client.list_metrics(Namespace="bqx")["Metrics"]}
    widgets = body["widgets"]
    assert not overlaps([(w["x"], w["y"], w["width"], w["height"]) for w in widgets])
    drawn = [w["properties"] for w in widgets if w["type"] == "metric"]
    assert [own["title"] for own in drawn[:6]] == SIX
    headings = [w["properties"]["markdown"] for w in widgets if w["type"] == "text"]
    assert [heading.removeprefix("## ") for heading in headings] == list(panels.rows())
    lines = [row for own in drawn for row in own["metrics"]]
    own = {row[1] for row in lines if row[0] == "bqx"}
    assert own == known | {"skill"}
    for row in lines:
        assert isinstance(row[-1], dict)
        assert isinstance(row[0], dict) or (len(row) - 1) % 2 == 0
    for properties in drawn:
        names = [row[-1]["id"] for row in properties["metrics"]]
        assert len(names) == len(set(names))
    bounds = {a["value"] for p in drawn for a in p.get("annotations", {}).get("horizontal", ())}
    assert bounds == {rule.bound for rule in RULES if not rule.counts}


def test_the_commands_print_what_is_imported(tmp_path, capsys):
    assert cli.main(["dashboard", "grafana"]) == 0
    assert json.loads(capsys.readouterr().out)["uid"] == "bqx"
    assert cli.main(["dashboard", "rules", "--runbook", "https://x/r"]) == 0
    (group,) = yaml.safe_load(capsys.readouterr().out)["groups"]
    assert len(group["rules"]) == len(RULES)
    account = tmp_path / "cloud.yaml"
    account.write_text("{account: '123456789012', region: us-east-1, bucket: b, role: r}")
    assert cli.main(["dashboard", "cloudwatch", "--account", str(account)]) == 0
    call = json.loads(capsys.readouterr().out)["cloudwatch.put_dashboard"]
    assert json.loads(call["DashboardBody"])["widgets"]


def test_prometheus_has_every_rule_with_its_bounds_and_page():
    (group,) = yaml.safe_load(prometheus.text("https://x/r"))["groups"]
    for rule, own in zip(RULES, group["rules"], strict=True):
        assert own["labels"] == {"severity": rule.level}
        assert own["annotations"]["runbook_url"] == f"https://x/r#{rule.runbook}"
        assert own.get("for", "0m") == f"{rule.minutes:g}m"
        assert own.get("keep_firing_for", "0m") == f"{rule.clear_minutes:g}m"
        sign = ">" if rule.above else "<"
        assert f" {sign} {rule.bound:g}" in own["expr"]
        assert rule.clear == rule.bound or f" {sign} {rule.clear:g} and on() ALERTS" in own["expr"]


PROMTOOL = os.environ.get("BQX_PROMTOOL") or shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="needs promtool, of Debian's prometheus, on the PATH or BQX_PROMTOOL"
)
STEADY = 40
"""Minutes of each state: longer than any rule's, and than the windows of its query."""


def judged(rule):
    """Values minute by minute, good, bad and good again, and the minutes at which it fires."""
    bad = rule.bound + (0.01 if rule.above else -0.01)
    values = [rule.clear] * STEADY + [bad] * STEADY + [rule.clear] * STEADY
    standing, firing = Standing(), []
    for minute, value in enumerate(values):
        standing, _ = judge(rule, standing, 60.0 * minute, {rule.metric: value})
        firing.append(standing.firing is not None)
    return values, firing


def series(rule, values):
    """Series of Prometheus that have these values."""
    if rule.metric == "endpoint_up":
        return {f'up{{job="{panels.JOB}"}}': values}
    if rule.metric not in panels.QUERIES:
        return {metrics.BY_NAME[rule.metric].exposed: values}
    return None


def samples(values):
    return " ".join(f"{value:.6g}" for value in values)


def states(name, at):
    expression = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
    return [
        {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"value": int(fires)}]}
        for minute, fires in at
    ]


def counters(rule):
    """Counters whose query is good, bad and good again."""
    bad, good = {
        "error_rate": ((6, 94), (3, 97)),
        "cache_hit_rate": ((30, 70), (10, 90)),
        "latency_p99_ms": ((100, 0), (0, 100)),
    }[rule.metric]
    pieces = [cumulative(steps) for steps in zip(good, bad, good, strict=True)]
    first, second = map(samples, pieces)
    if rule.metric == "error_rate":
        labels = 'bqx_requests_total{route="/predict",code="%s"}'
        return {labels % 500: first, labels % 200: second}
    if rule.metric == "cache_hit_rate":
        labels = 'bqx_forecasts_total{source="%s"}'
        return {labels % "computed": first, labels % "memory": second}
    every = samples([sum(pair) for pair in zip(*pieces, strict=True)])
    labels = 'bqx_request_seconds_bucket{route="/predict",le="%s"}'
    return {labels % 0.1: second, labels % 0.5: second, labels % 1.0: every, labels % "+Inf": every}


def cumulative(steps):
    """A counter that grows by each step for some minutes."""
    return list(itertools.accumulate(step for step in steps for _ in range(STEADY)))


def case(rule):
    values, firing = judged(rule)
    own = series(rule, values)
    if own is not None:
        # An event's measurement fires for as long as it is the newest.
        expected = [value > rule.bound for value in values] if rule.counts else firing
        edges = {m for m in range(1, len(expected)) if expected[m] != expected[m - 1]}
        at = [(m, expected[m]) for edge in edges for m in (edge - 1, edge)]
        given = {name: samples(own_values) for name, own_values in own.items()}
    else:
        at = [(STEADY - 1, False), (2 * STEADY - 1, True), (3 * STEADY - 1, False)]
        given = counters(rule)
    assert len(at) >= 3
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": text} for name, text in given.items()],
        "promql_expr_test": states(prometheus.name(rule), at),
    }


@needs_promtool
def test_prometheus_takes_the_configuration_of_the_page(tmp_path):
    page = (Path(__file__).parents[1] / "book" / "alerts.md").read_text(encoding="utf-8")
    (config,) = re.findall(r"```yaml\n(rule_files.*?)```", page, re.DOTALL)
    assert yaml.safe_load(config)["scrape_configs"][0]["job_name"] == panels.JOB
    (tmp_path / "prometheus.yml").write_text(config)
    (tmp_path / "rules.yml").write_text(prometheus.text())
    command = [PROMTOOL, "check", "config", tmp_path / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@needs_promtool
def test_promtool_fires_and_clears_every_rule_as_bqx_does(tmp_path):
    (tmp_path / "rules.yml").write_text(prometheus.text())
    checked = subprocess.run(
        [PROMTOOL, "check", "rules", "--lint-fatal", tmp_path / "rules.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [case(rule) for rule in RULES],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    done = subprocess.run(
        [PROMTOOL, "test", "rules", tmp_path / "tests.yml"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
