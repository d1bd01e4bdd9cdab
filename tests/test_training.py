import dataclasses

import numpy as np
import pandas as pd
import pytest
from learned import PAIR, PARAMS, learn, make_folds

from bqx.errors import ParameterError
from bqx.feature_store.build import build
from bqx.feature_store.history import History
from bqx.features import lags
from bqx.features.catalog import join
from bqx.features.families.volatility import hidden_states, regimes
from bqx.features.rolling import hmm
from bqx.learning import folds, pair_selection, samples, targets, training
from bqx.learning.conformal import Intervals
from bqx.market import bars as bar_frames
from bqx.market import planted, simulated
from bqx.market.bars import Bars


def model_bytes(fit, folder):
    fit.model.save(folder / "model")
    return {path.name: path.read_bytes() for path in (folder / "model").iterdir()}


def skills(learned, forecasts):
    """Skill of the forecasts in units of BQX by horizon, over all folds."""
    out = {}
    for horizon, part in forecasts.groupby("horizon"):
        target = targets.make(learned.bars, 15, int(horizon))
        rows = learned.bars.ts.get_indexer(part["ts_utc"])
        truth = (target.level - target.martingale)[rows]
        forecast = part["forecast"].to_numpy() * target.sigma[rows]
        there = np.isfinite(truth) & np.isfinite(forecast)
        wrong = np.sum((truth - forecast)[there] ** 2)
        out[horizon] = 1 - wrong / np.sum(truth[there] ** 2)
    return out


def test_half_of_a_planted_signal_is_recovered():
    learned = learn("strong", 1)
    made = simulated.simulate("strong", (PAIR,), PARAMS.start, days=PARAMS.days, seed=1)
    best = learned.result.forecasts.copy()
    place = learned.bars.ts.get_indexer(best["ts_utc"])
    drift, decay = made.planted[[PAIR, "decay"]].reindex(learned.bars.ts).to_numpy().T
    for horizon in PARAMS.horizons:
        chosen = (best["horizon"] == horizon).to_numpy()
        oracle = planted.oracle(drift, decay, window=15, horizon=horizon)
        sigma = targets.make(learned.bars, 15, horizon).sigma
        best.loc[chosen, "forecast"] = (oracle / sigma)[place[chosen]]
    attainable = skills(learned, best)
    found = skills(learned, learned.result.forecasts)
    assert np.mean(list(attainable.values())) > 0.02
    assert np.mean(list(found.values())) > 0.5 * np.mean(list(attainable.values()))


def test_on_a_null_market_hardly_anything_is_kept():
    learned = learn("null", 1)
    kept = [list(fit.evidence.betas.values()) for fit in learned.result.fits]
    quiet = [fold for fold, fit in enumerate(learned.result.fits) if fit.evidence.t < 0]
    assert quiet
    found = learned.result.forecasts
    assert not found.loc[found["fold"].isin(quiet), "forecast"].dropna().any()
    assert np.mean(kept) < 0.1
    assert min(skills(learned, found).values()) > -0.005


def test_every_scored_row_has_a_forecast_a_horizon():
    learned = learn("strong", 1)
    found = learned.result.forecasts
    columns = ["ts_utc", "fold", "horizon", "forecast", "raw", "reach", "naive"]
    assert list(found.columns) == columns
    for fold in learned.folds:
        for horizon in PARAMS.horizons:
            part = found[(found["fold"] == fold.number) & (found["horizon"] == horizon)]
            pd.testing.assert_index_equal(
                pd.DatetimeIndex(part["ts_utc"]), learned.bars.ts[fold.scored], check_names=False
            )
            absent = np.isnan(learned.bars.close[fold.scored])
            for name in ("forecast", "reach", "naive"):
                np.testing.assert_array_equal(part[name].isna(), absent)
    assert not found.duplicated(["ts_utc", "horizon"]).any()


def test_intervals_catch_what_they_promise():
    learned = learn("strong", 1)
    found = learned.result.forecasts.set_index("ts_utc")
    for horizon in PARAMS.horizons:
        part = found[found["horizon"] == horizon]
        label = targets.make(learned.bars, 15, horizon).label("innovation")
        y = pd.Series(label, learned.bars.ts).reindex(part.index)
        made = Intervals(
            y.to_numpy(), part["forecast"].to_numpy(), part["reach"].to_numpy(), PARAMS.coverage
        )
        assert made.share == pytest.approx(0.9, abs=0.02)


def test_corrupting_all_bars_after_a_fold_leaves_it_untouched(tmp_path):
    learned = learn("strong", 1)
    fold = learned.folds[0]
    frame = learned.bars.frame.copy()
    frame.iloc[fold.last_seen + 1 :, :4] *= np.random.default_rng(0).uniform(
        0.5, 2.0, (len(frame) - fold.last_seen - 1, 1)
    )
    corrupt = Bars(PAIR, frame, learned.bars.baseline)
    selections = pair_selection.select_pair(
        History(corrupt), learned.columns, learned.folds[:1], PARAMS
    )
    assert selections == learned.selections[:1]
    result = training.fit_pair(
        History(corrupt),
        learned.columns,
        learned.folds[:1],
        selections=selections,
        params=PARAMS,
    )
    before, after = learned.result.fits[0], result.fits[0]
    assert after.evidence == before.evidence
    assert after.calibration == before.calibration
    pd.testing.assert_frame_equal(after.validated, before.validated)
    assert model_bytes(after, tmp_path) == model_bytes(before, tmp_path)
    assert after.trained_until == learned.bars.ts[fold.last_seen]


