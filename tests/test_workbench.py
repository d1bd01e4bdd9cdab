"""Studies in cells: the same numbers as a run's stages, labelled, and honest."""

from dataclasses import replace
from types import SimpleNamespace

import cloudpickle  # noqa: TID251
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from bqx.errors import ParameterError
from bqx.evaluation import screening
from bqx.feature_store.history import History
from bqx.features import catalog
from bqx.features.declare import family
from bqx.features.engine.compute import table
from bqx.features.sources import RATE
from bqx.features.spec import Output
from bqx.learning import training
from bqx.market import sessions
from bqx.params import Params
from bqx.workbench.columns import columns_of
from bqx.workbench.estimator import model_of
from bqx.workbench.forecasts import Forecasts
from bqx.workbench.study import Study

COLUMNS = ("rate_moments_z_score_w*", "rate_quadratic_b_norm_w90_lag60")


@pytest.fixture(scope="module")
def study() -> Study:
    return Study.simulated(
        "strong", pairs=("eurusd", "usdjpy"), days=70, horizons=(15, 60), target_window=30
    )


def test_it_is_the_markets_own_bars(study: Study) -> None:
    assert study.pairs == ("eurusd", "usdjpy")
    assert len(study.minutes) == len(study.bars["usdjpy"])
    assert "eurusd, usdjpy" in repr(study)
    assert study.summary().loc["eurusd", "rows"] == len(study.minutes)


def test_features_are_computed_and_described(study: Study) -> None:
    frame = study.features("rate_moments_z_score_w*", pair="usdjpy")
    features = [catalog.FEATURES[name] for name in frame]
    pd.testing.assert_frame_equal(frame, table(study.bars["usdjpy"], features), check_freq=False)
    about = frame.attrs["columns"]["rate_moments_z_score_w50"]
    assert about["unit"] == "1"
    assert about["lookback"] == 50
    assert about["title"]


def cumulated(x: np.ndarray, first_minute: int, window: int) -> np.ndarray:
    return np.cumsum(x).reshape(-1, 1)


TAKES_A_NAME = family("index", np.cumsum, Output("pt"), table="t", sources=RATE)
OWN, OTHER = (
    family("own", kernel, Output("1"), table="t", sources=RATE, windows=5)
    for kernel in (cumulated, np.cumprod)
)


def test_patterns_profiles_lags_and_own_families_are_columns() -> None:
    (lagged,) = columns_of(["rate_quadratic_b_norm_w90_lag60"])
    assert lagged.lag == 60
    assert len(columns_of(["core", "core"])) == len(catalog.profile("core"))
    own = family("own", np.cumsum, Output("1"), table="t", sources=RATE, windows=(5, 6))
    assert [column.name for column in columns_of([own])] == ["rate_own_w5", "rate_own_w6"]


class _Plain:
    """A forecaster of its own that scikit-learn cannot copy."""

    def fit(self, X, y):  # type: ignore[no-untyped-def]
        """Learn nothing."""
        return self

    def predict(self, X):  # type: ignore[no-untyped-def]
        """Zeros."""
        return np.zeros(len(X))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.features("rate_nothing_w15"), "no column is called 'rate_nothing_w15'"),
        (lambda s: s.features("core", pair="eurjpy"), "pair: not in the study, got 'eurjpy'"),
        (lambda s: s.xy("core", horizon=30), "horizon: not in the study, got 30"),
        (lambda s: s.xy("core", fold=9), "fold: not there, got 9; expected a number from 0 to"),
        (lambda s: s.xy("core", fold="a"), "fold: not there, got 'a'"),
        (lambda s: s.xy("core", fold=1.0), "fold: not there, got 1.0"),
        (lambda s: s.xy("core", fold=True), "fold: not there, got True"),
        (lambda s: s.xy("core", horizon="15"), "horizon: not in the study, got '15'"),
        (lambda s: s.certify("rate_index", TAKES_A_NAME), "two have one name, got rate_index of"),
        (lambda s: s.features(TAKES_A_NAME), "two have one name, got rate_index of"),
        (lambda s: s.features(OWN, OTHER), "two have one name, got rate_own_w5 of"),
        (lambda s: s.xy("core", fold=0, part="tset"), "part: not of a fold, got 'tset'"),
        (lambda s: s.only(["eurusd"]), r"pair: not in the study, got \['eurusd'\]"),
        (lambda s: s.features(), "features: none is named, got nothing"),
        (lambda s: s.xy(), "features: none is named"),
        (lambda s: s.screen(), "features: none is named"),
        (lambda s: s.fit("ridge"), "features: none is named"),
        (lambda s: s.features(["rate_rsi_w14"]), r"features: no name, got \['rate_rsi_w14'\]"),
        (lambda s: s.features(None), "features: no name, got None"),
        (lambda s: Forecasts(s.bars, s.params, {}).score("row"), "column: no forecast, got 'row'"),
        (lambda s: Forecasts(s.bars, s.params, {}).account(-1), "spread_multiple has a wrong"),
        (lambda s: s.fit(3, "core"), "model: cannot be fitted, got int"),
        (lambda s: s.fit(_Plain(), COLUMNS[0]), "got _Plain, .* from sklearn.base.BaseEstimator"),
        (lambda s: s.fit(Ridge, "core"), "model: cannot be fitted, got the class Ridge"),
        (lambda s: Study.simulated(horizon=15), "unknown parameter, got 'horizon'"),
        (lambda s: Study.simulated(days=0), "days has a wrong value, got 0"),
        (lambda s: Study.of({}), "no bars by pair, got {}"),
        (lambda s: Study.of("bars"), "no bars by pair, got 'bars'"),
    ],
)
def test_what_a_cell_gets_wrong_is_one_line(study: Study, call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match=message) as caught:
        call(study)
    assert "\n" not in str(caught.value)


