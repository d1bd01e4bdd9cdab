"""Models of all pairs: what they learn, that no later bar reaches it, how a pair stands alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from learned import PARAMS, make_folds
from small_models import files

from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.learning import bundle, models, screening, training
from bqx.learning.models import Design, make
from bqx.learning.models.pooled_xgb import standing
from bqx.learning.models.scaler import Scaler
from bqx.market import bars, simulated
from bqx.market.bars import Bars
from bqx.params import Params

PAIRS = ("eurusd", "usdjpy")
GIVEN = PARAMS.model_copy(update={"pairs": PAIRS, "days": 35, "rounds": 10, "selected": 12})
COLUMNS = lags.grid(catalog.profile("core")[::5], (60,))
NAMES = ("pooled_ridge", "partial_ridge", "pooled_xgboost")
RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def panel():
    frames = simulated.simulate("strong", PAIRS, GIVEN.start, days=GIVEN.days, seed=1).frames
    return bars.align(frames)


@pytest.fixture(scope="module")
def folds(panel):
    return make_folds(panel[PAIRS[0]], COLUMNS, GIVEN)[:1]


def learn(panel, folds, name, params=GIVEN):
    """Screens of the folds, and results by pair."""
    histories = {pair: History(own) for pair, own in panel.items()}
    screens = screening.screen_all(histories, COLUMNS, folds, params)
    results = {}
    training.fit_all(
        histories,
        COLUMNS,
        folds,
        selections={},
        screens=screens,
        params=params,
        write=results.__setitem__,
        name=name,
    )
    return screens, results


@pytest.fixture(scope="module")
def learned(panel, folds):
    return {name: learn(panel, folds, name) for name in NAMES}


def fold_bytes(results, folder):
    for pair, result in results.items():
        result.fits[0].model.save(folder / pair)
    return files(folder)


@pytest.mark.parametrize("name", NAMES)
def test_bars_after_a_fold_change_no_byte_of_any_pair(name, panel, folds, learned, tmp_path):
    last = folds[0].last_seen
    changed = {}
    for pair, own in panel.items():
        frame = own.frame.copy()
        frame.iloc[last + 1 :, :4] *= RNG.uniform(0.5, 2.0, (len(frame) - last - 1, 1))
        changed[pair] = Bars(pair, frame, own.baseline)
    screens, results = learn(changed, folds, name)
    before_screens, before = learned[name]
    assert screens == before_screens
    assert fold_bytes(results, tmp_path / "after") == fold_bytes(before, tmp_path / "before")
    for pair in PAIRS:
        fit, same = results[pair].fits[0], before[pair].fits[0]
        assert fit.evidence == same.evidence
        assert fit.calibration == same.calibration
        pd.testing.assert_frame_equal(fit.validated, same.validated)
        raw, old = results[pair].forecasts["raw"], before[pair].forecasts["raw"]
        assert (raw != old).any()


def test_the_last_bar_of_one_pair_is_seen_by_all(panel, folds, learned):
    frame = panel["usdjpy"].frame.copy()
    last = int(folds[0].validation[-1]) + 45
    frame.iloc[last - 300 : last + 1, :4] *= np.linspace(1, 1.05, 301)[:, None]
    changed = panel | {"usdjpy": Bars("usdjpy", frame, panel["usdjpy"].baseline)}
    _, results = learn(changed, folds, "pooled_ridge")
    own = results["eurusd"].fits[0].model.coefficients
    assert (own != learned["pooled_ridge"][1]["eurusd"].fits[0].model.coefficients).any()


def test_processes_learn_the_same_bytes_in_whatever_order_they_end(panel, folds, learned, tmp_path):
    two = GIVEN.model_copy(update={"workers": 2})
    screens, results = learn(panel, folds, "pooled_xgboost", two)
    before_screens, before = learned["pooled_xgboost"]
    assert screens == before_screens
    assert fold_bytes(results, tmp_path / "two") == fold_bytes(before, tmp_path / "one")
    for pair in PAIRS:
        pd.testing.assert_frame_equal(results[pair].forecasts, before[pair].forecasts)


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_of_a_pair_forecasts_alone_what_all_pairs_have_learnt(
    name, panel, folds, learned, tmp_path
):
    for pair in PAIRS:
        (fit,) = learned[name][1][pair].fits
        bundle.bundle(panel[pair], fit, GIVEN, {}).save(tmp_path / pair)
        loaded = bundle.load(tmp_path / pair)
        rows = folds[0].test[500:600]
        x = lags.matrix(panel[pair], loaded.columns, rows, loaded.fits)
        forecasts = learned[name][1][pair].forecasts
        raw = forecasts["raw"].to_numpy().reshape(len(GIVEN.horizons), -1).T[500:600]
        np.testing.assert_array_equal(loaded.model.predict(x), raw)
        alone = [loaded.model.predict(x[i : i + 1])[0] for i in range(20)]
        np.testing.assert_array_equal(alone, raw[:20])
        assert not (tmp_path / pair / "model").joinpath("usdjpy").exists()


def test_the_pooled_line_is_that_of_all_rows_each_pair_on_its_own_scale():
    x = RNG.normal(size=(900, 4)).astype(np.float32) * np.array([1, 10, 1e3, 1], np.float32)
    x[600:] *= 7.0
    y = x[:, [0, 3]] / np.where(np.arange(900) < 600, 1.0, 7.0)[:, None] + RNG.normal(size=(900, 2))
    model = make("pooled_ridge", Params(), alpha=0.1)
    model.fit(Design(x, (("eurusd", 600), ("usdjpy", 300))), y)
    z = np.vstack([(own - own.mean(0)) / own.std(0) for own in (x[:600], x[600:])]).clip(-4, 4)
    rows = np.vstack((z, np.sqrt(0.1 * 900) * np.eye(4)))
    expected = np.linalg.lstsq(rows, np.vstack((y, np.zeros((4, 2)))), rcond=None)[0]
    np.testing.assert_allclose(model.coefficients, expected, rtol=1e-4, atol=1e-5)
    second = model.of("usdjpy")
    np.testing.assert_allclose(second.predict(x[600:]), z[600:] @ expected, rtol=1e-3, atol=1e-4)
    assert second.scalers == {}


def two_pairs(own, rows=4_000):
    """Columns and labels of two pairs, whose second line differs by ``own`` from the first."""
    x = RNG.normal(size=(2 * rows, 3)).astype(np.float32)
    slope = np.repeat([[0.2, 0.0, 0.1], [0.2, own, 0.1]], rows, axis=0)
    y = (x * slope).sum(axis=1, keepdims=True) + RNG.normal(size=(2 * rows, 1))
    return Design(x, (("eurusd", rows), ("usdjpy", rows))), y


def test_a_pair_departs_from_the_pooled_line_where_later_rows_say_so():
    model = make("partial_ridge", Params()).fit(*two_pairs(0.5), validation=two_pairs(0.5))
    assert model.departure is not None
    first, second = (model.of(pair).coefficients for pair in PAIRS)
    assert second[1, 0] - first[1, 0] > 0.3
    alike = make("partial_ridge", Params()).fit(*two_pairs(0.0), validation=two_pairs(0.0))
    first, second = (alike.of(pair).coefficients for pair in PAIRS)
    np.testing.assert_allclose(first, second, atol=0.03)
    none = make("partial_ridge", Params(), departure=None, alpha=alike.alpha)
    x, y = two_pairs(0.5)
    none.fit(x, y)
    pooled = make("pooled_ridge", Params(), alpha=alike.alpha).fit(x, y)
    for pair in PAIRS:
        np.testing.assert_array_equal(none.of(pair).coefficients, pooled.coefficients)


def test_trees_of_all_pairs_know_which_pair_it_is(tmp_path):
    assert standing("eurusd").tolist() != standing("usdjpy").tolist()
    assert not standing("").any()
    x, _ = two_pairs(0.0)
    y = np.repeat([[1.0], [-1.0]], 4_000, axis=0) * np.sign(x.values[:, [0]])
    settings = {"n_estimators": 60, "max_depth": 3, "learning_rate": 0.3}
    model = make("pooled_xgboost", Params(), **settings).fit(x, y.astype(np.float64))
    for pair, sign in zip(PAIRS, (1, -1), strict=True):
        own = model.of(pair)
        own.save(tmp_path / pair)
        forecasts = models.load(tmp_path / pair).predict(x.values[:500])
        np.testing.assert_array_equal(forecasts, own.predict(x.values[:500]))
        assert np.corrcoef(forecasts[:, 0], sign * np.sign(x.values[:500, 0]))[0, 1] > 0.8


def test_screening_finds_what_all_pairs_share_and_leaves_out_what_numbers_the_days(
    panel, folds, learned
):
    (screen,) = learned["pooled_ridge"][0]
    assert len(screen.columns) == len(screen.strength) == GIVEN.selected
    assert list(screen.strength) == sorted(screen.strength, reverse=True)
    assert screen.candidates + len(screen.dropped) == len(COLUMNS)
    assert not set(screen.columns) & set(screen.dropped)
    rows = folds[0].train[2_000::7]
    by_name = {column.name: column for column in COLUMNS}
    x = lags.matrix(panel["eurusd"], [by_name[name] for name in screen.columns], rows)
    z = Scaler.fit(x).apply(x)
    likeness = np.abs(z.T @ z / len(z)) - np.eye(z.shape[1])
    assert likeness.max() < 0.99
    assert screen.strength[0] > 4


def test_the_strength_of_a_column_is_the_t_of_its_parts():
    """By loops, over two pairs whose rows stand in the same parts."""
    rows, parts = 400, screening.PARTS
    starts = np.linspace(0, rows, parts + 1).astype(int)
    x, y = RNG.normal(size=(2, rows, 3)).astype(np.float32), RNG.normal(size=(2, rows, 2))
    y[:, :, 0] += 0.4 * x[:, :, 1]
    sums = sum(screening._sums(x[i], y[i], starts) for i in range(2)).astype(np.float64)
    for column in range(3):
        for horizon in range(2):
            products = np.zeros(parts)
            for pair in range(2):
                own = x[pair, :, column].astype(np.float64)
                own = np.clip((own - own.mean()) / own.std(), -4, 4) * y[pair, :, horizon]
                products += [own[a:b].sum() for a, b in pairwise(starts)]
            np.testing.assert_allclose(sums[:, column, horizon], products, rtol=1e-4, atol=1e-4)


def test_pairs_with_too_few_rows_are_named(panel, folds):
    short = replace(folds[0], train=folds[0].train[:900])
    with pytest.raises(Exception, match="eurusd fold 0: too few rows to learn from"):
        learn(panel, [short], "pooled_ridge")
