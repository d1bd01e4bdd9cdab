"""The newest bars of a capture, as the check of a minute reads them: no column, no baseline but for
the hours of its bars."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.learning.baseline_files import FOLDER
from bqx.learning.hours import still_minutes
from bqx.market import bar_arrays, sessions
from bqx.monitoring import objects
from bqx.monitoring.bar_quality import STILL
from bqx.monitoring.capture import FACTS, MODELS

Minutes = NDArray[np.int64]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Feed:
    """How the bars of the forecast pairs come.

    ``still`` : minutes for which a pair's have stood still; ``hours`` : of the baselines of those
    that may be frozen; ``newest`` : epoch minute of the newest bar of any, None for none;
    ``answers`` : (status, ms).
    """

    still: Mapping[str, int]
    hours: Mapping[str, pd.DataFrame]
    newest: int | None
    answers: pd.DataFrame


def read(folder: Folder, named: Sequence[str], first: int, end: int) -> Feed:
    """The feed at the end of an epoch minute, from another on, as some objects tell it.

    Raises ArtefactError where an object or a model is damaged.
    """
    rows = objects.read(folder, named)
    answers = rows.answers.to_pandas()
    made = rows.forecasts.select(["pair", "model", "minute"]).to_pylist()
    models = {row["pair"]: row["model"] for row in made if first <= row["minute"] < end}
    minutes = rows.bars["minute"].to_numpy()
    codes = rows.bars["pair"].combine_chunks().dictionary_encode()
    number = {pair: code for code, pair in enumerate(codes.dictionary.to_pylist())}
    columns = np.array([rows.bars[name].to_numpy() for name in bar_arrays.COLUMNS])
    grid = sessions.grid(first, end - 1)
    still, hours, newest = {}, {}, []
    for pair, model in models.items():
        own = (
            (codes.indices.to_numpy() == number.get(pair, -1))
            & (minutes >= first)
            & (minutes < end)
        )
        own_bars = minutes[own], columns[:, own]
        newest.append(int(minutes[own].max(initial=first - 1)))
        # Carrying a close over every hole, which the model's facts may not allow, no pair stands
        # still for less; most need no look at its model.
        still[pair] = _still(*own_bars, grid, len(grid))
        if still[pair] >= STILL:
            facts, hours[pair] = _model(folder, model)
            still[pair] = _still(*own_bars, grid, int(facts["max_fill"]))
    return Feed(still, hours, max(newest, default=None), answers)


def _still(minutes: Minutes, columns: Array, grid: Minutes, max_fill: int) -> int:
    return int(still_minutes(bar_arrays.on_grid(minutes, columns, grid, max_fill))[-1])


def _model(folder: Folder, model: str) -> tuple[dict[str, Any], pd.DataFrame]:
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
