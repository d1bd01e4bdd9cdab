"""Choose the columns of every pair, fold by fold, and those of pooled models on the same rows."""

from collections.abc import Callable, Collection, Mapping, Sequence

from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import fold_columns, screening
from bqx.learning.fold_columns import FoldColumns
from bqx.learning.folds import Fold
from bqx.learning.screening import Scores, Screen
from bqx.learning.selection import Selection, Settings, select
from bqx.learning.weights import uniqueness
from bqx.parallel import over_pairs
from bqx.params import Params


def select_pair(
    history: History, columns: Sequence[Column], folds: Sequence[Fold], params: Params
) -> tuple[Selection, ...]:
    """Choose the columns of one pair on every fold, from its training rows alone.

    Parameters
    ----------
    history : of the pair.
    columns : candidates.
    folds : over the rows of the bars.
    params : horizons, target_window, stride, selected, domain_share, ranked_by, forest_trees,
        forest_depth and seed are read.

    Raises
    ------
    ParameterError : too few rows to learn from, or no column left.
    """
    of_folds = fold_columns.training(history, columns, folds, params)
    return tuple(_select(of_fold, columns, params) for of_fold in of_folds)


def _select(known: FoldColumns, columns: Sequence[Column], params: Params) -> Selection:
    return select(
        known.x,
        known.y,
        columns,
        facts=known.facts,
        weight=uniqueness(known.rows, max(params.horizons)),
        settings=Settings.from_params(params),
    )


def _select_and_score(
    history: History, columns: Sequence[Column], folds: Sequence[Fold], params: Params
) -> list[tuple[Selection, Scores]]:
    """`select_pair` and `screening.score_pair` on columns that are read and looked at once."""
    of_folds = fold_columns.training(history, columns, folds, params)
    return [(_select(of_fold, columns, params), screening.score(of_fold)) for of_fold in of_folds]


def select_all(
    histories: Mapping[str, History],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    params: Params,
    write: Callable[[str, tuple[Selection, ...]], None],
    done: Collection[str] = (),
) -> tuple[Screen, ...]:
    """`select_pair` for all pairs but those done, and the columns of pooled models on every fold.

    Both are of the same rows, which are read once; ``params.workers`` pairs at a time.
    ``write(pair, selections)`` is called in this process as soon as a pair is ready.

    Raises
    ------
    BqxError : pairs failed; named once the others are written.
    """
    scores: dict[str, Sequence[Scores]] = {}

    def keep_both(pair: str, made: list[tuple[Selection, Scores]]) -> None:
        scores[pair] = [fold_scores for _, fold_scores in made]
        write(pair, tuple(selection for selection, _ in made))

    workers, backend = params.workers, params.backend
    tasks = {pair: (history, columns, folds, params) for pair, history in histories.items()}
    ahead = {pair: task for pair, task in tasks.items() if pair not in done}
    over_pairs(_select_and_score, ahead, workers, write=keep_both, backend=backend)
    left = {pair: tasks[pair] for pair in done}
    over_pairs(screening.score_pair, left, workers, write=scores.__setitem__, backend=backend)
    return screening.choose_all(scores, histories, columns, folds, params)
