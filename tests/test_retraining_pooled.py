"""Retraining of models that all pairs learn together: as the run trains them."""

import shutil

import numpy as np
import pytest
import rounds as made

from bqx.feature_store.history import History
from bqx.features import lags
from bqx.files import sha256
from bqx.learning import screening, training
from bqx.learning.samples import LEAST
from bqx.retraining import bars, report, rounds
from bqx.retraining import training as challengers
from bqx.retraining.rounds import JUDGED, PROMOTED

PARAMS = made.PARAMS.model_copy(update={"models": ("pooled_ridge", "ridge")})


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A loop after its first call, with challengers of a pooled model in the shadow."""
    folder = tmp_path_factory.mktemp("pooled")
    made.loop(folder, PARAMS).step(made.market(), made.FIRST)
    return folder


def trained(folder, number=0):
    own = rounds.of(folder / "place")[number]
    return {pair: challengers.read(own.trained(pair)) for pair in made.PAIRS}


def test_it_is_what_the_run_trains_on_the_same_fold(begun):
    dataset = bars.latest(bars.known(made.market(), made.FIRST), PARAMS, made.FIRST)
    columns, fold = lags.candidates_of(PARAMS), challengers.fold_of(dataset, PARAMS)
    histories = {pair: History(own) for pair, own in dataset.items()}
    results = {}
    training.fit_all(
        histories,
        columns,
        [fold],
        selections={},
        screens=screening.screen_all(histories, columns, [fold], PARAMS),
        params=PARAMS,
        write=results.__setitem__,
        name="pooled_ridge",
    )
    own = trained(begun)
    for pair in made.PAIRS:
        (fit,) = results[pair].fits
        packed = own[pair].bundle
        assert packed.model.NAME == "pooled_ridge"
        assert [c.name for c in packed.columns] == [c.name for c in fit.columns]
        np.testing.assert_array_equal(packed.model.coefficients, fit.model.coefficients)
        assert packed.betas == fit.evidence.betas
    first, second = (own[pair].bundle.model for pair in made.PAIRS)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_a_round_that_was_stopped_learns_from_all_pairs_again(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    own = rounds.of(folder / "place")[0]
    model = {p.relative_to(own.folder): sha256(p) for p in own.trained(made.PAIRS[0]).rglob("*")
             if p.is_file() and "facts" not in p.name}  # fmt: skip
    (own.folder / f"{JUDGED}.json").unlink()
    shutil.rmtree(own.trained(made.PAIRS[0]))
    made.loop(folder, PARAMS).step(made.market(), made.FIRST)
    assert model
    assert model == {path: sha256(own.folder / path) for path in model}


def test_a_pooled_champion_is_followed_by_its_kind_even_beside_other_models(begun, tmp_path):
    folder = made.copied(begun, tmp_path / "loop")
    other = PARAMS.model_copy(update={"models": ("ridge",)})
    made.loop(folder, PARAMS).step(made.market(), made.SHADOWED)
    assert set(rounds.of(folder / "place")[0].read(PROMOTED)["pairs"]) == set(made.PAIRS)
    worked, reasons = made.loop(folder, other).step(made.market(), made.WATCHED)
    assert reasons
    own = {pair: challengers.read(worked[-1].trained(pair)) for pair in made.PAIRS}
    assert {of.bundle.model.NAME for of in own.values()} == {"pooled_ridge"}
    assert {of.champion for of in own.values()} == {1}


def test_a_pair_with_too_few_rows_does_not_stop_the_others(tmp_path, monkeypatch):
    fold_of = challengers.fold_of

    def longer(dataset, params):
        # A hole in one pair alone, where all have learnt.
        frame = dataset[made.PAIRS[0]].frame
        fold = fold_of(dataset, params)
        frame.iloc[fold.train[: -LEAST * params.stride // 2], :4] = np.nan
        return fold

    monkeypatch.setattr(challengers, "fold_of", longer)
    made.loop(tmp_path, PARAMS).step(made.market(), made.FIRST)
    own = rounds.of(tmp_path / "place")[0]
    judged = own.read(JUDGED)
    assert list(judged["pairs"]) == [made.PAIRS[1]]
    assert "too few rows to learn from" in judged["failed"][made.PAIRS[0]][0]["rule"]
    assert f"{made.PAIRS[0]}: no challenger" in report.text(own)
