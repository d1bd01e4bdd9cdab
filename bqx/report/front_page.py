"""The book's first page and the one behind it: what ``verdict.json`` says, in words and tables."""

from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from bqx.evaluation.overfitting import LEAST_DEFLATED, MOST_OVERFITTING
from bqx.report import claims, lines
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.stages import monitoring, registry

TEMPLATES = {
    name: Path(__file__).with_name(f"{template}.md.jinja")
    for name, template in {"index": "front_page", "details": "details"}.items()
}
"""Pages of the book, by their names there."""

SUSPECT_SHARPE = 2.0
"""Net Sharpe ratio beyond which a result is taken for a leak until it has been audited."""


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None or not np.isfinite(value) else format(value, form)


def _basis(share: float | None) -> str:
    """A share of variance in basis points, which are named in the table's head."""
    return "–" if share is None else f"{1e4 * share + 0.0:+.1f}"


def basis_span(row: dict[str, Any], name: str) -> str:
    """A skill with its interval in basis points; a 0 that is exact as such, with its test."""
    scaled = {key: None if row[key] is None else 1e4 * row[key] for key in _ends(name)}
    if row[name] == 0.0 and "t" in row:
        return f"0 (t\u00a0{_number(row['t'], '.1f')} of {_number(row['bound'], '.1f')})"
    return span(scaled, name, "+.1f")


def _ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_lo", f"{name}_hi"


def span(row: dict[str, Any], name: str, form: str) -> str:
    """A value of a row with its interval, a dash where there is none."""
    if row[name] is None:
        return "–"
    if row[name] == row[f"{name}_lo"] == row[f"{name}_hi"] == 0:
        return "0"
    low, high = (_number(row[f"{name}_{end}"], form) for end in ("lo", "hi"))
    # In a narrow column the interval goes below its value, whole.
    return f"{_number(row[name], form)} [{low},\u00a0{high}]"


def doubts(verdict: dict[str, Any]) -> list[str]:
    """Why a verdict may say too much."""
    facts, rows, cells = verdict["run"], verdict["horizons"], verdict["cells"]
    sentences = []
    if facts["market"] != "files":
        what = "no signal at all" if facts["market"] == "null" else "a planted signal"
        sentences.append(
            f"The bars are synthetic, with {what}: this run tests the pipeline, it says nothing "
            "about any market."
        )
    known_r2 = max((row["known_r2"] or 0.0) for row in rows)
    if known_r2 > 0.05:
        sentences.append(
            f"The raw R² of {max(row['r2'] or 0.0 for row in rows):.2f} looks high because up to "
            f"{known_r2:.2f} of it is known in advance. Read the skill instead."
        )
    if verdict["run"]["drifted_share"] > 0.1:
        sentences.append(
            f"{verdict['run']['drifted_share']:.0%} of the selected columns drifted between a "
            "training part and its test part: the models met another market than they learnt."
        )
    suspect = sum((cell["net_sharpe"] or 0) > SUSPECT_SHARPE for cell in cells)
    if suspect:
        sentences.append(
            f"{suspect} of {len(cells)} cells of a pair and horizon have a net Sharpe ratio beyond "
            f"{SUSPECT_SHARPE:g}: on so few days that is chance or a leak until it has been "
            "audited (on a planted market it is the planted signal)."
        )
    idle = sum(cell["net_sharpe"] is None for cell in cells)
    if idle:
        sentences.append(
            f"{idle} of {len(cells)} cells hardly traded, or not: no Sharpe ratio is given of "
            f"{'it' if idle == 1 else 'them'}."
        )
    sentences.append(
        f"Fills on a {facts['account']} account are taken at a bar's open, for half the spread, "
        f"{facts['slippage']:g} pips "
        f"of slippage and {facts['commission']:g} bp of commission beyond its own; rollovers cost "
        f"{facts['markup']:g} % a year beyond the interest. A real order may fare worse."
    )
    return sentences


def _signals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Horizons, and the net Sharpe ratio of every signal at each, None where there is none."""
    horizons = sorted({row["horizon"] for row in rows})
    ratios: dict[str, dict[int, float | None]] = {}
    for row in rows:
        signal_ratios = ratios.setdefault(row["signal"], dict.fromkeys(horizons))
        signal_ratios[row["horizon"]] = row["net_sharpe"]
    return {"horizons": horizons, "rows": ratios}


def pages(run: Run) -> dict[str, str]:
    """The pages in MyST Markdown, by name."""
    verdict = artefacts.VERDICT.read_in(run.folder)
    drift = monitoring.sentence(run)
    return {name: render(name, verdict, drift) for name in TEMPLATES}


def render(name: str, verdict: dict[str, Any], drift: str) -> str:
    """The page ``name`` of a verdict, and of what is said of drift."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"number": _number, "span": span, "short": _short, "basis": _basis}
    environment.filters |= {"basis_span": basis_span, "claim": claims.sentence}
    environment.filters |= {"paying": lines.paying}
    template = environment.from_string(TEMPLATES[name].read_text(encoding="utf-8"))
    reasons = registry.against(verdict["registry"])
    return template.render(
        **verdict | {"signals": _signals(verdict["signals"])},
        doubts=doubts(verdict),
        approved=lines.approved(verdict),
        against=reasons.groupby("pair")["against it"].apply(list).to_dict(),
        drift=drift,
        least_deflated=f"{LEAST_DEFLATED:g}",
        most_overfitting=f"{MOST_OVERFITTING:g}",
    )


def _short(value: str | None) -> str:
    return (value or "")[:12]