def test_rows_and_labels_of_a_part_are_whole(study: Study) -> None:
    X, y = study.xy(*COLUMNS, fold=0, horizon=60)
    own = study.folds_for(*COLUMNS)[0]
    assert X.index.isin(study.bars["eurusd"].ts[own.train]).all()
    assert X.notna().all(axis=None)
    labels = study.labels()[60]
    np.testing.assert_array_equal(y, labels[y.index])


def test_forecasts_are_those_of_a_runs_stage(study: Study) -> None:
    forecasts = study.fit("ridge", *COLUMNS)
    columns, folds = columns_of(COLUMNS), study.folds_for(*COLUMNS).folds
    names = tuple(column.name for column in columns)
    selections = [SimpleNamespace(columns=names) for _ in folds]
    results: dict[str, training.PairResult] = {}
    training.fit_all(
        {pair: History(bars) for pair, bars in study.bars.items()},
        columns,
        folds,
        selections=dict.fromkeys(study.bars, selections),
        screens=(),
        params=study.params.model_copy(update={"workers": 1}),
        write=results.__setitem__,
        name="ridge",
    )
    for pair, result in results.items():
        own = forecasts.frame[forecasts.frame["pair"] == pair].reset_index(drop=True)
        for column in ("forecast", "raw"):
            np.testing.assert_array_equal(own[column], result.forecasts[column])


def test_a_model_of_all_pairs_is_fitted_by_its_name(study: Study) -> None:
    scores = study.fit("pooled_ridge", "rate_moments_*", "rate_quadratic_*").score()
    assert list(scores.index) == [(pair, horizon) for pair in study.pairs for horizon in (15, 60)]
    assert (scores["skill"] > 0.02).all()


def test_an_estimator_of_scikit_learn_is_scored_and_traded(study: Study) -> None:
    pipeline = make_pipeline(SimpleImputer(), Ridge(100.0))
    forecasts = study.fit(pipeline, *COLUMNS)
    scores, account = forecasts.score(), forecasts.account()
    assert (scores["skill"] > 0.02).all()
    assert ((scores["skill"] > scores["skill_lo"]) & (scores["skill"] < scores["skill_hi"])).all()
    sums = account[["gross (bp)", "cost (bp)", "net (bp)"]].astype(float)
    np.testing.assert_allclose(sums["gross (bp)"] - sums["cost (bp)"], sums["net (bp)"])
    dearer = forecasts.account(spread_multiple=2.0)
    assert (dearer["trades"] < account["trades"]).all()
    assert "eurusd" in forecasts._repr_html_()


@pytest.mark.parametrize("is_fitted", [False, True])
def test_an_estimator_that_takes_no_absent_values_says_how_they_are_filled(is_fitted) -> None:  # type: ignore[no-untyped-def]
    X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    y, holes = X[:, :2].astype(np.float64), X.copy()
    holes[:25, 1] = np.nan
    model = model_of(Ridge(), Params())
    message = r"got 1 of 3 columns with some, in up to 25.00% .* make_pipeline\(SimpleImputer\(\), "
    if is_fitted:
        model.fit(X, y)
    with pytest.raises(ParameterError, match=message):
        model.predict(holes) if is_fitted else model.fit(holes, y)
    model_of(make_pipeline(SimpleImputer(), Ridge()), Params()).fit(holes, y)


class _Given(Ridge):
    """Forecasts something else than a number for every row."""

    def __init__(self, given=None) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.given = given

    def predict(self, X):  # type: ignore[no-untyped-def]
        """What is given, for as many rows."""
        return self.given(len(X))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda n: np.full(n, np.nan), "forecasts that are no numbers, got nan and"),
        (lambda n: np.r_[np.zeros(n - 1), np.inf], "forecasts that are no numbers, got inf and 1 "),
        (lambda n: np.full(n, 1e300), "forecasts that are no numbers, got 1e"),
        (lambda n: np.zeros(n + 1), "forecasts of another shape, got .* of estimator"),
        (lambda n: 0.0, "a forecast of another shape"),
    ],
)
def test_forecasts_that_are_none_are_refused(study: Study, given, message: str) -> None:  # type: ignore[no-untyped-def]
    estimator = make_pipeline(SimpleImputer(), _Given(given))
    with pytest.raises(ParameterError, match=message):
        study.only("eurusd").fit(estimator, "rate_rsi_w14")


