"""The book's first page: what ``verdict.json`` says, in words and tables."""

from typing import Any

import numpy as np

from bqx.evaluation.overfitting import LEAST_DEFLATED, MOST_OVERFITTING
from bqx.files import read_json
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.stages import monitoring, registry

SUSPECT_SHARPE = 2.0
"""Net Sharpe ratio beyond which a result is taken for a leak until it has been audited."""


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None or not np.isfinite(value) else format(value, form)


def _span(row: dict[str, Any], name: str, form: str) -> str:
    if row[name] is None:
        return "–"
    if row[name] == row[f"{name}_lo"] == row[f"{name}_hi"] == 0:
        return "0"
    low, high = (_number(row[f"{name}_{end}"], form) for end in ("lo", "hi"))
    # Non-breaking spaces, or a narrow column would tear the interval apart.
    return f"{_number(row[name], form)}\u00a0[{low},\u00a0{high}]"


def _headline(verdict: dict[str, Any]) -> str:
    found = [row["horizon"] for row in verdict["horizons"] if (row["skill_lo"] or 0) > 0]
    paid = [row["horizon"] for row in verdict["horizons"] if (row["net_sharpe_lo"] or 0) > 0]
    cells = verdict["cells"]
    certain = sum((cell["skill_lo"] or 0) > 0 for cell in cells)
    skilled = (
        f"There is skill over the martingale forecast at {_minutes(found)}"
        if found
        else "No skill over the martingale forecast was found at any horizon"
    )
    traded = (
        f"and it pays for its costs at {_minutes(paid)}"
        if paid
        else "and no horizon makes money after costs that is more than chance"
    )
    return (
        f"**{skilled}, {traded}.** Of {len(cells)} pairs and horizons, {certain} have a skill "
        "whose own interval, which allows for all of them at once, lies above zero."
    )


def _minutes(horizons: list[int]) -> str:
    return ", ".join(map(str, horizons)) + " minutes"


def _doubts(verdict: dict[str, Any]) -> list[str]:
    facts, rows, cells = verdict["run"], verdict["horizons"], verdict["cells"]
    doubts = []
    if facts["market"] != "files":
        what = "no signal at all" if facts["market"] == "null" else "a planted signal"
        doubts.append(
            f"The bars are synthetic, with {what}: this run tests the pipeline, it says nothing "
            "about any market."
        )
    known = max((row["known_r2"] or 0.0) for row in rows)
    if known > 0.05:
        doubts.append(
            f"The raw R² of {max(row['r2'] or 0.0 for row in rows):.2f} looks high because up to "
            f"{known:.2f} of it is known in advance. Read the skill instead."
        )
    if verdict["run"]["drifted_share"] > 0.1:
        doubts.append(
            f"{verdict['run']['drifted_share']:.0%} of the selected columns drifted between a "
            "training part and its test part: the models met another market than they learnt."
        )
    if any((cell["net_sharpe"] or 0) > SUSPECT_SHARPE for cell in cells):
        doubts.append(
            f"A net Sharpe ratio beyond {SUSPECT_SHARPE:g} on so few days is chance or a leak "
            "until it has been audited (on a planted market it is the planted signal)."
        )
    idle = sum(cell["net_sharpe"] is None for cell in cells)
    if idle:
        doubts.append(
            f"{idle} of {len(cells)} cells hardly traded, or not, and have no Sharpe ratio."
        )
    doubts.append(
        f"Fills are taken at the next bar's open, for half the spread, {facts['slippage']:g} pips "
        f"of slippage and {facts['commission']:g} bp of commission; rollovers cost "
        f"{facts['markup']:g} % a year beyond the interest. A real order may fare worse."
    )
    return doubts


def page(run: Run) -> str:
    """The page in MyST Markdown."""
    verdict = read_json(run.folder / artefacts.VERDICT.path())
    facts = verdict["run"]
    lines = [
        "# What this run found",
        "",
        _headline(verdict),
        "",
        f"{facts['pairs']} pairs, {facts['bars']:,} bars from {facts['from'][:16]} to "
        f"{facts['to'][:16]} UTC ({_market(facts['market'])}), {facts['features']} features. "
        f"Target: {facts['target']} of BQX over {_window(facts['target_window'])}. "
        f"{_models(facts)}",
        "",
        "```{figure} figures/skill.png",
        ":alt: Raw R² and skill by pair and horizon",
        "",
        "Above, what is usually reported: the raw R² and, as black bars, the part known in "
        "advance. Below, what is left: skill against the martingale forecast.",
        "```",
        "",
        "## By horizon",
        "",
        f"All pairs together; the intervals hold jointly with {facts['confidence']:.0%} "
        "confidence. *Unshrunk* is the mean skill of the models' own forecasts, had validation not "
        "held them back; in parentheses the net Sharpe ratio at twice the spread. *Inside* is the "
        f"share of labels in the forecasts' intervals, {facts['coverage']:.0%} asked for.",
        "",
        "| Horizon | Skill | Unshrunk | Net Sharpe ratio | Inside |",
        "|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['horizon']} min | {_span(row, 'skill', '+.3f')} | "
        f"{_number(row['unshrunk_skill'], '+.3f')} | "
        f"{_span(row, 'net_sharpe', '+.1f')} ({_number(row['net_sharpe_2x'], '+.1f')}) | "
        f"{_number(row['coverage'], '.1%')} |"
        for row in verdict["horizons"]
    ]
    lines += [
        "",
        "What is usually reported, and what the martingale forecast reaches without information:",
        "",
        "| Horizon | Raw R² | Martingale's | Direction | Martingale's |",
        "|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['horizon']} min | {_number(row['r2'])} | {_number(row['known_r2'])} | "
        f"{_number(row['direction'], '.1%')} | {_number(row['martingale_direction'], '.1%')} |"
        for row in verdict["horizons"]
    ]
    idle = [row for row in verdict["horizons"] if row["reason"]]
    if idle:
        said = "; ".join(f"{row['horizon']} min: {row['reason']}" for row in idle)
        lines += ["", f"Without a Sharpe ratio: {said}."]
    lines += ["", "A skill of exactly 0 means that every forecast was the martingale's: no model "
              "could be told from noise on its validation part."]  # fmt: skip
    lines += ["", "## What the model adds", "", *_signal_table(verdict["signals"])]
    lines += ["", "## Promotion", "", _promotion(verdict)]
    lines += ["", "## Registry", "", *_registry(verdict["registry"])]
    lines += ["", "## What to distrust", "", *(f"- {doubt}" for doubt in _doubts(verdict))]
    lines += ["", "## Drift", "", monitoring.sentence(run)]
    lines += ["", "## All pairs and horizons", "", *_cell_table(verdict["cells"])]
    lines += [
        "",
        "## This run",
        "",
        f"Bars `{_short(facts['data_hash'])}`, catalog `{_short(facts['catalog_hash'])}`, code "
        f"`{_short(facts['code_version'])}`; {facts['seconds']:.0f} seconds of work, at most "
        f"{facts['peak_mb']:.0f} MB.",
        "",
    ]
    return "\n".join(lines)


