"""Train, validation and test sets as files: the matrices that training reads, bit for bit.

A pair in a fold has ``train.parquet``, ``val.parquet``, ``test.parquet``, ``feature_metadata.json``
and ``scaler.json`` in a subfolder: ``fold_{n}/{pair}/`` in a run's datasets, and what its caller
says in a place of one pair. Features that are learnt from training rows belong to
a fold, so that no store can have them: they stand beside, in ``fitted.parquet`` with ``fits.json``.
At the root ``dataset.json`` holds the hash of each file. The place is a folder, or
``s3://bucket/prefix``.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.feature_store.history import History
from bqx.feature_store.object_store import Folder
from bqx.features.engine.fitting import Fits
from bqx.features.families.cross_pair import lead_lag
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.files import from_json
from bqx.learning import fold_fit, samples
from bqx.learning.folds import Fold
from bqx.learning.models.scaler import Scaler
from bqx.market.bars import Bars
from bqx.params import Params

LIST = "dataset.json"
METADATA = "feature_metadata.json"
FITTED = "fitted.parquet"
FITS = "fits.json"
LEADERS = "leaders.json"
SCALER = "scaler.json"
SETS = ("train", "val", "test")

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """``ts_utc`` : (n,) opens of the rows' bars; ``x`` : (n, C) columns; ``y`` : (n, H) labels, the
    innovations in sigma, those to learn from cut off where they are extreme; ``weight`` : (n,)."""

    ts_utc: pd.DatetimeIndex
    x: Matrix
    y: Vector
    weight: Vector


@dataclass(frozen=True, eq=False)
class Sets:
    """The sets of a pair in a fold: ``columns`` by name, ``horizons``, ``scaler`` of the training
    rows, and the rows to learn from, to validate on (every stride-th) and to forecast."""

    columns: tuple[str, ...]
    horizons: tuple[int, ...]
    scaler: Scaler
    train: Rows
    val: Rows
    test: Rows


def of_fold(history: History, columns: Sequence[Column], fold: Fold, params: Params) -> Sets:
    """The sets of a pair in a fold, from its chosen columns.

    ``params`` : horizons, target_window and stride are read.

    Raises ParameterError for too few rows to learn from.
    """
    bars = history.bars
    labels = samples.labels_of(samples.targets_of(bars, params))
    fits = samples.fits_of(bars, columns, fold)
    learnt = fold_fit.lesson_rows(bars, columns, fold, labels, params)
    *x, ahead_x = history.matrices(columns, (*learnt, fold.test), fits)
    rows = fold_fit.lesson(learnt, x, labels)
    ahead = np.column_stack([label[fold.test] for label in labels.values()])
    return Sets(
        columns=tuple(column.name for column in columns),
        horizons=tuple(labels),
        scaler=Scaler.fit(rows.x, rows.weight),
        train=_rows(bars, rows.train, rows.x, rows.y, rows.weight),
        val=_rows(bars, rows.later, rows.later_x, rows.later_y),
        test=_rows(bars, fold.test, ahead_x, ahead),
    )


def _rows(
    bars: Bars, rows: NDArray[np.int64], x: Matrix, y: Vector, weight: Vector | None = None
) -> Rows:
    return Rows(bars.ts[rows], x, y, np.ones(len(rows)) if weight is None else weight)


def write(folder: Folder, sets: Sets, where: str, columns: Sequence[Column]) -> dict[str, str]:
    """Write the sets of a pair and fold into a subfolder, empty for the place itself.

    Returns the hash of each file.

    Raises ArtefactError when the place cannot be written.
    """
    contents = {f"{name}.parquet": _parquet(sets, getattr(sets, name)) for name in SETS}
    hashes = {
        _at(where, name): folder.write(_at(where, name), content)
        for name, content in contents.items()
    }
    facts: dict[str, Any] = {
        METADATA: {"horizons": list(sets.horizons), "columns": [_described(c) for c in columns]},
        SCALER: sets.scaler.to_json() | {"columns": list(sets.columns)},
    }
    for name, value in facts.items():
        folder.write_json(_at(where, name), value)
        hashes[_at(where, name)] = folder.sha256(_at(where, name))
    return hashes


def write_fitted(
    folder: Folder, history: History, features: Sequence[Feature], fold: Fold, where: str
) -> tuple[dict[str, str], dict[str, Any] | None]:
    """Write features that are learnt from a fold's training rows, and what they have learnt.

    Of all rows from the first of the fold's training to the last of its test. Returns the hash of
    each file, none where none of the features is learnt, and which sisters lead.
    """
    columns = [Column(feature) for feature in features if feature.fit_key]
    if not columns:
        return {}, None
    fits = samples.fits_of(history.bars, columns, fold)
    rows = np.arange(fold.train.min(), fold.test.max() + 1)
    frame = pd.DataFrame(
        history.matrix(columns, rows, fits), columns=[column.name for column in columns]
    )
    frame.insert(0, "ts_utc", history.bars.ts[rows])
    content, learnt = f"{where}/{FITTED}", f"{where}/{FITS}"
    folder.write_json(learnt, {"fold": fold.number, "fits": fits.to_json()})
    hashes = {content: folder.write(content, _bytes(frame)), learnt: folder.sha256(learnt)}
    leading = leaders(history.bars.pair, fits, features)
    return hashes, leading and {"fold": fold.number, **leading}


def read_fitted(place: str, pair: str, fold: int) -> tuple[pd.DataFrame, Fits]:
    """Features of a pair that a fold has learnt, by ``ts_utc``, and what they have learnt.

    Raises ArtefactError when a file is absent, or another one than the list says.
    """
    folder, prefix = Folder(place), where(fold, pair)
    files = folder.read_json(LIST)["files"]
    frame = pd.read_parquet(io.BytesIO(_checked(folder, f"{prefix}/{FITTED}", files)))
    learnt = from_json(_checked(folder, f"{prefix}/{FITS}", files))
    return frame.set_index("ts_utc"), Fits.from_json(learnt["fits"])


def leaders(pair: str, fits: Fits, features: Sequence[Feature]) -> dict[str, Any] | None:
    """Which sisters lead a pair by what a fold has learnt; None without such a feature."""
    keys = {f.fit_key for f in features if f.fit_key and f.table == "cross_pair_lead_lag"}
    if not keys:
        return None
    first, second = lead_lag.leaders(pair, fits.parameters[keys.pop()])
    return {"pair": pair, "first": first, "second": second}


def finish(
    folder: Folder,
    hashes: Mapping[str, str],
    facts: Mapping[str, Any],
    leading: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write which sisters lead, and the list of all files, without which none counts."""
    files = dict(hashes)
    if leading:
        folder.write_json(LEADERS, list(leading))
        files[LEADERS] = folder.sha256(LEADERS)
    folder.write_json(LIST, {"files": files, **facts})


