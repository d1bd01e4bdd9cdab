"""Tear sheets of features: on the bars of a run, or of a folder that no run has read."""

import difflib
from collections.abc import Sequence

from bqx.errors import ParameterError
from bqx.evaluation import tear_sheet
from bqx.evaluation.tear_sheet import TearSheet
from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.learning import samples, split
from bqx.params import Params
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages import selection
from bqx.stages.bars import load, read_bars
from bqx.stages.features import certify, histories
from bqx.stages.lagging import columns_of


def of_run(params: Params, name: str) -> TearSheet:
    """Tear sheet of a feature, or of a column with its lag, on the bars of a run.

    Raises
    ------
    ParameterError : a name that neither the run nor the catalog has, or a feature of one's own
        that reads ahead or fails.
    ArtefactError : the run has not come as far as notebook 05.
    """
    run = Run.open(params.folder, params)
    params, dataset = settled(run), load(run)
    candidates = columns_of(run)
    column = called(name, candidates)
    if column.feature in catalog.own() and column not in candidates:
        certify(dataset.bars, (column.feature,))
    return tear_sheet.make(
        histories(run, dataset.bars),
        column,
        [candidate for candidate in candidates if not candidate.lag],
        fold=selection.fitted_folds(run, dataset)[0],
        params=params,
    )


def of_bars(params: Params, name: str) -> TearSheet:
    """Tear sheet of a feature on bars, beside the features of the profile.

    Raises
    ------
    BarError : bars that cannot be read.
    ParameterError : a name that the catalog has not, a feature of one's own that reads ahead or
        fails, or bars shorter than a fold.
    """
    catalog.adopt(params.own_features)
    column = called(name)
    bars, _, _ = read_bars(params)
    if own_features := catalog.own():
        certify(bars, own_features)
    others = [Column(feature) for feature in catalog.profile(params.profile)]
    columns = (column, *others)
    minutes = next(iter(bars.values())).minutes
    first = split.make(params, minutes, columns).folds[:1]
    return tear_sheet.make(
        {pair: History(pair_bars) for pair, pair_bars in bars.items()},
        column,
        others,
        fold=samples.share(bars, columns, first)[0],
        params=params,
    )


def called(name: str, candidates: Sequence[Column] = ()) -> Column:
    """The column of a name, among candidates or all of the catalog.

    Raises ParameterError, which names the nearest ones.
    """
    columns = {c.name: c for c in (*lags.grid(tuple(catalog.FEATURES.values())), *candidates)}
    if name not in columns:
        near = difflib.get_close_matches(name, columns, 3, 0.5)
        such = f", such as {', '.join(near)}" if near else ""
        raise ParameterError(
            f"feature: none is called so, got {name[:80]!r}; expected one of the catalog{such}. "
            "`bqx catalog` lists all."
        )
    return columns[name]
