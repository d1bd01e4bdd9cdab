"""The newest bars of a capture, as the check of a minute reads them: no column, no baseline but for
the hours of its bars."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.learning.baseline_files import FOLDER
from bqx.learning.hours import still_minutes
from bqx.market import bar_arrays, sessions
from bqx.monitoring import objects
from bqx.monitoring.capture import ANSWER, BAR, FACTS, FORECAST, MODELS

COLUMNS = ("kind", "pair", "minute", *bar_arrays.COLUMNS, "model", "status", "ms")


@dataclass(frozen=True, eq=False)
class Feed:
    """How the bars of the forecast pairs come: ``still`` : minutes for which a pair's have stood
    still; ``hours`` : of its baseline; ``newest`` : epoch minute of the newest bar of any, None for
    none; ``answers`` : (status, ms)."""

    still: Mapping[str, int]
    hours: Mapping[str, pd.DataFrame]
    newest: int | None
    answers: pd.DataFrame


def read(folder: Folder, first: int, end: int, grace: int) -> Feed:
    """The feed of an epoch minute's end, from a minute on, see `captured.read`.

    Raises ArtefactError where nothing was captured, or a model is damaged.
    """
    named = objects.names(folder, first, end + grace)
    frame = objects.tables(folder, named, COLUMNS).to_pandas() if named else pd.DataFrame()
    if frame.empty:
        return Feed({}, {}, None, pd.DataFrame())
    answers = frame.loc[frame["kind"] == ANSWER, ["status", "ms"]]
    within = frame[frame["minute"].between(first, end - 1)]
    models = within[within["kind"] == FORECAST].groupby("pair")["model"].last()
    bars = within[(within["kind"] == BAR) & within["pair"].isin(models.index)]
    bars = bars.drop_duplicates(["pair", "minute"], keep="last").sort_values("minute")
    grid = sessions.grid(first, end - 1)
    still, hours = {}, {}
    for pair, own in bars.groupby("pair"):
        facts, hours[str(pair)] = _hours(folder, models[pair])
        minutes = own["minute"].to_numpy(np.int64)
        columns = own[list(bar_arrays.COLUMNS)].to_numpy(np.float64).T
        rows = bar_arrays.on_grid(minutes, columns, grid, int(facts["max_fill"]))
        still[str(pair)] = int(still_minutes(rows)[-1])
    return Feed(still, hours, int(bars["minute"].max()) if len(bars) else None, answers)


def _hours(folder: Folder, model: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """Facts of a model, and the hours of its baseline."""
    facts: dict[str, Any] = folder.read_json(f"{MODELS}/{model}/{FACTS}")
    path = f"{MODELS}/{model}/{FOLDER}/hours.parquet"
    content = folder.read(path)
    if hashlib.sha256(content).hexdigest() != facts["files"]["hours"]:
        raise ArtefactError(
            f"{folder.place}/{path}: damaged or exchanged, got other bytes; expected those of its "
            f"{FACTS}. Remove the model's folder: the server writes it anew when it starts."
        )
    return facts, pd.read_parquet(io.BytesIO(content))