def test_corrupting_the_test_days_of_a_combinatorial_fold_leaves_it_untouched(tmp_path):
    learned = learn("strong", 1)
    columns = learned.columns
    reach = max(*(column.lookback for column in columns), targets.lookback(15))
    fold = folds.combinatorial(learned.bars.minutes, 5, 1, 120, 45, reach)[1]
    assert fold.train[0] < fold.test[0] < fold.train[-1]
    frame = learned.bars.frame.copy()
    # What the labels of the test rows read, and the embargo, are held out too.
    held = slice(fold.test[0] - 120, fold.test[-1] + 45 + 120 + 1)
    frame.iloc[held, :4] *= np.random.default_rng(0).uniform(0.5, 2.0, (held.stop - held.start, 1))
    found = []
    for bars in (learned.bars, Bars(PAIR, frame, learned.bars.baseline)):
        selections = pair_selection.select_pair(History(bars), columns, [fold], PARAMS)
        result = training.fit_pair(
            History(bars), columns, [fold], selections=selections, params=PARAMS
        )
        (fit,) = result.fits
        found.append((selections, fit.evidence, model_bytes(fit, tmp_path)))
    assert found[0] == found[1]


def test_fitted_families_read_no_test_day_between_training_days():
    learned = learn("strong", 1)
    fold = folds.combinatorial(learned.bars.minutes, 5, 1, 120, 45, 1_000)[1]
    columns = [lags.Column(feature, 0) for feature in join(regimes.FAMILIES).values()]
    before = samples.fits_of(learned.bars, columns, fold)
    frame = learned.bars.frame.copy()
    frame.iloc[fold.test, :4] *= np.linspace(1.0, 2.0, len(fold.test))[:, None]
    after = samples.fits_of(Bars(PAIR, frame, learned.bars.baseline), columns, fold)
    assert before.parameters
    assert before.until == after.until
    for key, value in before.parameters.items():
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(value, after.parameters[key])


def test_what_a_fold_knows_is_not_learnt_again(monkeypatch):
    learned = learn("strong", 1)
    (fold,) = learned.folds[:1]
    columns = [lags.Column(feature, 0) for feature in join(regimes.FAMILIES).values()]
    (own,) = samples.own_fits(learned.bars, columns, [fold])
    fresh = [samples.fits_of(learned.bars, some, fold) for some in (columns, columns[:1])]
    monkeypatch.setattr(hmm, "learn", None)
    hidden_states._learnt.cache_clear()
    known = dataclasses.replace(fold, own={PAIR: own})
    for some, made in zip((columns, columns[:1]), fresh, strict=True):
        assert samples.fits_of(learned.bars, some, known).to_json() == made.to_json()
    with pytest.raises(TypeError):
        samples.fits_of(learned.bars, columns, fold)


def test_the_last_seen_bar_is_seen(tmp_path):
    learned = learn("strong", 1)
    fold = learned.folds[0]
    frame = learned.bars.frame.copy()
    last = int(fold.validation[-1]) + 15
    frame.iloc[last - 200 : last + 1, :4] *= np.linspace(1, 1.05, 201)[:, None]
    result = training.fit_pair(
        History(Bars(PAIR, frame, learned.bars.baseline)),
        learned.columns,
        learned.folds[:1],
        selections=learned.selections[:1],
        params=PARAMS,
    )
    before = model_bytes(learned.result.fits[0], tmp_path)
    assert model_bytes(result.fits[0], tmp_path) != before


def test_selection_knows_only_columns_of_the_grid():
    learned = learn("strong", 1)
    names = {c.name for c in learned.columns}
    for selection, fit in zip(learned.selections, learned.result.fits, strict=True):
        assert len(selection.columns) == PARAMS.selected
        assert tuple(c.name for c in fit.columns) == selection.columns
        assert set(selection.columns) <= names
        assert set(selection.dropped) <= names - set(selection.columns)


def test_a_matched_window_trains_too():
    learned = learn("strong", 1)
    params = PARAMS.model_copy(update={"target_window": "matched", "horizons": (30, 60)})
    parts = make_folds(learned.bars, learned.columns, params)[:1]
    result = training.fit_pair(
        learned.history,
        learned.columns,
        parts,
        selections=learned.selections[:1],
        params=params,
    )
    assert set(result.forecasts["horizon"]) == {30, 60}
    assert result.fits[0].evidence.t > 0


def test_too_few_rows_name_pair_fold_and_mend():
    learned = learn("strong", 1)
    fold = dataclasses.replace(learned.folds[0], train=learned.folds[0].train[:900])
    with pytest.raises(ParameterError, match="eurusd fold 0: too few rows.*Raise train_days"):
        pair_selection.select_pair(learned.history, learned.columns, [fold], PARAMS)


