"""A line for every fit, beside the artefacts: what was fitted on what, and at what cost.

The file only grows, and is no artefact, since the same fit takes other seconds every time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bqx.runs.chained_log import ChainedLog

FILE = "fit_log.jsonl"
TRIALS = "tuning_log.jsonl"
"""Lines of the trials of a search, which belong to the fits."""


def record(run: Path, fit: Mapping[str, Any]) -> None:
    """Add a fit to those of a run folder; several may write at the same time."""
    ChainedLog(run / FILE).add(fit)


def record_trial(run: Path, trial: Mapping[str, Any]) -> None:
    """Add a trial of a search to those of a run folder."""
    ChainedLog(run / TRIALS).add(trial)


def trials(run: Path) -> pd.DataFrame:
    """All trials of a run folder, one row each: model, pair, fold, score, pruned, settings.

    Raises ArtefactError as `fits`.
    """
    keys = ["model", "pair", "fold", "score", "pruned", "settings"]
    return _lines(run / TRIALS, keys)


def fits(run: Path) -> pd.DataFrame:
    """All fits of a run folder, a row each, the last one of a model, pair and fold.

    Raises
    ------
    ArtefactError : a line was altered, or taken out.
    """
    keys = ["model", "pair", "fold"]
    return _lines(run / FILE, keys).drop_duplicates(keys, keep="last", ignore_index=True)


def _lines(path: Path, keys: Sequence[str]) -> pd.DataFrame:
    lines = ChainedLog(path).intact("Restore the file, or run into another folder.")
    frame = pd.DataFrame(lines, columns=None if lines else [*keys, "before"])
    return frame.drop(columns="before")
