"""What a server writes down: the bars it saw, what its models read and forecast, and its answers.

One Parquet object a minute holds the rows of all pairs, below ``minutes/`` of a folder that is
local or in S3. It appears whole when its minute has passed, so that a kill loses no more than the
open minute. ``models/`` holds what is needed to judge them: each model's facts and its baseline.
Labels are not written with the forecasts: what lies in the future is not known then.
"""

import io
import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bqx.errors import ArtefactError, BqxError, ParameterError
from bqx.feature_store.object_store import Folder
from bqx.features.engine.newest_bars import NewestBars
from bqx.features.spec import Array
from bqx.files import to_json
from bqx.learning.baseline_files import FOLDER
from bqx.learning.bundle import Bundle, Prediction
from bqx.market import sessions

MINUTES, MODELS = "minutes", "models"
FACTS = "facts.json"
SHARE = 0.2
"""Share of the minutes whose inputs and forecasts are written; bars are, of every minute."""
AGAIN = 16
"""Bars that are written once more with the newest: one may come late or be corrected."""
FIRST = sessions.DAY
"""Bars of a pair that are written when it is first seen."""
BAR, FORECAST, ANSWER = "bar", "forecast", "answer"

_Minute = tuple[int, dict[tuple[str, int], tuple[float, ...]], list[dict[str, Any]]]
"""Number of a minute, its bars, and its other rows."""
_FLOATS = ("open", "high", "low", "close", "volume", "spread")
_LISTS = ("level", "martingale", "sigma", "innovation")
SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("pair", pa.string()),
        ("minute", pa.int64()),
        ("at", pa.int64()),
        *((name, pa.float64()) for name in _FLOATS),
        ("id", pa.string()),
        ("model", pa.string()),
        ("x", pa.list_(pa.float32())),
        ("horizons", pa.list_(pa.int32())),
        *((name, pa.list_(pa.float64())) for name in _LISTS),
        ("status", pa.int32()),
        ("ms", pa.float64()),
    ]
)
"""``minute`` : epoch minute of a bar's open; ``at`` : nanoseconds since 1970 when it was written
down; ``id`` : of a forecast, by which a label finds it; ``model`` : its folder below ``models/``;
``x`` : its columns in the model's order; ``status``, ``ms`` : of an answer."""


def model_name(bundle: Bundle) -> str:
    """Folder of a model: what it reads, until when it was trained, and which of those it is."""
    until = bundle.trained_until.strftime("%Y%m%dT%H%M")
    name = f"{bundle.pair}-{bundle.columns_hash[:12]}-{until}"
    return f"{name}-{bundle.content[:8]}" if bundle.content else name


def lot(minute: int) -> float:
    """The share above which a minute's inputs and forecasts are written: the same minutes for all
    pairs and on every machine, spread evenly."""
    return (minute * 2_654_435_761) % (1 << 32) / (1 << 32)


