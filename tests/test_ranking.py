import numpy as np
import pytest
import xgboost
from sklearn.ensemble import RandomForestRegressor

from bqx.features import catalog
from bqx.features.lags import grid
from bqx.learning import ranking, weights
from bqx.learning.facts import facts_of
from bqx.learning.ranking import Growth
from bqx.learning.selection import Selection, Settings, jaccard, kuncheva, select

RNG = np.random.default_rng(0)
ROWS = 3_000
X = RNG.normal(size=(ROWS, 30)).astype(np.float32)
SIGNAL = X[:, :6] @ np.array([1.0, 0.8, 0.6, 0.4, 0.3, 0.2])
Y = np.column_stack([SIGNAL + 2 * RNG.normal(size=ROWS) for _ in range(3)])
LABELS = (Y - Y.mean(axis=0)) / Y.std(axis=0)
EVERY, EQUAL = np.arange(30), np.ones(ROWS)


GROWTH = Growth(60, 5, 0)


def grow(x=X, labels=LABELS, columns=EVERY, weight=EQUAL, **changed):
    return ranking.grow(x, labels, columns, weight=weight, growth=GROWTH, **changed)


def test_gains_rank_as_scikit_learns_forest_does():
    peer = RandomForestRegressor(
        60, max_depth=5, max_features=0.1, max_samples=0.5, min_samples_leaf=30, random_state=0
    ).fit(X, LABELS)
    ours = grow().gains
    assert set(np.argsort(-ours)[:4]) == set(np.argsort(-peer.feature_importances_)[:4])
    assert np.corrcoef(ranking.shares(ours), peer.feature_importances_)[0, 1] > 0.9


def test_blocks_and_a_choice_of_columns_change_nothing(monkeypatch):
    some = np.array([7, 2, 0, 11])
    whole = grow(np.ascontiguousarray(X[:, some]), columns=np.arange(4), max_features=1.0).gains
    monkeypatch.setattr(ranking, "_BLOCK", 700)
    np.testing.assert_allclose(grow(columns=some, max_features=1.0).gains, whole, rtol=1e-5)


def test_weights_say_which_rows_count():
    half = np.arange(ROWS) % 2 == 0
    labels = np.where(half, X[:, 10], X[:, 20])[:, None].astype(float)
    gains = grow(labels=labels, weight=np.where(half, 1.98, 0.02)).gains
    assert gains[10] > 20 * gains[20]


def test_second_opinions_agree_on_what_matters():
    permuted, shap = ranking.second_opinions(X, LABELS, weight=EQUAL, growth=GROWTH)
    for found in (permuted, shap):
        assert set(np.argsort(-found)[:3]) == {0, 1, 2}
    assert abs(permuted[6:]).max() < 0.01 < permuted[0]


@pytest.mark.parametrize("seen", [30, 11])
def test_exchanged_columns_are_those_of_forecasts_made_anew(monkeypatch, seen):
    monkeypatch.setattr(ranking, "ALL_SEEN", seen)
    monkeypatch.setattr(ranking, "SEEN", seen)
    forest, rows = grow(max_features=0.2), X[:200].copy()
    rows[::7, :4] = np.nan
    others = RNG.permuted(rows, axis=0)
    found = forest.exchanged(rows, others)
    for column in EVERY:
        mixed = rows.copy()
        mixed[:, column] = others[:, column]
        expected = forest.predict(mixed) - forest.predict(rows)
        np.testing.assert_allclose(found[column], expected, atol=1e-6)
    assert abs(found).max() > 0.1


def test_shap_values_add_up_to_the_forecast():
    forest = grow()
    (part,) = forest.parts
    rows = X[:200].copy()
    values = np.array([b.predict(xgboost.DMatrix(rows), pred_contribs=True) for b in part.boosters])
    np.testing.assert_allclose(values.sum(axis=2).T, forest.predict(rows), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        forest.shap(rows), np.abs(values[:, :, :-1]).mean(axis=(0, 1)), rtol=1e-5
    )


