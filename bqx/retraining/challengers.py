"""Challengers of all pairs of a round: those of pooled models together, the others one by one."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

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
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.parallel import over_pairs
from bqx.params import Params
from bqx.retraining import bars as known_bars
from bqx.retraining import change, training
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
    champions = {pair: served(pair) for pair in due}
    whole = training.fold_of(good, params)
    fits = _pooled_fits(own, good, whole, champions=champions, params=params)
    folds, tasks = {"": whole}, {}
    for pair in (pair for pair in due if not own.failure(pair).exists()):
        champion = champions[pair]
        since, row = "", 0
        if champion is not None and pair not in fits:
            since, row = _changed(good[pair], champion[1], params)
        if since not in folds:
            later = {p: of.rows(row, len(of)) for p, of in good.items()}
            folds[since] = training.fold_of(later, params)
        bars = good[pair].rows(row, len(good[pair]))
        fold, fit = folds[since], fits.get(pair)
        tasks[pair] = (bars, fold, own.trained(pair), champion, fit, since)
    over_pairs(
        partial(training.attempt, params),
        tasks,
        params.workers,
        write=partial(_note, own),
        backend=params.backend,
    )


def _note(own: Round, pair: str, error: str) -> None:
    if error:
        own.fail(pair, [Reason(error)])


def _changed(bars: Bars, champion: Bundle, params: Params) -> tuple[str, int]:
    """The change since which a served version does worse, and the first row that is learnt from
    after it; empty and 0 where there is none, or too little has come since."""
    worsening = change.of(champion, bars, params)
    day = sessions.trading_days(bars.minutes)
    if worsening is None or len(np.unique(day[day >= worsening.day])) < known_bars.LEAST_DAYS:
        return "", 0
    lookback = max(column.lookback for column in lags.candidates_of(params))
    return str(worsening), max(int(np.searchsorted(day, worsening.day)) - lookback + 1, 0)


def _pooled_fits(
    own: Round,
    bars: Mapping[str, Bars],
    fold: Fold,
    *,
    champions: Mapping[str, tuple[int, Bundle] | None],
    params: Params,
) -> dict[str, FoldFit]:
    """What pairs whose model is a pooled one learn together with all others, by pair."""
    models = {pair: training.model_of(params, of) for pair, of in champions.items()}
    fits: dict[str, FoldFit] = {}
    for name in sorted({name for name in models.values() if model_class(name).POOLED}):
        pairs = [pair for pair in models if models[pair] == name]
        try:
            learnt = _pooled(own, bars, fold, name=name, params=params)
        except Exception as error:  # whatever it is, pairs with another model are none the worse
            for pair in pairs:
                _note(own, pair, f"{type(error).__name__}: {error}")
        else:
            fits |= {pair: learnt[pair] for pair in pairs if pair in learnt}
    return fits


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