class Capture:
    """Writes down what a server does, a minute at a time.

    Parameters
    ----------
    place : folder, or ``s3://bucket/prefix``.
    share : of the minutes, see `SHARE`.
    clock : seconds since 1970.

    Raises ParameterError for a share that is none.
    """

    def __init__(
        self, place: str, share: float = SHARE, clock: Callable[[], float] = time.time
    ) -> None:
        if not 0.0 < share <= 1.0:
            raise ParameterError(
                f"capture: no share of the minutes, got {share}; expected one above 0, at most 1."
            )
        self.folder, self.share = Folder(place), share
        self.folder.sweep()
        self._clock = clock
        self._lock = threading.Lock()
        self._process = f"{os.getpid():x}{time.time_ns() & 0xFFFFFF:06x}"
        self._bars: dict[tuple[str, int], tuple[float, ...]] = {}
        self._seen: dict[str, int] = {}
        self._rows: list[dict[str, Any]] = []
        self._models, self._tried = dict[int, Bundle](), set[int]()
        self._open = self._minute()
        self._numbers = itertools.count()

    def forecast(
        self,
        bundle: Bundle,
        x: NDArray[np.float32] | None,
        bars: NewestBars,
        predictions: Mapping[int, Prediction],
    ) -> None:
        """Write down the bars that were not seen before and a forecast for the last of them, given
        its (1, C) columns; without predictions, where the bars do not suffice, they alone."""
        pair, minute = bundle.pair, int(bars.minutes[-1])
        with self._lock:
            due = self._due()
            last = self._seen.get(pair)
            count = FIRST if last is None else min(max(minute - last, 0) + AGAIN, FIRST)
            self._add_bars(pair, bars.minutes[-count:], bars.newest_columns(count))
            self._seen[pair] = max(minute, last or minute)
            if predictions and lot(minute) < self.share:
                model = self._model(bundle)
                self._rows.append(
                    {
                        "kind": FORECAST,
                        "pair": pair,
                        "minute": minute,
                        "at": self._now(),
                        "id": f"{model}:{minute}",
                        "model": model,
                        "x": None if x is None else x[0],
                        "horizons": list(predictions),
                        **{
                            name: [getattr(of, name) for of in predictions.values()]
                            for name in _LISTS
                        },
                    }
                )
        self._write(due)

    def answer(self, status: int, milliseconds: float) -> None:
        """Write down that a request was answered."""
        with self._lock:
            due = self._due()
            self._rows.append(
                {"kind": ANSWER, "at": self._now(), "status": status, "ms": milliseconds}
            )
        self._write(due)

    def flush(self) -> None:
        """Write what is open, as at the end of a process or of a function's call."""
        with self._lock:
            taken = self._taken()
        self._write(taken)

    def turn(self) -> None:
        """Write the open minute if it has passed."""
        with self._lock:
            due = self._due()
        self._write(due)

    def _due(self) -> _Minute | None:
        """The open minute's rows if it has passed."""
        minute = self._minute()
        if minute == self._open:
            return None
        taken, self._open = self._taken(), minute
        self._tried.clear()  # a disk that was full may have room by now
        return taken

    def _taken(self) -> _Minute:
        taken = self._open, self._bars, self._rows
        self._bars, self._rows = {}, []
        return taken

    def _minute(self) -> int:
        return int(self._clock() // 60)

    def _now(self) -> int:
        return int(self._clock() * 1e9)

    def _add_bars(self, pair: str, minutes: NDArray[np.int64], columns: Array) -> None:
        sent = np.isfinite(columns[3]) & (columns[6] == 0)
        for minute, bar in zip(
            minutes[sent].tolist(), columns[: len(_FLOATS), sent].T.tolist(), strict=True
        ):
            self._bars[pair, minute] = tuple(bar)

    def _model(self, bundle: Bundle) -> str:
        """Name of a bundle's model, whose baseline is written when it is first seen."""
        number = id(bundle)
        if number not in self._models and number not in self._tried:
            self._tried.add(number)
            if self._attempt(lambda: write_model(self.folder, bundle)) or bundle.statistics is None:
                self._models[number] = bundle
        return model_name(bundle)

    def _write(self, taken: _Minute | None) -> None:
        """Write some rows, outside of the lock: who forecasts meanwhile does not wait."""
        if taken is None or not (taken[1] or taken[2]):
            return
        minute, bars, rows = taken
        stamp = sessions.timestamps(np.array([minute]))[0]
        name = f"{MINUTES}/{stamp:%Y-%m-%d/%H%M}-{self._process}{next(self._numbers):04x}.parquet"
        if not self._attempt(lambda: self.folder.write(name, _content(bars, rows, minute))):
            # Once there is room again the bars of the day before are written.
            self._seen = {}

    def _attempt(self, write: Callable[[], object]) -> bool:
        # Who asks for a forecast gets it, whether or not it can be written down.
        try:
            write()
        except (BqxError, OSError) as error:
            print(f"capture: {error}", file=sys.stderr)
            return False
        return True


def _content(
    bars: Mapping[tuple[str, int], tuple[float, ...]], rows: list[dict[str, Any]], minute: int
) -> bytes:
    """A Parquet object of some rows."""
    count = len(bars)
    values: dict[str, pa.Array] = {
        "kind": pa.array([BAR] * count + [row["kind"] for row in rows]),
        "pair": pa.array([pair for pair, _ in bars] + [row.get("pair") for row in rows]),
        "minute": pa.array([m for _, m in bars] + [row.get("minute") for row in rows]),
        "at": pa.array([minute * 60_000_000_000] * count + [row["at"] for row in rows]),
    }
    columns = np.array(list(bars.values())).reshape(count, len(_FLOATS))
    for number, name in enumerate(_FLOATS):
        values[name] = pa.array(np.append(columns[:, number], np.full(len(rows), np.nan)))
    none = pa.nulls(count)
    for field in SCHEMA:
        if field.name not in values:
            row_values = pa.array([row.get(field.name) for row in rows], field.type)
            values[field.name] = pa.concat_arrays([none.cast(field.type), row_values])
    table = pa.table(values, SCHEMA)
    out = io.BytesIO()
    # A fifth larger than by zstd, and read in half of its time.
    pq.write_table(table, out, compression="snappy", write_statistics=False, use_dictionary=False)
    return out.getvalue()


def write_model(folder: Folder, bundle: Bundle) -> None:
    """Write a model's facts and its baseline, unless they are there.

    Raises ArtefactError for a bundle that was packed without a baseline.
    """
    name = f"{MODELS}/{model_name(bundle)}"
    if folder.has(f"{name}/{FACTS}"):
        return
    if bundle.statistics is None:
        raise ArtefactError(
            f"bundle of {bundle.pair}: no baseline statistics, got one that was packed without; "
            "expected them, to monitor it. Run notebook 07_deployment again."
        )
    facts = {
        "pair": bundle.pair,
        "baseline": bundle.baseline,
        "max_fill": bundle.max_fill,
        "windows": {horizon: bundle.window_of(horizon) for horizon in bundle.horizons},
        "columns_hash": bundle.columns_hash,
        "trained_until": bundle.trained_until.isoformat(),
        "content": bundle.content,
    }
    with tempfile.TemporaryDirectory() as temporary:
        facts["files"] = bundle.statistics.save(Path(temporary))
        for path in (Path(temporary) / FOLDER).iterdir():
            folder.write(f"{name}/{FOLDER}/{path.name}", path.read_bytes())
    # Last: who finds it finds the files too.
    folder.write(f"{name}/{FACTS}", to_json(facts).encode())


class Turning:
    """A thread that writes a capture's minutes as they pass, for a server that waits meanwhile."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bqx capture", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and write what is open."""
        self._stop.set()
        self._thread.join(10.0)
        self._capture.flush()

    def _run(self) -> None:
        while not self._stop.wait(60.0 - time.time() % 60.0 + 0.01):
            self._capture.turn()
