"""What a run found, for the front page: ``verdict.json``, its figures and its text."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bqx import figures, performance, skill
from bqx.stages import backtest, monitoring
from bqx.stages.bars import known_shares, load
from bqx.store import Run, atomic, read_json, read_parquet, write_json

CELL = (
    "pair", "horizon", "rows", "known_r2", "r2", "skill", "skill_lo", "skill_hi", "direction",
    "martingale_direction", "gross_sharpe", "net_sharpe", "net_sharpe_lo", "net_sharpe_hi",
    "turnover",
)  # fmt: skip

SUSPECT_SHARPE = 2.0
"""Net Sharpe ratio beyond which a result is taken for a leak until it has been audited."""


def _cells(run: Run) -> pd.DataFrame:
    scored = pd.DataFrame(read_json(run.need("forecasts/cells.json")))
    traded = pd.DataFrame(read_json(run.need("backtest/cells.json")))
    return scored.merge(
        traded.drop(columns=["days", "hit_rate", "drawdown"]), on=["pair", "horizon"]
    )


def _pooled(run: Run, cells: pd.DataFrame) -> list[dict[str, Any]]:
    """Skill and net Sharpe ratio by horizon over all pairs, days resampled jointly."""
    confidence = skill.simultaneous(run.params.confidence, len(run.params.horizons))
    errors = read_parquet(run.need("forecasts/errors.parquet"))
    total = errors.groupby(["pair", "horizon"])["known_loss"].transform("sum")
    errors["loss"] /= total
    errors["known_loss"] /= total
    daily = pd.concat(
        read_parquet(run.need(f"backtest/{pair}.parquet")) for pair in cells["pair"].unique()
    )
    out = []
    for horizon in run.params.horizons:
        days = errors[errors["horizon"] == horizon].groupby("day")[["loss", "known_loss"]].sum()
        low, high = skill.interval(
            days["loss"].to_numpy(), days["known_loss"].to_numpy(), confidence, run.params.seed
        )
        judged = performance.summary(
            backtest.mean_by_day(daily[daily["horizon"] == horizon]), confidence, run.params.seed
        )
        part = cells[cells["horizon"] == horizon]
        out.append(
            {
                "horizon": horizon,
                "known_r2": part["known_r2"].mean(),
                "r2": part["r2"].mean(),
                "direction": part["direction"].mean(),
                "martingale_direction": part["martingale_direction"].mean(),
                "skill": 1.0 - days["loss"].sum() / days["known_loss"].sum(),
                "skill_lo": low,
                "skill_hi": high,
                "unshrunk_skill": part["unshrunk_skill"].mean(),
                "gross_sharpe": judged.gross_sharpe,
                "net_sharpe": judged.net_sharpe,
                "net_sharpe_lo": judged.net_sharpe_lo,
                "net_sharpe_hi": judged.net_sharpe_hi,
                "reason": judged.reason,
            }
        )
    return out


def _why(row: dict[str, Any]) -> dict[str, str]:
    absent = {name for name in CELL if row[name] is None}
    reasons = {name: row["reason"] for name in absent if "sharpe" in name or name == "turnover"}
    if "martingale_direction" in absent:
        reasons["martingale_direction"] = "the martingale forecast of this target is 0 everywhere"
    return reasons | dict.fromkeys(absent - set(reasons), "not defined on these rows")


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def write(run: Run) -> dict[str, Any]:
    """Write ``verdict.json`` and the front page's figures; return the verdict.

    Raises ArtefactError when a notebook of the run is missing.
    """
    cells = _cells(run)
    dataset = load(run)
    features = read_json(run.need("catalog.json"))
    stages = run.stages
    rows = _plain(cells)
    drift = read_parquet(run.need("drift/drift.parquet"))
    verdict = {
        "run": {
            "catalog_hash": run.manifest.get("catalog_hash"),
            "data_hash": run.manifest.get("data_hash"),
            "code_version": run.manifest.get("code_version"),
            "features": len(features),
            "pairs": len(dataset.bars),
            "bars": int(dataset.coverage["rows"].sum()),
            "from": str(next(iter(dataset.bars.values())).ts[0]),
            "to": str(next(iter(dataset.bars.values())).ts[-1]),
            "market": dataset.market["mode"] if dataset.market else "files",
            "target": run.params.target,
            "target_window": run.params.target_window,
            "confidence": run.params.confidence,
            "seconds": round(sum(stage["seconds"] for stage in stages.values()), 1),
            "peak_mb": max(stage["peak_mb"] for stage in stages.values()),
            "drifted_share": float(drift["drifted"].mean()),
        },
        "horizons": _plain(pd.DataFrame(_pooled(run, cells))),
        "cells": [{name: row[name] for name in CELL} | {"why": _why(row)} for row in rows],
    }
    write_json(run.folder / "verdict.json", verdict)
    _draw(run.folder / "figures" / "known.png", figures.mechanical_share(known_shares(dataset)))
    _draw(run.folder / "figures" / "skill.png", figures.skill_by_horizon(cells))
    return verdict


def _draw(path: Path, figure: Figure) -> None:
    with atomic(path) as temporary:
        # Without the date and the version, the same run draws the same bytes.
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


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
        what = "a planted signal" if facts["market"] == "planted" else "no signal at all"
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
        "Costs are half spreads only: slippage, commission and rollover are not charged yet, and "
        "fills are taken at the next bar's open."
    )
    return doubts


def front_page(run: Run) -> str:
    """The book's first page in MyST Markdown, from ``verdict.json``."""
    verdict = read_json(run.folder / "verdict.json")
    facts = verdict["run"]
    lines = [
        "# What this run found",
        "",
        _headline(verdict),
        "",
        f"{facts['pairs']} pairs, {facts['bars']:,} bars from {facts['from'][:16]} to "
        f"{facts['to'][:16]} UTC ({_market(facts['market'])}), {facts['features']} features. "
        f"Target: {facts['target']} of BQX over {_window(facts['target_window'])}.",
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
        "held them back. In parentheses what the martingale forecast reaches without information.",
        "",
        "| Horizon | Skill | Unshrunk | Net Sharpe ratio | Raw R² | Direction |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in verdict["horizons"]:
        lines.append(
            f"| {row['horizon']} min | {_span(row, 'skill', '+.3f')} | "
            f"{_number(row['unshrunk_skill'], '+.3f')} | "
            f"{_span(row, 'net_sharpe', '+.1f')} | {_number(row['r2'])} "
            f"({_number(row['known_r2'])}) | {_number(row['direction'], '.1%')} "
            f"({_number(row['martingale_direction'], '.1%')}) |"
        )
    idle = [row for row in verdict["horizons"] if row["reason"]]
    if idle:
        said = "; ".join(f"{row['horizon']} min: {row['reason']}" for row in idle)
        lines += ["", f"Without a Sharpe ratio: {said}."]
    lines += ["", "A skill of exactly 0 means that every forecast was the martingale's: no model "
              "could be told from noise on its validation part."]  # fmt: skip
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


def _market(name: str) -> str:
    return "from files" if name == "files" else f"synthetic market, {name}"


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
