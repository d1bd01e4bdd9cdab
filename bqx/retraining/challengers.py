"""Challengers of all pairs of a round: those of pooled models together, the others one by one."""

from collections.abc import Callable, Mapping
from functools import partial

from bqx.errors import ParameterError
from bqx.evaluation.reasons import Reason
from bqx.feature_store.history import History
from bqx.features import lags
from bqx.learning import pooled, samples, screening
from bqx.learning import training as run_training
from bqx.learning.bundle import Bundle
from bqx.learning.fold_fit import FoldFit
from bqx.learning.folds import Fold
from bqx.learning.models import model_class
from bqx.market.bars import Bars
from bqx.parallel import over_pairs
from bqx.params import Params
from bqx.retraining import bars as known_bars
from bqx.retraining import training
from bqx.retraining.rounds import Round

Served = Callable[[str], tuple[int, Bundle] | None]
"""Number and bundle of a pair's served version."""


def train(own: Round, dataset: Mapping[str, Bars], served: Served, params: Params) -> None:
    """Train what has neither a challenger nor a reason why not.

    What pairs learn together they learn from all pairs with good bars, so that a round that goes on
    after a kill learns the same.
    """
    good = {}
    for pair, pair_bars in dataset.items():
        against = known_bars.faults(pair_bars, own.now)
        if against:
            own.fail(pair, against)
        else:
            good[pair] = pair_bars
    due = [p for p in good if not own.trained(p).exists() and not own.failure(p).exists()]
    if not due:
        return
    fold = training.fold_of(good, params)
    champions = {pair: served(pair) for pair in due}
    models = {pair: training.model_of(params, champions[pair]) for pair in due}

    def note(pair: str, error: str) -> None:
        if error:
            own.fail(pair, [Reason(error)])

    fits: dict[str, FoldFit] = {}
    for name in sorted({name for name in models.values() if model_class(name).POOLED}):
        try:
            fits |= _pooled(own, good, fold, name=name, params=params)
        except Exception as error:  # whatever it is, pairs with another model are none the worse
            for pair in (pair for pair in due if models[pair] == name):
                note(pair, f"{type(error).__name__}: {error}")

    over_pairs(
        partial(training.attempt, fold),
        {
            pair: (good[pair], own.trained(pair), champions[pair], params, fits.get(pair))
            for pair in due
            if not own.failure(pair).exists()
        },
        params.workers,
        write=note,
        backend=params.backend,
    )


def _pooled(
    own: Round, bars: Mapping[str, Bars], fold: Fold, *, name: str, params: Params
) -> dict[str, FoldFit]:
    """What all pairs learn together, by pair; those with too few rows are left out and say so."""
    columns = lags.candidates_of(params)
    histories = {}
    for pair, pair_bars in bars.items():
        labels = samples.labels_of(samples.targets_of(pair_bars, params))
        try:
            samples.training_rows(pair_bars, columns, fold, labels, params)
        except ParameterError as error:
            own.fail(pair, [Reason(str(error))])
        else:
            histories[pair] = History(pair_bars)
    screens = screening.screen_all(histories, columns, [fold], params)
    learnt = pooled.learn_all(histories, columns, [fold], screens=screens, params=params, name=name)
    evidence = run_training.weigh_all(learnt, params)
    return {
        pair: run_training.keep_pair(bars[pair], [fold], of, evidence[pair], params).fits[0]
        for pair, of in learnt.items()
    }