def test_a_market_without_a_signal_has_no_skill() -> None:
    null = Study.simulated("null", pairs=("eurusd",), days=70, horizons=(15,))
    scores = null.fit("ridge", "rate_moments_*").score()
    assert abs(scores["skill"].item()) < 0.001
    assert scores["skill_lo"].item() < 0.0 < scores["skill_hi"].item()
    assert null.screen("rate_moments_*")["fdr"].min() > 0.05


def test_screened_coefficients_are_spearmans(study: Study) -> None:
    screened = study.screen(*COLUMNS)
    own = study.folds_for(*COLUMNS)[0]
    rows = np.concatenate((own.train, own.validation))
    by_pair = []
    for pair in study.pairs:
        x = study.features("rate_moments_z_score_w50", pair=pair).iloc[rows, 0]
        labels = study.labels(pair).iloc[rows]
        whole = x.notna() & labels.notna().all(axis=1)
        by_pair.append(stats.spearmanr(x[whole], labels.loc[whole, 15]).statistic)
    got = screened.loc[("rate_moments_z_score_w50", 15), "ic"]
    assert got == pytest.approx(np.mean(by_pair), abs=1e-12)
    assert screened["fdr"].is_monotonic_increasing
    # Momentum is planted, and a rate above its mean goes on to rise, which is a lower BQX.
    assert got < -0.1


def test_a_pair_without_a_value_takes_none_from_the_others(study: Study) -> None:
    first, second = study.pairs[:2]
    frame = study.bars[second].frame.assign(spread=np.nan)
    spreads = np.abs(np.random.default_rng(3).normal(size=len(study.minutes))) + 0.1
    given = {
        first: replace(study.bars[first], frame=study.bars[first].frame.assign(spread=spreads)),
        second: replace(study.bars[second], frame=frame),
    }
    both = replace(study, bars=given).screen("spread_level_mean_w20")
    pd.testing.assert_frame_equal(
        both, replace(study, bars=given).only(first).screen("spread_level_mean_w20")
    )


def test_an_own_family_travels_to_other_processes() -> None:
    (column,) = columns_of([OWN])
    again = cloudpickle.loads(cloudpickle.dumps(column))
    assert again.name == column.name
    np.testing.assert_array_equal(
        again.feature.family.kernel(np.arange(4.0), 0, 5), cumulated(np.arange(4.0), 0, 5)
    )
    (known,) = columns_of(["rate_index"])
    assert cloudpickle.loads(cloudpickle.dumps(known)).feature is known.feature


def test_tests_of_days_keep_their_level_for_slow_columns() -> None:
    rng = np.random.default_rng(0)
    days, minutes, tries = 40, 200, 400
    block = np.repeat(np.arange(days), minutes)
    values = np.repeat(rng.normal(size=(days * minutes // 50, tries)), 50, axis=0)
    label = np.repeat(rng.normal(size=(days * minutes // 40, 1)), 40, axis=0)
    sums = screening.day_products(values, label, block)
    ic, _, p = screening.tested(sums)
    assert abs(ic).max() < 0.5
    assert 0.02 < np.mean(p < 0.05) < 0.09
    assert screening.false_discovery_rate(p.ravel()).min() > 0.05


def test_folds_split_for_scikit_learn_without_overlap(study: Study) -> None:
    X, y = study.xy(*COLUMNS, horizon=60)
    folds = study.folds_for(*COLUMNS)
    minute = {ts: row for row, ts in enumerate(study.bars["eurusd"].ts)}
    row = np.array([minute[ts] for ts in X.index])
    assert folds.get_n_splits() == len(folds)
    for train, test in folds.split(X):
        assert len(train)
        assert len(test)
        gap = row[test].min() - row[train].max()
        assert gap > 60 + study.params.embargo
    scores = cross_val_score(Ridge(100.0), X, y, cv=folds)
    assert len(scores) == len(folds)
    shuffled = X.sample(frac=1.0, random_state=0)
    train, _ = next(folds.split(shuffled))
    straight, _ = next(folds.split(X))
    assert set(shuffled.index[train]) == set(X.index[straight])


def test_rows_of_other_bars_cannot_be_split(study: Study) -> None:
    frame = pd.DataFrame({"x": [1.0]}, index=sessions.timestamps(np.array([0])))
    with pytest.raises(ParameterError, match="rows of other bars"):
        next(study.folds.split(frame))
    with pytest.raises(ParameterError, match="rows without a time"):
        next(study.folds.split(frame.reset_index()))


def test_folds_are_drawn(study: Study) -> None:
    lines = repr(study.folds).splitlines()
    assert lines[0].startswith("fold 0: ooo")
    assert "v" in lines[0]
    assert "x" in lines[0]
    assert len(study.folds.table()) == len(study.folds)


def test_a_leak_in_an_own_feature_is_named(study: Study) -> None:
    def ahead(x: np.ndarray, first_minute: int, window: int) -> np.ndarray:
        return np.concatenate((x[window:], np.full(window, np.nan))).reshape(-1, 1)

    leak = family("ahead", ahead, Output("pt"), table="t", sources=RATE, windows=5)
    verdict = study.certify(leak, cuts=8).verdict
    assert "rate_ahead_w5" in verdict
