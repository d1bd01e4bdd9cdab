"""The alert rules as Prometheus evaluates them, from the same list as `bqx alert`."""

from typing import Any

import yaml

from bqx.monitoring.metrics import BY_NAME
from bqx.operations.alert_rules import RULES, Rule
from bqx.operations.alerts import RUNBOOK
from bqx.operations.panels import query

GROUP = "bqx"


def name(rule: Rule) -> str:
    """Name of a rule's alert.

    >>> from bqx.operations.alert_rules import BY_NAME
    >>> name(BY_NAME["endpoint_down"])
    'BqxEndpointDown'
    """
    return "Bqx" + rule.name.title().replace("_", "")


def expression(rule: Rule) -> str:
    """What holds while a rule fires: beyond its bound, or not yet within the clearing one."""
    value = query(BY_NAME[rule.metric])
    sign = ">" if rule.above else "<"
    beyond = f"{value} {sign} {rule.bound:g}"
    if rule.clear == rule.bound:
        return beyond
    firing = f'ALERTS{{alertname="{name(rule)}", alertstate="firing"}}'
    return f"{beyond} or ({value} {sign} {rule.clear:g} and on() {firing})"


def rules(runbook: str = RUNBOOK) -> dict[str, Any]:
    """The file of rules."""
    return {"groups": [{"name": GROUP, "rules": [_rule(rule, runbook) for rule in RULES]}]}


def text(runbook: str = RUNBOOK) -> str:
    """The file of rules as YAML."""
    return yaml.safe_dump(rules(runbook), sort_keys=False, width=1_000)


def _rule(rule: Rule, runbook: str) -> dict[str, Any]:
    lasting = {"for": f"{rule.minutes:g}m"} if rule.minutes else {}
    kept = {"keep_firing_for": f"{rule.clear_minutes:g}m"} if rule.clear_minutes else {}
    return {
        "alert": name(rule),
        "expr": expression(rule),
        **lasting,
        **kept,
        "labels": {"severity": rule.level},
        "annotations": {
            "summary": rule.title,
            "description": f"{rule.metric} is {{{{ $value | humanize }}}}",
            "runbook_url": f"{runbook}#{rule.runbook}",
        },
    }
