"""Runs beside each other: what differed, and what that did to skill and net result."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ArtefactError
from bqx.evaluation import inference, skill
from bqx.params import PLACE_KEYS, Params
from bqx.report import lines
from bqx.runs import artefacts
from bqx.runs.run import Run

MADE_OF = {"data_hash": "bars", "catalog_hash": "catalog", "code_version": "code"}
"""What runs are made of beside their parameters: key of the verdict, and its name."""

FILE = artefacts.VERDICT.path()
CELL_DAY = ["pair", "horizon", "day"]

CONFIDENCE, SEED = 0.95, 0
"""Of the intervals of one table together, and of their resampling."""


def opened(folder: Path) -> Run:
    """A finished run by its folder.

    Raises ArtefactError where there is none.
    """
    run = Run(folder.resolve(), Params())
    if not (folder / FILE).is_file():
        raise ArtefactError(
            f"{folder}: no finished run, got no {FILE}; expected the folder of "
            "one. bqx run FILE --out DIR makes it."
        )
    return run


def page(folders: Sequence[Path]) -> str:
    """The comparison of finished runs with the first of them, in Markdown.

    Raises ArtefactError for a folder without a finished run, or with a damaged one.
    """
    runs = {folder.resolve().name: opened(folder) for folder in folders}
    if len(runs) < len(folders):
        runs = {str(folder): opened(folder) for folder in folders}
    verdicts = {name: _verdict(run) for name, run in runs.items()}
    first, *others = runs
    text = [
        "# Runs compared",
        _table(_differing(runs, verdicts), "what differs"),
        _table(_results(verdicts), "horizon"),
    ]
    for other in others:
        text += [
            f"## {other} against {first}",
            _against(runs[other], runs[first]),
        ]
    trials = max(verdict["run"]["trials"] for verdict in verdicts.values())
    faulty = any(verdict["ledger"]["faults"] for verdict in verdicts.values())
    text.append(
        f"When they were made, the ledger counted {'at least ' if faulty else ''}{trials:,} trials "
        "on bars that overlap these: the best of several runs looks better than it is."
    )
    return "\n\n".join(text) + "\n"


def _verdict(run: Run) -> Any:
    """The verdict of a run, of which all that is compared has its kind."""
    verdict = artefacts.VERDICT.read_in(run.folder)
    try:
        facts, rows = verdict["run"], verdict["horizons"]
        if {*MADE_OF, "trials"} <= facts.keys() and "faults" in verdict["ledger"]:
            f"{facts['trials']:,d}"
            [
                (f"{row['horizon']:d}", _basis(row["skill"]), _ratio(row["net_sharpe"]))
                for row in rows
            ]
            return verdict
    except (LookupError, TypeError, ValueError, AttributeError):
        # Said below.
        pass
    raise ArtefactError(
        f"{run.folder / FILE}: altered, got values of another kind; expected what the run wrote. "
        "Remove it and run again."
    )


def _differing(runs: dict[str, Run], verdicts: dict[str, Any]) -> pd.DataFrame:
    """One row per parameter or hash that is not the same in all runs."""
    rows: dict[str, dict[str, Any]] = {}
    for name, run in runs.items():
        made_of = {title: verdicts[name]["run"][key] for key, title in MADE_OF.items()}
        stages = run.stages.values()
        values = {k: v for stage in stages for k, v in stage["params"].items()}
        values = {k: v for k, v in values.items() if k not in PLACE_KEYS}
        for key, value in (values | made_of).items():
            rows.setdefault(key, {})[name] = _short(value) if key in made_of else json.dumps(value)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(runs))
    return table[table.nunique(axis=1, dropna=False) > 1].fillna("–")


def _short(value: str | None) -> str:
    return (value or "–")[:12]


def _results(verdicts: dict[str, Any]) -> pd.DataFrame:
    """Skill and net Sharpe ratio of all pairs by horizon, run by run."""
    columns = {}
    for name, verdict in verdicts.items():
        rows = pd.DataFrame(verdict["horizons"]).set_index("horizon")
        columns[f"{name}: skill"] = rows["skill"].map(_basis)
        columns[f"{name}: net Sharpe ratio"] = rows["net_sharpe"].map(_ratio)
    return pd.DataFrame(columns).fillna("–")


def _basis(share: float | None) -> str:
    return "–" if share is None else lines.basis(share)


def _ratio(value: float | None) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:+.1f}"


def _against(run: Run, other: Run) -> str:
    """What a run gains over another on the days, pairs and horizons of both."""
    losses = artefacts.ERRORS.read(run).merge(
        artefacts.ERRORS.read(other), on=CELL_DAY, suffixes=("", "_other")
    )
    nets = _nets(run).merge(_nets(other), on=CELL_DAY, suffixes=("", "_other"))
    if losses.empty:
        return "No day of a pair and horizon was scored in both, so nothing can be said."
    if not np.allclose(losses["known_loss"], losses["known_loss_other"], rtol=1e-9):
        return "They forecast other labels (bars or target differ), so nothing can be subtracted."
    horizons = sorted(losses["horizon"].unique())
    confidence = skill.simultaneous(CONFIDENCE, 2 * len(horizons))
    rows = {
        horizon: {
            "skill gained": _gain(losses[losses["horizon"] == horizon], confidence),
            "net gained (bp a day)": _profit(nets[nets["horizon"] == horizon], confidence),
        }
        for horizon in horizons
    }
    days = losses["day"].nunique()
    table = _table(pd.DataFrame.from_dict(rows, orient="index"), "horizon")
    return (
        f"On {days} days that both were scored on; the intervals hold jointly with "
        f"{CONFIDENCE:.0%}, and one that crosses 0 is no difference.\n\n{table}"
    )


def _nets(run: Run) -> pd.DataFrame:
    pairs = artefacts.DATASET.read(run)["pairs"]
    daily = [artefacts.ACCOUNT.read(run, pair=pair).assign(pair=pair) for pair in pairs]
    return pd.concat(daily)[[*CELL_DAY, "net"]]


def _gain(losses: pd.DataFrame, confidence: float) -> str:
    """Difference of skill over all pairs alike, days resampled jointly."""
    known_loss = losses.groupby("pair")["known_loss"].transform("sum")
    saved = ((losses["loss_other"] - losses["loss"]) / known_loss).groupby(losses["day"]).sum()
    whole = (losses["known_loss"] / known_loss).groupby(losses["day"]).sum()
    gain = inference.interval(saved.to_numpy(), whole.to_numpy(), confidence, SEED)
    return _spanned(gain, lines.basis)


def _profit(nets: pd.DataFrame, confidence: float) -> str:
    """Difference of the mean pair's daily net result, bp of a notional."""
    gained = 1e4 * (nets["net"] - nets["net_other"]).groupby(nets["day"]).mean().to_numpy()
    return _spanned(
        inference.interval(gained, np.ones_like(gained), confidence, SEED), "{:+.2f}".format
    )


def _spanned(value: inference.Interval, form: Any) -> str:
    if value.value is None or value.low is None or value.high is None:
        return "–"
    return f"{form(value.value)} [{form(value.low)}, {form(value.high)}]"


def _table(frame: pd.DataFrame, index: str) -> str:
    """A frame as a Markdown table, which reads in a terminal as well."""
    if frame.empty:
        return "Nothing differs."
    return frame.rename_axis(index).to_markdown(disable_numparse=True)