@pytest.mark.parametrize(("name", "what"), [("validation", "labels"), ("test", "bars")])
def test_a_pair_without_bars_in_a_part_of_a_fold_is_named(name: str, what: str) -> None:
    learned = learn("strong", 1)
    frame, rows = learned.bars.frame.copy(), getattr(learned.folds[0], name)
    frame.iloc[rows[90:], :6] = np.nan
    bars = type(learned.bars)(learned.bars.pair, frame, learned.bars.baseline)
    # A day that has begun is enough.
    samples.check_rows(bars, learned.columns, learned.folds[:1], PARAMS)
    frame.iloc[rows, :6] = np.nan
    bars = type(learned.bars)(learned.bars.pair, frame, learned.bars.baseline)
    said = rf"eurusd fold 0: no {name} rows, got no {what} from 2024-.* Leave eurusd out of pairs"
    with pytest.raises(ParameterError, match=said):
        samples.check_rows(bars, learned.columns, learned.folds[:1], PARAMS)


def test_all_pairs_give_the_same_in_other_processes(tmp_path):
    learned = learn("strong", 1)
    short = learned.bars.rows(0, int(learned.folds[0].test[-1]) + 1)
    panel = {pair: History(dataclasses.replace(short, pair=pair)) for pair in ("eurusd", "gbpusd")}
    parts = learned.folds[:1]
    selected, results = {}, {}
    two = PARAMS.model_copy(update={"workers": 2})
    pair_selection.select_all(panel, learned.columns, parts, params=two, write=selected.__setitem__)
    assert selected["eurusd"] == selected["gbpusd"] == learned.selections[:1]
    for name, params in (("one", PARAMS), ("two", two)):
        fitted = {}
        training.fit_all(
            panel,
            learned.columns,
            parts,
            selections=selected,
            screens=(),
            params=params,
            write=fitted.__setitem__,
        )
        results[name] = fitted
    assert list(results["one"]) == ["eurusd", "gbpusd"]
    for pair, result in results["one"].items():
        again = results["two"][pair]
        assert model_bytes(again.fits[0], tmp_path) == model_bytes(result.fits[0], tmp_path)
        assert again.fits[0].evidence == result.fits[0].evidence
        pd.testing.assert_frame_equal(again.forecasts, result.forecasts)
    assert model_bytes(results["two"]["eurusd"].fits[0], tmp_path) == model_bytes(
        learned.result.fits[0], tmp_path
    )


def test_columns_read_from_a_store_teach_the_same_in_another_process(tmp_path):
    learned = learn("strong", 1)
    (tmp_path / "bars").mkdir()
    frame = simulated.simulate("strong", (PAIR,), PARAMS.start, days=PARAMS.days, seed=1).frames[
        PAIR
    ]
    bar_frames.validate(frame, PAIR).reset_index().to_parquet(tmp_path / "bars" / f"{PAIR}.parquet")
    # The rest is computed.
    some = [column.feature for column in learned.columns[::2]]
    build(tmp_path / "bars", tmp_path / "store", list(dict.fromkeys(some)))
    histories = {PAIR: History(learned.bars, str(tmp_path / "store"))}
    parts, selected, fitted = learned.folds[:1], {}, {}
    two = PARAMS.model_copy(update={"workers": 2})
    pair_selection.select_all(
        histories, learned.columns, parts, params=two, write=selected.__setitem__
    )
    assert selected[PAIR] == learned.selections[:1]
    training.fit_all(
        histories,
        learned.columns,
        parts,
        selections=selected,
        screens=(),
        params=two,
        write=fitted.__setitem__,
    )
    assert model_bytes(fitted[PAIR].fits[0], tmp_path) == model_bytes(
        learned.result.fits[0], tmp_path
    )


@pytest.mark.parametrize("name", ["martingale", "ridge", "xgboost_quantile"])
def test_other_models_are_fitted_the_same_way(name):
    learned = learn("strong", 1)
    few = PARAMS.model_copy(update={"rounds": 20})
    result = training.fit_pair(
        learned.history,
        learned.columns,
        learned.folds[:1],
        selections=learned.selections[:1],
        params=few,
        name=name,
    )
    fit, found = result.fits[0], result.forecasts
    assert type(fit.model).__name__.lower() == name.replace("_", "")
    assert fit.rows > 2_000
    assert set(fit.evidence.betas) == set(PARAMS.horizons)
    if name == "martingale":
        assert not found["raw"].dropna().any()
    else:
        assert fit.evidence.t > 0


def test_settings_win_over_parameters():
    learned = learn("strong", 1)
    result = training.fit_pair(
        learned.history,
        learned.columns,
        learned.folds[:1],
        selections=learned.selections[:1],
        params=PARAMS,
        settings=[{"n_estimators": 7, "max_depth": 1}],
    )
    assert result.fits[0].model.max_depth == 1
    assert result.fits[0].model.n_estimators <= 7