def where(fold: int, pair: str) -> str:
    """Subfolder of a pair and fold."""
    return f"fold_{fold}/{pair}"


def _at(where: str, name: str) -> str:
    return f"{where}/{name}" if where else name


def _described(column: Column) -> dict[str, Any]:
    feature = column.feature.row()
    keys = ("alias", "table", "unit", "title", "formula")
    return {
        "name": column.name,
        "feature": column.feature.name,
        "domain": column.domain,
        "lag": column.lag,
        "lookback": column.lookback,
        "identity": column.feature.identity,
        **{key: feature[key] for key in keys},
    }


def _parquet(sets: Sets, rows: Rows) -> bytes:
    labels = [f"label_{horizon}" for horizon in sets.horizons]
    frame = pd.concat(
        [
            pd.DataFrame(rows.x, columns=list(sets.columns)),
            pd.DataFrame(rows.y, columns=labels),
            pd.DataFrame({"weight": rows.weight}),
        ],
        axis=1,
    )
    frame.insert(0, "ts_utc", rows.ts_utc)
    return _bytes(frame)


def _bytes(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


def read(place: str, pair: str, fold: int) -> Sets:
    """The sets of a pair and fold among a run's datasets, see `read_sets`."""
    return read_sets(place, where(fold, pair))


def read_sets(place: str, own: str = "") -> Sets:
    """The sets of a place's subfolder, empty for the place itself, as they were written.

    Raises ArtefactError when a file is absent, or another one than the list says.
    """
    folder = Folder(place)
    files = folder.read_json(LIST)["files"]
    facts = {
        name: from_json(_checked(folder, _at(own, name), files)) for name in (METADATA, SCALER)
    }
    columns = tuple(column["name"] for column in facts[METADATA]["columns"])
    horizons = tuple(facts[METADATA]["horizons"])
    rows = {}
    for name in SETS:
        content = _checked(folder, _at(own, f"{name}.parquet"), files)
        frame = pd.read_parquet(io.BytesIO(content))
        rows[name] = Rows(
            ts_utc=pd.DatetimeIndex(frame["ts_utc"]),
            x=np.ascontiguousarray(frame[list(columns)].to_numpy(np.float32)),
            y=frame[[f"label_{horizon}" for horizon in horizons]].to_numpy(np.float64),
            weight=frame["weight"].to_numpy(np.float64),
        )
    return Sets(columns, horizons, Scaler.from_json(facts[SCALER]), **rows)


def _checked(folder: Folder, path: str, files: Mapping[str, str]) -> bytes:
    if path not in files:
        raise ArtefactError(
            f"{folder.place}/{path}: not in {LIST}, got {len(files)} files; expected a pair and "
            "fold that were written. Write the dataset again."
        )
    content = folder.read(path)
    got = hashlib.sha256(content).hexdigest()
    if got != files[path]:
        raise ArtefactError(
            f"{folder.place}/{path}: damaged, got SHA-256 {got[:12]}; expected {files[path][:12]}. "
            "Write the dataset again."
        )
    return content
