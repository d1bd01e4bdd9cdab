"""Datasets of a run as files, for those who train elsewhere: `bqx dataset`."""

from collections.abc import Sequence
from typing import Any

from bqx.errors import ParameterError
from bqx.feature_store.object_store import Folder
from bqx.features import catalog
from bqx.learning import dataset_files
from bqx.params import SELECTION_KEYS, SPLIT_KEYS, Params
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages import bars, features, lagging, selection

STAGES = (bars, features, lagging, selection)
"""What a dataset is made of; run first where the run folder does not have it."""


def write(params: Params, place: str, pairs: Sequence[str] = ()) -> int:
    """Write train, validation and test sets of every pair and fold, see `dataset_files`.

    One pair in one fold is held at a time, so that a job that is given some of the pairs needs the
    memory of one.

    Parameters
    ----------
    params : of the run; one that has no selection yet is taken so far first.
    place : folder or ``s3://bucket/prefix``.
    pairs : to write, default all of the run.

    Returns
    -------
    Number of pairs and folds written.

    Raises
    ------
    ParameterError : a pair that the run does not have, or too few rows to learn from.
    ArtefactError : the run is damaged, or the place cannot be written.
    """
    run = _selected(params)
    run_params = settled(run)
    dataset = bars.load(run)
    wanted = tuple(pairs) or tuple(dataset.bars)
    _check(wanted, tuple(dataset.bars))
    columns = {column.name: column for column in lagging.columns_of(run)}
    folds, chosen = selection.fitted_folds(run, dataset), selection.read(run, dataset)
    histories, folder = features.histories(run, dataset.bars), Folder(place)
    profile = catalog.profile(run_params.profile)
    hashes: dict[str, str] = {}
    leading: list[dict[str, Any]] = []
    for pair in wanted:
        for fold, selected in zip(folds, chosen[pair], strict=True):
            read = [columns[name] for name in selected.columns]
            sets = dataset_files.of_fold(histories[pair], read, fold, run_params)
            where = dataset_files.where(fold.number, pair)
            learnt, led = dataset_files.write_fitted(folder, histories[pair], profile, fold, where)
            hashes |= dataset_files.write(folder, sets, where, read) | learnt
            leading += [led] if led else []
    facts = {
        "parameters": run_params.model_dump(mode="json", include={*SPLIT_KEYS, *SELECTION_KEYS}),
        "data_hash": run.manifest["data_hash"],
        "pairs": list(wanted),
        "folds": [fold.number for fold in folds],
    }
    dataset_files.finish(folder, hashes, facts, leading)
    return len(wanted) * len(folds)


def _selected(params: Params) -> Run:
    """The run, taken to its selection where it had none."""
    if selection.NAME not in Run.open(params.folder, params).stages:
        for stage in STAGES:
            stage.build(params)
    return Run.open(params.folder, params)


def _check(wanted: Sequence[str], pairs: Sequence[str]) -> None:
    for pair in wanted:
        if pair not in pairs:
            raise ParameterError(
                f"pairs: not in the run, got {pair[:60]!r}; expected some of {', '.join(pairs)}."
            )
