"""A line for every fit, beside the artefacts: what was fitted on what, and at what cost.

The file only grows, and is no artefact, since the same fit takes other seconds every time.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bqx.errors import ArtefactError
from bqx.runs.chained_log import ChainedLog

FILE = "fit_log.jsonl"


def record(run: Path, fit: Mapping[str, Any]) -> None:
    """Add a fit to those of a run folder; several may write at the same time."""
    ChainedLog(run / FILE).add(fit)


def fits(run: Path) -> pd.DataFrame:
    """All fits of a run folder, a row each, the last one of a model, pair and fold.

    Raises
    ------
    ArtefactError : a line was altered, or taken out.
    """
    reading = ChainedLog(run / FILE).read()
    if reading.faults:
        raise ArtefactError(f"{reading.faults[0]} Restore the file, or run into another folder.")
    keys = ["model", "pair", "fold"]
    frame = pd.DataFrame(reading.lines, columns=None if reading.lines else [*keys, "before"])
    return frame.drop(columns="before").drop_duplicates(keys, keep="last", ignore_index=True)