def _promotion(verdict: dict[str, Any]) -> str:
    cells, trials = verdict["cells"], verdict["run"]["trials"]
    passed = [f"{cell['pair']} {cell['horizon']} min" for cell in cells if cell["promoted"]]
    found = (
        f"{len(passed)} of {len(cells)} cells may be promoted: {', '.join(passed)}."
        if passed
        else f"None of the {len(cells)} cells may be promoted."
    )
    return (
        f"{found} The ledger beside the runs counts {trials:,} trials on these bars, this run's "
        f"included; a cell must have a skill whose interval lies above 0, a deflated Sharpe ratio "
        f"of at least {LEAST_DEFLATED:g} given so many trials, and a probability of backtest "
        f"overfitting of at most {MOST_OVERFITTING:g}."
    )


def _registry(rows: list[dict[str, Any]]) -> list[str]:
    approved = [row["pair"] for row in rows if row["status"] == "approved"]
    lines = [
        f"{len(approved)} of {len(rows)} versions are approved"
        + (f" and served: {', '.join(approved)}." if approved else "; nothing is served.")
        + " A version is approved where a horizon passes all that a promotion asks, no feature is "
        "missing, and a forecast is fast enough.",
        "",
        "| Pair | Version | Model | Status | Horizons that passed | Against it |",
        "|---|---:|---|---|---|---|",
    ]
    found = registry.against(rows)
    for row in rows:
        why = ", ".join(found.loc[found["pair"] == row["pair"], "against it"])
        lines.append(
            f"| {row['pair']} | {row['version']} | {row['model']} | {row['status']} | "
            f"{', '.join(map(str, row['horizons'])) or '–'} | {why or '–'} |"
        )
    return lines


def _signal_table(rows: list[dict[str, Any]]) -> list[str]:
    horizons = sorted({row["horizon"] for row in rows})
    lines = [
        "Net Sharpe ratio of the mean over pairs, beside signals that need no model, at the same "
        "costs on the same rows. A dash did not trade, or hardly.",
        "",
        "| Signal | " + " | ".join(f"{horizon} min" for horizon in horizons) + " |",
        "|---|" + "---:|" * len(horizons),
    ]
    for signal in dict.fromkeys(row["signal"] for row in rows):
        found = {row["horizon"]: row["net_sharpe"] for row in rows if row["signal"] == signal}
        values = " | ".join(_number(found[horizon], "+.1f") for horizon in horizons)
        lines.append(f"| {signal} | {values} |")
    return lines


def _market(name: str) -> str:
    return "from files" if name == "files" else f"synthetic market, {name}"


def _models(facts: dict[str, Any]) -> str:
    names = list(dict.fromkeys(facts["models"]))
    folds = "" if len(names) == 1 else f" (fold by fold: {', '.join(facts['models'])})"
    how = "chosen on validation rows" if facts["model"] == "chosen" else "as asked"
    return f"Model: {' or '.join(names)}{folds}, {how}."


def _window(window: int | str) -> str:
    return "as many minutes as the horizon" if window == "matched" else f"{window} minutes"


def _short(value: str | None) -> str:
    return (value or "")[:12]


def _cell_table(cells: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"```{{dropdown}} {len(cells)} cells; each interval allows for all of them at once",
        "",
        "| Pair | Horizon | Skill | Net Sharpe ratio | Turnover a day | Raw R² |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for cell in cells:
        lines.append(
            f"| {cell['pair']} | {cell['horizon']} min | {_span(cell, 'skill', '+.3f')} | "
            f"{_span(cell, 'net_sharpe', '+.1f')} | {_number(cell['turnover'], '.2f')} | "
            f"{_number(cell['r2'])} ({_number(cell['known_r2'])}) |"
        )
    return [*lines, "```"]
