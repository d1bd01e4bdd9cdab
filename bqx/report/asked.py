"""What the field's documents ask, what arithmetic gives for free, and what was measured.

Nothing on the page is typed but what is asked: the middle column is computed from definitions, the
last one read from the run and from what benchmarks and studies have written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bqx.files import read_json
from bqx.learning.targets import known_direction, known_share
from bqx.params import Params
from bqx.report.measured import goal, kept_by_selection, per_cent, ranged, year_of
from bqx.runs import artefacts
from bqx.runs.run import Run

NOT = "not measured"


@dataclass(frozen=True)
class Figure:
    """A success figure.

    ``what``, ``asked`` : of the documents; ``known`` : what a forecaster without information, or
    the documents' own rows, give; ``measured`` : `NOT` where nothing was; ``where`` : what to run,
    or what was.
    """

    what: str
    asked: str
    known: str
    measured: str
    where: str


def page(run: Run, pages: Path) -> str:
    """The page in Markdown.

    Parameters
    ----------
    run : finished, with its verdict.
    pages : folder of the book's pages, whose JSON files hold what benchmarks and studies found.
    """
    verdict = artefacts.VERDICT.read_in(run.folder)
    recorded = {
        name: read_json(path) if (path := pages / f"{name}.json").exists() else {}
        for name in ("benchmarks", "studies")
    }
    figures = [
        *_forecasts(verdict, run.params),
        *_trading(verdict, artefacts.CELLS.read(run)),
        *_features(artefacts.RECONCILIATION.read(run), recorded["studies"]),
        *_running(verdict, recorded),
    ]
    rows = "\n".join(
        f"| {f.what} | {f.asked} | {f.known} | {f.measured} | {f.where} |" for f in figures
    )
    counted = sum(figure.measured != NOT for figure in figures)
    return f"""# Asked, known in advance, measured

Every success figure of the field's documents, beside what arithmetic gives for free and what was
measured. {counted} of {len(figures)} are measured; the others name what measures them. A measured
value that is no better than what is known in advance shows no skill, however high it is.

| figure | asked | known in advance | measured | from |
|:--|:--|:--|:--|:--|
{rows}
"""


def _forecasts(verdict: Mapping[str, Any], params: Params) -> list[Figure]:
    """Accuracy of the run's own kind of target."""
    rows, kind = verdict["horizons"], verdict["run"]["target"]
    cells = [(params.window(h), h) for h in params.horizons]
    free = [known_share(*cell, kind) for cell in cells] if kind != "direction" else []
    lucky = [known_direction(*cell) for cell in cells]
    r2, best = ranged([row["r2"] for row in rows], "{:.2f}"), "R² of the run's target"
    direction = ranged([row["direction"] for row in rows], "{:.1%}")
    run, free_r2 = "this run", ranged(free, "{:.2f}")
    skill = verdict["information"]
    out = [
        Figure(f"{best} ({kind})", asked, free_r2, r2, run)
        for asked in ("0.85 for all pairs", "0.88, kept for 3 months", "0.90 with all enhancements")
    ]
    moved = ranged(lucky, "{:.1%}") if kind in ("delta", "scaled", "direction") else "none"
    out += [
        Figure("direction", asked, moved, direction, run)
        for asked in ("above 52 %", "above 55 %", "above 60 %", "75 to 77 %")
    ]
    bounds = f"{per_cent(skill['skill_lo'])} to {per_cent(skill['skill_hi'])}"
    coverage = ranged([row["coverage"] for row in rows], "{:.1%}")
    nominal = f"{verdict['run']['coverage']:.0%}"
    out.append(
        Figure(
            "skill against the martingale",
            "not asked",
            "0",
            f"{per_cent(skill['skill'])}, interval {bounds}",
            run,
        )
    )
    out.append(
        Figure("labels within the forecast's interval", "calibrated", nominal, coverage, run)
    )
    return out


