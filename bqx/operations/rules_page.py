"""The table of the alert rules, as the page on alerts shows it."""

from bqx.monitoring import metrics
from bqx.operations.alert_rules import RULES, Rule

HEADS = "| Level | Fires | Clears | What | Runbook |\n| :-- | :-- | :-- | :-- | :-- |"


def table() -> str:
    """The rules in Markdown, in their order."""
    return "\n".join((HEADS, *map(_row, RULES)))


def _row(rule: Rule) -> str:
    side = "above" if rule.above else "below"
    chance = metrics.chance_of(rule.metric)
    unusual = f", `{chance}` at most {metrics.CHANCE:g}" if chance in metrics.BY_NAME else ""
    fires = f"`{rule.metric}` {side} {rule.bound:g}{_lasting(rule.minutes)}{unusual}"
    within = "at most" if rule.above else "at least"
    clears = f"{within} {rule.clear:g}{_lasting(rule.clear_minutes)}"
    clears = "is an event" if rule.counts else clears
    link = f"[{rule.runbook}](runbook.md#{rule.runbook})"
    return f"| {rule.level} | {fires} | {clears} | {rule.title} | {link} |"


def _lasting(minutes: float) -> str:
    return f" for {minutes:g} min" if minutes else ""
