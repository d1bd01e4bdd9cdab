"""A processing job: bars of a channel or of PostgreSQL to datasets as files, sharded by pair.

Every instance reads the bars of all pairs, which cross-pair features need, and writes the datasets
of its share of them.
"""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bqx.database import connect, reads
from bqx.errors import ParameterError
from bqx.feature_store.history import History
from bqx.feature_store.object_store import Folder
from bqx.features import lags
from bqx.features.lags import Column
from bqx.files import read_json, write_json, write_parquet
from bqx.learning import dataset_files, samples, split
from bqx.learning.folds import Fold
from bqx.market import bars as bar_frames
from bqx.market import readers
from bqx.market.bars import COLUMNS, Bars
from bqx.market.pairs import LIQUIDITY
from bqx.parallel import over_pairs
from bqx.params import SPLIT_KEYS, Params
from bqx.params.reading import of_texts
from bqx.serving.jobs.platform import Platform, status_of

INPUT = "bars"
BASELINE = "_baseline.json"
"""End of the name of a file beside the bars that a job writes: the pair's baseline, which slices of
the bars keep. Instances put theirs into one folder, so that each pair has its own."""


def main(arguments: Sequence[str]) -> int:
    """Process as the platform asks for it, with ``key=value`` arguments; exit status."""
    platform = Platform.here()
    return status_of(
        lambda: platform.tell(process(platform, arguments)), platform.tell, "processing"
    )


def process(platform: Platform, arguments: Sequence[str]) -> str:
    """Write the datasets of this instance's share of the pairs, and say what was written.

    Raises BqxError : no bars, a parameter that is none, or pairs that failed, named once the
    others are written.
    """
    params = of_texts(["pairs=[]", "scheme=chronological", "workers=1", *arguments])
    grids = _bars(platform, params)
    pairs, out = _share(platform, tuple(grids)), platform.processing / "output"
    rows: dict[str, int] = {}
    for pair in pairs:
        write_parquet(out / "bars" / f"{pair}.parquet", _raw(grids[pair].frame))
        write_json(out / "bars" / f"{pair}{BASELINE}", {pair: grids[pair].baseline})
    if pairs:
        columns = lags.candidates_of(params)
        folds = split.make(params, grids[pairs[0]].minutes, columns).folds
        over_pairs(
            partial(
                _write, columns=columns, folds=samples.share(grids, columns, folds), params=params
            ),
            {pair: (grids[pair], out / pair) for pair in pairs},
            params.workers,
            write=rows.__setitem__,
            backend=params.backend,
        )
    total = sum(rows.values())
    return f"{len(pairs)} of {len(grids)} pairs, {total:,} rows: {', '.join(pairs) or 'none here'}"


def _write(
    bars: Bars, folder: Path, *, columns: Sequence[Column], folds: Sequence[Fold], params: Params
) -> int:
    """Write a pair's files, and give the number of rows that its sets hold.

    Its folder is a place of `dataset_files`, with the sets in ``fold_K`` where there are several
    folds. ``features_N.parquet`` : N features on every row, without lags.
    """
    history, place = History(bars), Folder(folder)
    # A fitted family has values once it has learnt, which the sets of a fold hold.
    now = [Column(f) for f in dict.fromkeys(c.feature for c in columns) if not f.fit_key]
    wide = history.matrix(now, np.arange(len(bars)))
    frame = pd.DataFrame(wide, columns=[column.name for column in now])
    frame.insert(0, "ts_utc", bars.ts)
    write_parquet(folder / f"features_{len(now)}.parquet", frame)
    hashes: dict[str, str] = {}
    total = 0
    for fold in folds:
        sets = dataset_files.of_fold(history, columns, fold, params)
        subfolder = f"fold_{fold.number}" if len(folds) > 1 else ""
        hashes |= dataset_files.write(place, sets, subfolder, columns)
        total += sum(len(rows.x) for rows in (sets.train, sets.val, sets.test))
    facts = {
        "parameters": params.model_dump(mode="json", include={*SPLIT_KEYS}),
        "pair": bars.pair,
        "baseline": bars.baseline,
        "folds": [fold.number for fold in folds],
    }
    dataset_files.finish(place, hashes, facts)
    return total


def grids_of(folder: Path, params: Params) -> dict[str, Bars]:
    """Bars of a folder on one grid, under the baselines that stand beside them, if any do.

    Raises BarError or ParameterError, see `readers.read_folder`.
    """
    frames = readers.read_folder(folder, params.pairs, **params.declared)
    ordered = {pair: frames[pair] for pair in LIQUIDITY if pair in frames}
    stored: Mapping[str, float] = {}
    for path in folder.rglob(f"*{BASELINE}"):
        stored = {**stored, **read_json(path)}
    missing = [pair for pair in ordered if pair not in stored]
    if stored and missing:
        raise ParameterError(
            f"{missing[0]}{BASELINE}: no such file, got those of {', '.join(stored)}; expected one "
            "of every pair. Process all pairs of the folder together."
        )
    return bar_frames.align(ordered, params.max_fill, baselines=stored or None)


def _bars(platform: Platform, params: Params) -> dict[str, Bars]:
    folder = platform.processing / "input" / INPUT
    if folder.is_dir() and any(folder.iterdir()):
        return grids_of(folder, params)
    if _sharded(platform):
        return {}
    if not {connect.URL_NAME, connect.SECRET_NAME} & set(os.environ):
        raise ParameterError(
            f"bars: none, got no file in {folder} and no database; expected an input named {INPUT}"
            f", or {connect.SECRET_NAME} in the job's environment."
        )
    engine = connect.connect(connect.url())
    try:
        return reads.read_grid(engine, params.pairs or LIQUIDITY, max_fill=params.max_fill)
    finally:
        engine.dispose()


def _sharded(platform: Platform) -> bool:
    """Whether the platform itself gave each instance some of the objects alone."""
    return any(
        item.get("InputName") == INPUT
        and item.get("S3Input", {}).get("S3DataDistributionType") == "ShardedByS3Key"
        for item in platform.job().get("ProcessingInputs", ())
    )


def _share(platform: Platform, pairs: tuple[str, ...]) -> tuple[str, ...]:
    if _sharded(platform):
        return pairs
    number, instances = platform.share()
    return pairs[number::instances]


def _raw(frame: pd.DataFrame) -> pd.DataFrame:
    """The bars that there were, without the minutes that the grid filled or left open."""
    recorded = frame[list(COLUMNS)][~frame["filled"].to_numpy() & frame["close"].notna().to_numpy()]
    return recorded.rename_axis("ts_utc").reset_index()