def _trading(verdict: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """What the run's forecasts earn, net of costs."""
    traded, frame = verdict["tradable"], pd.DataFrame(cells)
    sharpe = NOT
    if traded["net_sharpe"] is not None:
        ends = [traded["net_sharpe_lo"], traded["net_sharpe_hi"]]
        interval = "" if None in ends else f", interval {ends[0]:.1f} to {ends[1]:.1f}"
        sharpe = f"{traded['net_sharpe']:.1f}{interval}"
    drawdown, won = (frame[name].dropna().astype(float) for name in ("drawdown", "accuracy"))
    run, free = "this run", "0 before costs, less after them"
    # With stop and target twice as far the win rate that breaks even is a third.
    return [
        Figure("net Sharpe ratio a year", asked, free, sharpe, run)
        for asked in ("above 1.5", "2.2 with all enhancements")
    ] + [
        Figure(
            "largest drawdown",
            "below 20 %",
            "0 of who never trades",
            per_cent(drawdown.max()) if len(drawdown) else NOT,
            run,
        ),
        Figure(
            "trades that win",
            "above 52 %",
            "50 % before costs",
            per_cent(won.mean()) if len(won) else NOT,
            run,
        ),
        Figure(
            "cells promoted",
            "all 28 pairs",
            "none on a market without a signal",
            f"{len(verdict['promoted']['cells'])} of {verdict['promoted']['of']}",
            run,
        ),
    ]


def _features(reconciled: Mapping[str, Any], studies: Mapping[str, Any]) -> list[Figure]:
    """Counts of columns, and what selection keeps."""
    out = []
    for document in dict.fromkeys(grid["document"] for grid in reconciled["grids"]):
        grids = {g["basis"]: g for g in reconciled["grids"] if g["document"] == document}
        stated, implemented = grids["itemised"], grids["implemented"]
        out.append(
            Figure(
                f"columns of {document}, with lags",
                f"{stated['printed']:,}",
                f"{stated['columns']:,} by the documents' own lists",
                f"{implemented['columns']:,}",
                "this run",
            )
        )
    profiles = studies.get("test_profiles", {}).get("profiles", {}).get("v3")
    share = f"{profiles['share']:.0%} (250 columns)" if profiles else NOT
    out.append(
        Figure(
            "importance that the selection reaches",
            "95 % in 250 columns",
            "none",
            share,
            "`make study`",
        )
    )
    kept = kept_by_selection(studies)
    out.append(
        Figure(
            "skill that the selection keeps",
            "95 % of all candidates'",
            "none",
            kept or NOT,
            "`make study`",
        )
    )
    return out


def _running(verdict: Mapping[str, Any], recorded: Mapping[str, Any]) -> list[Figure]:
    """Speed, availability, cost, drift and decay."""
    bench, year = recorded["benchmarks"], year_of(recorded["studies"])
    p50, p99 = (goal(bench, f"28 x 5 forecasts over HTTP, {p}") for p in ("P50", "P99"))
    minutes = 30 * 24 * 60 * (1 - 0.999)
    drifted = verdict["run"]["drifted_share"]
    out = [
        Figure("latency, P50", "100 ms", "none", p50 or NOT, "`make bench`, 28 pairs at once"),
        Figure(
            "latency, P99",
            "200 ms, 250 ms with 250 columns",
            "none",
            p99 or NOT,
            "`make bench`, 28 pairs at once",
        ),
        Figure(
            "availability",
            "99.9 %",
            f"{minutes:.0f} minutes a month may be lost",
            NOT,
            "`bqx ready`, from what was captured",
        ),
        Figure(
            "cost a month",
            "400, later 500 USD",
            f"{533.45:.2f} and {705.56:.2f} USD by the documents' own rows",
            NOT,
            "`bqx cost`",
        ),
        Figure(
            "columns that drifted",
            "alarm from a KL of 0.1 on",
            "5 % chance of any alarm",
            per_cent(drifted),
            "this run",
        ),
    ]
    fallen = [
        Figure(
            "skill lost within a year, static champion",
            "20 %",
            "all of it where the signal turns",
            year.get("static", NOT),
            "`make study`",
        ),
        Figure("the same, learning online", "5 %", "none", year.get("online", NOT), "`make study`"),
        Figure("update of 28 pairs", "5 s", "none", year.get("update", NOT), "`make study`"),
    ]
    return out + fallen
