"""A line for every fit, beside the artefacts: what was fitted on what, and at what cost.

The file only grows, and is no artefact, since the same fit takes other seconds every time.
"""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bqx.errors import ArtefactError

FILE = "fits.jsonl"


def record(run: Path, fit: Mapping[str, Any]) -> None:
    """Add a fit to those of a run folder; several may write at the same time."""
    line = json.dumps(dict(fit), sort_keys=True, allow_nan=False) + "\n"
    with (run / FILE).open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(line)


def fits(run: Path) -> pd.DataFrame:
    """All fits of a run folder, a row each, the last one of a model, pair and fold.

    Raises
    ------
    ArtefactError : a line is no JSON.
    """
    path = run / FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    try:
        rows = [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        raise ArtefactError(
            f"{path}: damaged, got {error}; expected a line of JSON a fit. Remove the line."
        ) from None
    keys = ["model", "pair", "fold"]
    frame = pd.DataFrame(rows, columns=None if rows else keys)
    return frame.drop_duplicates(keys, keep="last", ignore_index=True)