def test_many_columns_are_parted_among_the_trees(monkeypatch):
    whole = grow(max_features=0.2)
    monkeypatch.setattr(ranking, "ALL_SEEN", 20)
    monkeypatch.setattr(ranking, "SEEN", 11)
    forest = grow(max_features=0.2)
    seen = np.sort(np.concatenate([part.columns for part in forest.parts]))
    np.testing.assert_array_equal(seen, EVERY)
    assert [len(part.columns) for part in forest.parts] == [10, 10, 10]
    assert set(np.argsort(-forest.gains)[:4]) == set(np.argsort(-whole.gains)[:4])
    assert np.corrcoef(forest.gains, whole.gains)[0, 1] > 0.9
    # As many trees, and each part adds its share to the forecast.
    trees = sum(len(b.get_dump()) for part in forest.parts for b in part.boosters)
    assert trees == sum(len(b.get_dump()) for b in whole.parts[0].boosters) + 3
    assert np.corrcoef(forest.predict(X)[:, 0], whole.predict(X)[:, 0])[0, 1] > 0.8
    np.testing.assert_array_equal(forest.gains, grow(max_features=0.2).gains)
    assert set(np.argsort(-forest.shap(X[:500]))[:2]) == {0, 1}


def test_borda_joins_five_rankers_and_puts_the_best_first():
    relevance = ((X.T @ LABELS / ROWS) ** 2).sum(axis=1)
    rank = ranking.borda(X, LABELS, EVERY, relevance=relevance, forest=grow(), random_state=0)
    assert rank.shape == (30,)
    assert (rank >= 0).all()
    assert (rank <= 1).all()
    assert np.argsort(-rank)[0] == 0
    assert set(np.argsort(-rank)[:3]) == {0, 1, 2}


def test_a_selection_reports_its_share_the_columns_needed_and_may_rank_by_borda():
    columns = grid([f for f in catalog.profile("core") if not f.spanned_by], ())[:30]
    facts = facts_of(X, Y, np.arange(ROWS) // 100)
    found = select(X, Y, columns, facts=facts, settings=Settings(6, 0.0, GROWTH))
    assert found.needed > 6
    assert len(found.permutation) == len(found.shap) == 6
    joined = select(
        X, Y, columns, facts=facts, settings=Settings(6, 0.0, GROWTH, "borda"), weight=EQUAL
    )
    assert {c.name for c in columns[:3]} <= set(joined.columns) & set(found.columns)
    everything = select(X, Y, columns, facts=facts, settings=Settings(30, 0.0, GROWTH))
    assert everything.share == pytest.approx(1.0)
    assert sum(everything.importance[: everything.needed]) >= 0.95
    assert sum(everything.importance[: everything.needed - 1]) < 0.95


def test_two_selections_of_the_same_rows_are_equal():
    columns = grid([f for f in catalog.profile("core") if not f.spanned_by], ())[:30]
    noise = X.copy()
    noise[:, 29] = 7.0
    one, other = (
        select(
            x,
            Y,
            columns,
            facts=facts_of(x, Y, np.arange(ROWS) // 100),
            settings=Settings(6, 0.0, GROWTH),
        )
        for x in (noise, noise.copy())
    )
    assert one == other
    assert one.dropped == {columns[29].name: "constant"}


def chosen(names, candidates=100):
    return Selection(tuple(names), (), (), (), 0.0, 0, candidates, {})


def test_stability_of_two_random_choices_is_none_beyond_chance():
    rng = np.random.default_rng(1)
    draws = [chosen(map(str, rng.choice(100, 30, replace=False))) for _ in range(400)]
    found = [kuncheva(a, b) for a, b in zip(draws[::2], draws[1::2], strict=True)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))
    assert np.mean([jaccard(a, b) for a, b in zip(draws[::2], draws[1::2], strict=True)]) > 0.1
    same = chosen("abc")
    assert (jaccard(same, same), kuncheva(same, same)) == (1.0, 1.0)
    assert np.isnan(kuncheva(chosen("abc", 3), chosen("abc", 3)))


def slow_uniqueness(rows, horizon):
    spans = [range(r + 1, r + horizon + 1) for r in rows.tolist()]
    alive = {}
    for span in spans:
        for minute in span:
            alive[minute] = alive.get(minute, 0) + 1
    own = np.array([np.mean([1 / alive[m] for m in span]) for span in spans])
    return own / own.mean()


@pytest.mark.parametrize("horizon", [1, 5, 75])
def test_uniqueness_is_the_loops(horizon):
    rows = np.unique(np.random.default_rng(2).integers(0, 2_000, 300))
    np.testing.assert_allclose(
        weights.uniqueness(rows, horizon), slow_uniqueness(rows, horizon), rtol=1e-9
    )
