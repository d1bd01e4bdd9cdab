"""What a run found, in numbers: ``verdict.json`` and the front page's figures."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bqx.evaluation import skill
from bqx.imported_code import module_hash
from bqx.report import figures
from bqx.runs.run import Run, atomic, read_json, read_parquet, write_json
from bqx.stages import backtest, candidates, promotion, registry
from bqx.stages.bars import known_shares, load
from bqx.trading import performance

CELL = (
    "pair", "horizon", "rows", "known_r2", "r2", "skill", "skill_lo", "skill_hi", "direction",
    "martingale_direction", "coverage", "gross_sharpe", "net_sharpe", "net_sharpe_lo",
    "net_sharpe_hi", "net_sharpe_2x", "turnover", "break_even", "deflated", "pbo", "promoted",
)  # fmt: skip

NEVER = "the same net profit on all days at this spread"
"""Why a Sharpe ratio lacks where the account at the spread itself has one."""


def _cells(run: Run) -> pd.DataFrame:
    scored = pd.DataFrame(read_json(run.need("forecasts/cells.json")))
    traded = pd.DataFrame(read_json(run.need("backtest/cells.json")))
    decided = promotion.decide(run)[["pair", "horizon", "deflated", "pbo", "promoted", "trials"]]
    made = traded.drop(columns="days").merge(decided, on=["pair", "horizon"])
    return scored.merge(made, on=["pair", "horizon"])


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
        gain = skill.interval(
            days["loss"].to_numpy(), days["known_loss"].to_numpy(), confidence, run.params.seed
        )
        account = backtest.mean_by_day(daily[daily["horizon"] == horizon])
        judged, dearer = (
            performance.summary(
                performance.at_spread(account, multiple), confidence, run.params.seed
            )
            for multiple in (1.0, backtest.TWICE)
        )
        part = cells[cells["horizon"] == horizon]
        out.append(
            {
                "horizon": horizon,
                "known_r2": part["known_r2"].mean(),
                "r2": part["r2"].mean(),
                "direction": part["direction"].mean(),
                "martingale_direction": part["martingale_direction"].mean(),
                **gain.row("skill"),
                "unshrunk_skill": part["unshrunk_skill"].mean(),
                "gross_sharpe": judged.gross_sharpe,
                "net_sharpe": judged.net_sharpe,
                "net_sharpe_lo": judged.net_sharpe_lo,
                "net_sharpe_hi": judged.net_sharpe_hi,
                "net_sharpe_2x": dearer.net_sharpe,
                "coverage": part["coverage"].mean(),
                "reason": judged.reason,
            }
        )
    return out


def _signals(run: Run) -> pd.DataFrame:
    """Net Sharpe ratio of the forecasts and of signals without a model: a row a signal, horizon."""
    made = pd.DataFrame(read_json(run.need("backtest/comparators.json")))
    return made[["signal", "horizon", "trades", "net_sharpe", "net_sharpe_lo", "net_sharpe_hi"]]


def _why(row: dict[str, Any]) -> dict[str, str]:
    absent = {name for name in CELL if row[name] is None}
    reasons = {name: row["reason"] for name in absent if "sharpe" in name or name == "turnover"}
    reasons = {name: why or NEVER for name, why in reasons.items()}
    if "martingale_direction" in absent:
        reasons["martingale_direction"] = "the martingale forecast of this target is 0 everywhere"
    few = "too few days or trials to tell"
    reasons |= {name: few for name in ("deflated", "pbo") if name in absent}
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
            "code_version": module_hash("bqx.cli"),
            "features": len(features),
            "pairs": len(dataset.bars),
            "bars": int(dataset.coverage["rows"].sum()),
            "from": str(next(iter(dataset.bars.values())).ts[0]),
            "to": str(next(iter(dataset.bars.values())).ts[-1]),
            "market": dataset.market["mode"] if dataset.market else "files",
            "target": run.params.target,
            "models": list(candidates.used(run).values()),
            "model": run.params.model,
            "target_window": run.params.target_window,
            "confidence": run.params.confidence,
            "coverage": run.params.coverage,
            "slippage": run.params.slippage,
            "commission": run.params.commission,
            "markup": run.params.markup,
            "seconds": round(sum(stage["seconds"] for stage in stages.values()), 1),
            "peak_mb": max(stage["peak_mb"] for stage in stages.values()),
            "trials": int(cells["trials"].max()),
            "drifted_share": float(drift["drifted"].mean()),
        },
        "horizons": _plain(pd.DataFrame(_pooled(run, cells))),
        "signals": _plain(_signals(run)),
        "registry": registry.read(run),
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
