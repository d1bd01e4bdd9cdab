"""What a run found, in numbers: ``verdict.json`` and the front page's figures."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bqx.evaluation import power, skill
from bqx.files import atomic, write_json
from bqx.identity.imported import module_hash
from bqx.learning import samples
from bqx.params import Params
from bqx.report import claims, figures, lines, one_page
from bqx.report.absence import why
from bqx.runs import artefacts, known_trials
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages import backtest, candidates, promotion, registry, scoring
from bqx.stages.bars import Dataset, known_shares, load, summary
from bqx.trading import performance

CELL = (
    *("pair", "horizon", "rows", "known_r2", "r2", "skill", "skill_lo", "skill_hi"),
    *("bqx_skill", "unshrunk_skill", "unshrunk_ic", "t", "bound", "claimed"),
    *("direction", "martingale_direction", "coverage", "gross_sharpe"),
    *("net_sharpe", "net_sharpe_lo", "net_sharpe_hi", "net_sharpe_2x"),
    *("turnover", "break_even", "expected_move", "round_trip", "break_even_cost", "capacity"),
    *("deflated", "pbo", "configurations", "promoted"),
)
"""What the verdict says of every pair and horizon."""

MEANS = (
    *("known_r2", "r2", "direction", "martingale_direction", "bqx_skill"),
    *("unshrunk_skill", "unshrunk_ic", "coverage", "round_trip"),
    *("expected_move", "break_even_cost"),
)
"""What a horizon says as the mean over its pairs."""


def _cells(run: Run, claimed: pd.DataFrame) -> pd.DataFrame:
    """One row per pair and horizon; t and bound of the fold that comes nearest to a claim."""
    cell = ["pair", "horizon"]
    scored = pd.DataFrame(artefacts.SCORES.read(run))
    traded = pd.DataFrame(artefacts.CELLS.read(run)).drop(columns="days")
    decided = promotion.read(run)[
        [*cell, "deflated", "pbo", "configurations", "promoted", "trials", "reasons"]
    ].rename(columns={"reasons": "against"})
    tested = _nearest(claimed[claimed["level"] == "cell"], cell)
    cells = scored.merge(traded.merge(decided, on=cell), on=cell)
    return cells.merge(tested, on=cell, how="left")


def _nearest(tested: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """t, bound and claimed of the fold of the largest t over its bound, claimed ones first."""
    margin = tested.assign(margin=tested["t"] - tested["bound"])
    first = margin.sort_values(["claimed", "margin"], ascending=False, kind="stable")
    return first.drop_duplicates(by)[[*by, "t", "bound", "claimed"]].astype({"horizon": int})


def _shares(run: Run) -> pd.DataFrame:
    """Squared errors in sigma by day, pair and horizon, as shares of the cell's own sum."""
    errors = artefacts.ERRORS.read(run)
    total = errors.groupby(["pair", "horizon"])["known_loss"].transform("sum")
    return errors.assign(loss=errors["loss"] / total, known_loss=errors["known_loss"] / total)


def _skill(shares: pd.DataFrame, confidence: float, params: Params) -> dict[str, float | None]:
    """Skill over all cells alike, days resampled jointly, those that a label joins as one."""
    numbers = np.unique(shares["day"], return_inverse=True)[1]
    days = shares.groupby(samples.label_days(numbers, params))[["loss", "known_loss"]].sum()
    losses = days["loss"].to_numpy(), days["known_loss"].to_numpy()
    return skill.interval(*losses, confidence, params.seed).row("skill")


def _profit(account: pd.DataFrame, confidence: float, seed: int) -> dict[str, Any]:
    """Sharpe ratios of the mean of cells, at the spread and at twice of it."""
    judged, dearer = (
        performance.summary(performance.at_spread(account, multiple), confidence, seed)
        for multiple in (1.0, backtest.TWICE)
    )
    names = ("gross_sharpe", "net_sharpe", "net_sharpe_lo", "net_sharpe_hi", "reason")
    rolling = performance.rolling_sharpe(account["net"].to_numpy())
    return {
        **{name: getattr(judged, name) for name in names},
        "net_sharpe_2x": dearer.net_sharpe,
        "net_sharpe_60": float(rolling[-1]) if len(rolling) else None,
    }


def _horizons(
    run: Run, cells: pd.DataFrame, daily: pd.DataFrame, params: Params, claimed: pd.DataFrame
) -> list[dict[str, Any]]:
    """Skill and net Sharpe ratio by horizon over all pairs."""
    confidence = skill.simultaneous(params.confidence, len(params.horizons))
    smallest = power.statement(claimed)["horizons"]
    tested = _nearest(claimed[claimed["level"] == "horizon"], ["horizon"]).set_index("horizon")
    shares, out = _shares(run), []
    for horizon in params.horizons:
        horizon_cells = cells[cells["horizon"] == horizon]
        account = backtest.mean_by_day(daily[daily["horizon"] == horizon])
        out.append(
            {
                "horizon": horizon,
                **{name: horizon_cells[name].astype(float).mean() for name in MEANS},
                **_skill(shares[shares["horizon"] == horizon], confidence, params),
                **tested.loc[horizon].to_dict(),
                "smallest_skill": smallest[str(horizon)],
                **_profit(account, confidence, params.seed),
            }
        )
    return out


