"""A training job: bars of a channel to the bundle of one pair, with its scores; see `supervised`.

The columns are chosen and the model fitted on the last fold of the parameters' scheme, by default
70, 15 and 15 percent of the days. A bundle without a model stands first, so that a job that is
stopped leaves one that answers.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bqx.errors import ParameterError
from bqx.feature_store.history import History
from bqx.features import lags
from bqx.features.lags import Column
from bqx.files import atomic, write_json
from bqx.learning import baseline, bundle, pair_selection, samples, split, training
from bqx.learning.fold_fit import learn_fold
from bqx.learning.folds import Fold
from bqx.learning.models import Model, make, model_class
from bqx.learning.selection import Selection
from bqx.learning.training import PairResult
from bqx.market.bars import Bars
from bqx.market.pairs import check
from bqx.params import KEYS, Params
from bqx.params.reading import of_texts
from bqx.serving.jobs import metrics, scores, supervised
from bqx.serving.jobs.platform import Platform, status_of
from bqx.serving.jobs.processing import grids_of

CHANNEL = "bars"
FIRST = "martingale"
"""Model that is there at once."""


@dataclass(frozen=True)
class Request:
    """What a job's hyperparameters ask for.

    ``model`` : its name; ``settings`` : its own, such as ``max_depth``; ``params`` : as of a run.
    """

    pair: str
    model: str
    settings: dict[str, Any]
    params: Params

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> "Request":
        """The request of hyperparameters: ``pair``, ``model``, keys of a parameter file, and
        settings of the model.

        Raises ParameterError for what is none of these.
        """
        pair = check(json_of(texts.get("pair", "")))
        name = json_of(texts.get("model", training.MODEL))
        kind = model_class(name)
        if kind.POOLED:
            raise ParameterError(
                f"hyperparameters: model learns from all pairs, got {name}; expected one that is "
                "trained pair by pair. Use `bqx run` for it."
            )
        setting_names = {field.name for field in fields(kind) if field.init}
        rest = {key: text for key, text in texts.items() if key not in ("pair", "model")}
        params = {"pairs": "[]", "scheme": "chronological"} | {
            key: text for key, text in rest.items() if key not in setting_names
        }
        unknown = sorted(set(params) - set(KEYS))
        if unknown:
            raise ParameterError(
                f"hyperparameters: unknown, got {unknown[0]!r}; expected pair, model, a parameter "
                f"that `bqx params` lists, or a setting of {name}: "
                f"{', '.join(sorted(setting_names))}."
            )
        said = [f"{key}={text}" for key, text in params.items()]
        named = [f"model={name}", f"models=[{name}]"]
        settings = {key: json_of(text) for key, text in rest.items() if key in setting_names}
        return cls(pair, name, settings, of_texts([*said, *named]))


def json_of(text: str) -> Any:
    """Value of a hyperparameter, which is JSON or a bare text.

    >>> json_of("0.5"), json_of('"ridge"'), json_of("ridge")
    (0.5, 'ridge', 'ridge')
    """
    try:
        return json.loads(text)
    except ValueError:
        return text


def train(platform: Platform, folder: Path) -> None:
    """Save bundles in a folder, print the metrics and write the reports of a job.

    Raises BqxError where there is nothing to learn from.
    """
    asked = Request.of(platform.hyperparameters())
    params = asked.params
    grids = grids_of(platform.channel(CHANNEL), params)
    if asked.pair not in grids:
        raise ParameterError(
            f"channel {CHANNEL}: no bars of {asked.pair}, got {', '.join(grids)}; expected its "
            "file too."
        )
    bars, columns = grids[asked.pair], lags.candidates_of(params)
    (fold,) = samples.share(grids, columns, split.make(params, bars.minutes, columns).folds[-1:])
    first = _fitted(bars, columns[:1], fold, unfitted=make(FIRST, params), params=params)
    bundle.bundle(bars, first.fits[-1], params, {}).save(folder / f"0-{asked.pair}")
    (chosen,) = pair_selection.select_pair(History(bars), columns, [fold], params)
    by_name = {column.name: column for column in columns}
    chosen_columns = tuple(by_name[name] for name in chosen.columns)
    model = make(asked.model, params, **asked.settings)
    result = _fitted(bars, chosen_columns, fold, unfitted=model, params=params)
    by_horizon = scores.by_horizon(bars, result, params)
    bundle_metrics = {"horizons": by_horizon}
    packed = bundle.bundle(bars, result.fits[-1], params, bundle_metrics)
    baseline.attached(packed, History(bars), result.forecasts).save(folder / f"1-{asked.pair}")
    _report(platform, result, chosen, by_horizon)


def _fitted(
    bars: Bars, columns: tuple[Column, ...], fold: Fold, *, unfitted: Model, params: Params
) -> PairResult:
    targets = samples.targets_of(bars, params)
    learnt = learn_fold(
        History(bars), columns, fold, model=unfitted, targets=targets, params=params
    )
    ((evidence,),) = training.weigh_all({bars.pair: [learnt]}, params).values()
    return training.keep_pair(bars, [fold], [learnt], [evidence], params)


def _report(
    platform: Platform,
    result: PairResult,
    chosen: Selection,
    by_horizon: Mapping[int, Mapping[str, Any]],
) -> None:
    means = scores.means(result, by_horizon)
    for line in metrics.lines(means):
        print(line, flush=True)
    reports = platform.output / "data"
    write_json(reports / "metrics.json", {"mean": means, "horizons": by_horizon})
    write_json(reports / "selected_features.json", asdict(chosen))
    with atomic(reports / "forecasts.csv") as path:
        result.forecasts.to_csv(path, index=False)


def _child(folder: Path) -> int:
    platform = Platform.here()
    return status_of(lambda: train(platform, folder), platform.fail, "training")


if __name__ == "__main__":
    supervised.end_with_parent()
    sys.exit(_child(Path(sys.argv[1])))
