"""What benchmarks and studies have found, as short texts."""

from collections.abc import Mapping, Sequence
from typing import Any

MARKETS = {"strong": "momentum", "lead": "lead", "real": "real majors"}


def per_cent(value: float | None) -> str:
    """A share in per cent, with more digits where it is small.

    >>> per_cent(0.0587), per_cent(0.000587), per_cent(None)
    ('5.9 %', '0.059 %', '–')
    """
    if value is None:
        return "–"
    digits = 1 if abs(value) >= 0.01 or value == 0.0 else 3
    return f"{100 * value:.{digits}f} %"


def ranged(values: Sequence[float | None], form: str) -> str:
    """Smallest and largest of some values.

    >>> ranged([0.5, 0.5], "{:.2f}"), ranged([0.1, 0.5, None], "{:.2f}"), ranged([], "{}")
    ('0.50', '0.10 to 0.50', 'none')
    """
    texts = list(dict.fromkeys(form.format(v) for v in sorted(v for v in values if v is not None)))
    return " to ".join(texts if len(texts) < 2 else (texts[0], texts[-1])) or "none"


def goal(benchmarks: Mapping[str, Any], what: str) -> str:
    """A figure of the benchmarks with its unit; empty where it was not measured."""
    for module in benchmarks.values():
        for result in module.get("goals", ()):
            if result["what"] == what:
                return f"{result['found']:g} {result['unit']}"
    return ""


def kept_by_selection(studies: Mapping[str, Any]) -> str:
    """Skill of the selected columns as a share of all candidates', market by market."""
    texts = []
    for name, market in studies.get("test_ablation_study", {}).get("ablation", {}).items():
        whole, selected = (row["skill"] for row in market["table"][:2])
        if whole > 0.0:
            texts.append(f"{selected / whole:.0%} ({MARKETS[name]})")
        else:
            texts.append(f"no skill to keep ({MARKETS[name]})")
    return ", ".join(texts)


def year_of(studies: Mapping[str, Any]) -> dict[str, str]:
    """Skill lost from the first to the last quarter of a year whose signal fades, and the time of
    an update."""
    study = studies.get("test_online_learning", {})
    texts = {}
    for name in ("static", "online"):
        for market in [study["online"]["gradual"]] if "online" in study else []:
            months = [row[name] for row in market["months"]]
            first, last = sum(months[:3]) / 3, sum(months[-3:]) / 3
            texts[name] = f"{per_cent(first)} of skill at first, {per_cent(last)} at last"
    if "update" in study:
        texts["update"] = f"{study['update']['seconds']:.1f} s"
    return texts