def _three(
    run: Run, cells: pd.DataFrame, daily: pd.DataFrame, params: Params, claimed: pd.DataFrame
) -> dict[str, Any]:
    """The three answers, see `lines.decide`."""
    whole, folds = claimed.iloc[0], claimed[claimed["level"] == "fold"]
    stated = power.statement(claimed)
    information = {
        "claimed": bool(whole["claimed"]),
        "t": float(whole["t"]),
        "bound": float(whole["bound"]),
        "folds": len(folds),
        "folds_claimed": int(folds["claimed"].sum()),
        **_skill(_shares(run), params.confidence, params),
        "ic": _number(cells["unshrunk_ic"]),
        "power": stated["power"],
        "smallest_skill": stated["run"],
        "smallest_skill_of_a_fold": stated["fold"],
    }
    profit = _profit(backtest.mean_by_day(daily), params.confidence, params.seed)
    moves = ("expected_move", "round_trip", "break_even_cost")
    trading = profit | {name: _number(cells[name]) for name in moves}
    rows = _plain(cells.assign(reasons=cells["against"]))
    answers = lines.decide(_absent(information), _absent(trading), rows)
    return dict(zip(("information", "tradable", "promoted"), answers, strict=True))


def _folds(claimed: pd.DataFrame) -> list[dict[str, Any]]:
    """Each fold's test of all its pairs and horizons, and which of them are claimed within."""
    out = []
    for fold, fold_claims in claimed.groupby("fold"):
        (whole,) = fold_claims[fold_claims["level"] == "fold"].to_dict("records")
        within = fold_claims[fold_claims["claimed"]]
        out.append(
            {
                "fold": int(str(fold)),
                **{name: whole[name] for name in ("t", "bound", "claimed", "days")},
                "pairs": within.loc[within["level"] == "pair", "pair"].tolist(),
                "horizons": within.loc[within["level"] == "horizon", "horizon"].tolist(),
            }
        )
    return out


def _number(values: pd.Series) -> float | None:
    mean = values.astype(float).mean()
    return None if pd.isna(mean) else float(mean)


def _absent(record: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in record.items()}


def _signals(run: Run) -> pd.DataFrame:
    """Net Sharpe ratio of the forecasts and of signals without a model: one row per signal and
    horizon."""
    compared = pd.DataFrame(artefacts.COMPARATORS.read(run))
    ends = ["net_sharpe", "net_sharpe_lo", "net_sharpe_hi"]
    return compared[["signal", "horizon", "trades", *ends]]


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def write(run: Run) -> dict[str, Any]:
    """Write ``verdict.json`` and the front page's figures; return the verdict.

    Raises ArtefactError when a notebook of the run is missing.
    """
    params = settled(run)
    dataset = load(run)
    claimed, ledger = scoring.read_claims(run), known_trials.known(run)
    cells = _cells(run, claimed)
    if ledger.faults:
        cells["promoted"] = False
    pairs = cells["pair"].unique()
    daily = pd.concat(artefacts.ACCOUNT.read(run, pair=pair) for pair in pairs)
    horizons = _plain(pd.DataFrame(_horizons(run, cells, daily, params, claimed)))
    verdict = {
        "run": _facts(run, dataset, params) | {"trials": int(cells["trials"].max())},
        "ledger": {"faults": ledger.faults},
        "claims": claims.judged(ledger.claims, horizons, run),
        **_three(run, cells, daily, params, claimed),
        "horizons": horizons,
        "folds": _folds(claimed),
        "signals": _plain(_signals(run)),
        "registry": registry.read(run),
        "cells": [
            {name: row[name] for name in CELL} | {"why": why(row, CELL)} for row in _plain(cells)
        ],
    }
    verdict |= {"headline": lines.headline(verdict), "lines": list(lines.lines(verdict))}
    write_json(run.folder / artefacts.VERDICT.path(), verdict)
    one_page.write(run.folder / artefacts.SHEET.path(), verdict)
    drawn = {
        "known": figures.mechanical_share(known_shares(dataset)),
        "skill": figures.skill_by_horizon(cells),
        "verdict": figures.verdict(pd.DataFrame(horizons)),
    }
    for name, figure in drawn.items():
        _draw(run.folder / artefacts.FIGURE.path(name=name), figure)
    return verdict


def _facts(run: Run, dataset: Dataset, params: Params) -> dict[str, Any]:
    """What was run, on which bars, and at what cost."""
    manifest = run.manifest
    stages = manifest["stages"].values()
    hashes = ("catalog_hash", "data_hash")
    asked = ("target", "model", "target_window", "confidence", "coverage", "entry")
    paid = ("account", "slippage", "commission", "markup", "order_size")
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
