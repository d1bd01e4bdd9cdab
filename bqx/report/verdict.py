"""What a run found, in numbers: ``verdict.json`` and the front page's figures."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bqx.evaluation import skill
from bqx.files import atomic, write_json
from bqx.imported_code import module_hash
from bqx.params import Params
from bqx.report import claims, figures
from bqx.runs import artefacts, known_trials
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages import backtest, candidates, promotion, registry
from bqx.stages.bars import Dataset, known_shares, load, summary
from bqx.trading import performance

CELL = (
    *("pair", "horizon", "rows", "known_r2", "r2", "skill", "skill_lo", "skill_hi"),
    *("direction", "martingale_direction", "coverage", "gross_sharpe"),
    *("net_sharpe", "net_sharpe_lo", "net_sharpe_hi", "net_sharpe_2x"),
    *("turnover", "break_even", "deflated", "pbo", "promoted"),
)
"""What the verdict says of every pair and horizon."""

NEVER = "the same net profit on all days at this spread"
"""Why a Sharpe ratio lacks where the account at the spread itself has one."""


def _cells(run: Run) -> pd.DataFrame:
    scored = pd.DataFrame(artefacts.SCORES.read(run))
    traded = pd.DataFrame(artefacts.CELLS.read(run)).drop(columns="days")
    decided = promotion.read(run)[["pair", "horizon", "deflated", "pbo", "promoted", "trials"]]
    return scored.merge(traded.merge(decided, on=["pair", "horizon"]), on=["pair", "horizon"])


def _pooled(run: Run, cells: pd.DataFrame, params: Params) -> list[dict[str, Any]]:
    """Skill and net Sharpe ratio by horizon over all pairs, days resampled jointly."""
    confidence = skill.simultaneous(params.confidence, len(params.horizons))
    errors = artefacts.ERRORS.read(run)
    total = errors.groupby(["pair", "horizon"])["known_loss"].transform("sum")
    errors["loss"] /= total
    errors["known_loss"] /= total
    daily = pd.concat(artefacts.ACCOUNT.read(run, pair=pair) for pair in cells["pair"].unique())
    out = []
    for horizon in params.horizons:
        days = errors[errors["horizon"] == horizon].groupby("day")[["loss", "known_loss"]].sum()
        losses = days["loss"].to_numpy(), days["known_loss"].to_numpy()
        gain = skill.interval(*losses, confidence, params.seed)
        account = backtest.mean_by_day(daily[daily["horizon"] == horizon])
        judged, dearer = (
            performance.summary(performance.at_spread(account, multiple), confidence, params.seed)
            for multiple in (1.0, backtest.TWICE)
        )
        own = cells[cells["horizon"] == horizon]
        means = (
            "known_r2",
            "r2",
            "direction",
            "martingale_direction",
            "unshrunk_skill",
            "coverage",
        )
        out.append(
            {
                "horizon": horizon,
                **{name: own[name].mean() for name in means},
                **gain.row("skill"),
                "gross_sharpe": judged.gross_sharpe,
                "net_sharpe": judged.net_sharpe,
                "net_sharpe_lo": judged.net_sharpe_lo,
                "net_sharpe_hi": judged.net_sharpe_hi,
                "net_sharpe_2x": dearer.net_sharpe,
                "reason": judged.reason,
            }
        )
    return out


def _signals(run: Run) -> pd.DataFrame:
    """Net Sharpe ratio of the forecasts and of signals without a model: one row per signal and
    horizon."""
    compared = pd.DataFrame(artefacts.COMPARATORS.read(run))
    ends = ["net_sharpe", "net_sharpe_lo", "net_sharpe_hi"]
    return compared[["signal", "horizon", "trades", *ends]]


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
    params = settled(run)
    dataset = load(run)
    cells, known = _cells(run), known_trials.known(run)
    if known.faults:
        cells["promoted"] = False
    rows, horizons = _plain(cells), _plain(pd.DataFrame(_pooled(run, cells, params)))
    verdict = {
        "run": _facts(run, dataset, params) | {"trials": int(cells["trials"].max())},
        "ledger": {"faults": known.faults},
        "claims": claims.judged(known.claims, horizons, run),
        "horizons": horizons,
        "signals": _plain(_signals(run)),
        "registry": registry.read(run),
        "cells": [{name: row[name] for name in CELL} | {"why": _why(row)} for row in rows],
    }
    write_json(run.folder / artefacts.VERDICT.path(), verdict)
    drawn = {
        "known": figures.mechanical_share(known_shares(dataset)),
        "skill": figures.skill_by_horizon(cells),
    }
    for name, figure in drawn.items():
        _draw(run.folder / artefacts.FIGURE.path(name=name), figure)
    return verdict


def _facts(run: Run, dataset: Dataset, params: Params) -> dict[str, Any]:
    """What was run, on which bars, and at what cost."""
    manifest = run.manifest
    stages = manifest["stages"].values()
    hashes = ("catalog_hash", "data_hash")
    asked = ("target", "model", "target_window", "confidence", "coverage")
    paid = ("slippage", "commission", "markup")
    return {
        **{name: manifest.get(name) for name in hashes},
        **{name: getattr(params, name) for name in (*asked, *paid)},
        **summary(dataset),
        "code_version": module_hash("bqx.cli"),
        "features": len(artefacts.CATALOG.read(run)),
        "models": list(candidates.used(run).values()),
        "seconds": round(sum(stage["seconds"] for stage in stages), 1),
        "peak_mb": max(stage["peak_mb"] for stage in stages),
        "drifted_share": float(artefacts.DRIFT.read(run)["drifted"].mean()),
    }


def _draw(path: Path, figure: Figure) -> None:
    with atomic(path) as temporary:
        # Without the date and the version, the same run draws the same bytes.
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})
