"""Screens of columns: coefficients that are right, tests that hold, and every look counted."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bqx.errors import ParameterError
from bqx.evaluation import column_screen, conditions, screening
from bqx.evaluation.column_screen import ALL, Screen
from bqx.feature_store.history import History
from bqx.features import catalog
from bqx.features.lags import Column
from bqx.learning import samples, split
from bqx.learning.folds import Fold
from bqx.market import sessions, simulated
from bqx.market.bars import Bars, align, join
from bqx.params import Params
from bqx.runs import screens
from bqx.runs.ledger import LOG, Claim, Ledger
from bqx.runs.screens import ScreenTrials
from bqx.runs.trials import BarSpan

GIVEN = Params(
    pairs=("eurusd", "usdjpy"), days=56, horizons=(15, 60), target_window=30, workers=1,
    train_days=16, validation_days=8, test_days=8, step_days=8,
)  # fmt: skip
NAMES = (
    "rate_moments_z_score_w20", "rate_moments_z_score_w50", "rate_bollinger_percent_b_w20",
    "rate_quadratic_r2_w45", "bqx_moments_std_w20", "clock_session_london",
)  # fmt: skip
COLUMNS = tuple(Column(catalog.FEATURES[name]) for name in NAMES)


def market(mode: str, days: int = GIVEN.days, seed: int = 0) -> dict[str, Bars]:
    return align(simulated.simulate(mode, GIVEN.pairs, GIVEN.start, days=days, seed=seed).frames)


def first_fold(bars: Mapping[str, Bars]) -> Fold:
    return split.make(GIVEN, next(iter(bars.values())).minutes, COLUMNS).folds[0]


def screened(bars: Mapping[str, Bars], columns: tuple[Column, ...] = COLUMNS) -> Screen:
    histories = {pair: History(own) for pair, own in bars.items()}
    return column_screen.screen_all(histories, columns, first_fold(bars), GIVEN)


@pytest.fixture(scope="module")
def planted_bars() -> dict[str, Bars]:
    return market("strong")


@pytest.fixture(scope="module")
def planted(planted_bars: dict[str, Bars]) -> Screen:
    return screened(planted_bars)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ranks_are_those_of_scipy_with_ties(dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 9, 500).astype(dtype)
    ranks = stats.rankdata(values)
    np.testing.assert_allclose(
        screening.standard_ranks(values), (ranks - ranks.mean()) / ranks.std(), atol=1e-12
    )
    assert np.isnan(screening.standard_ranks(np.ones(5))).all()


def test_coefficients_and_t_are_those_of_whole_days(
    planted_bars: dict[str, Bars], planted: Screen
) -> None:
    fold = first_fold(planted_bars)
    rows = column_screen.rows_of(fold, COLUMNS, GIVEN.stride)
    assert rows.max() < fold.test.min()
    bars = planted_bars["usdjpy"]
    labels = samples.labels_of(samples.targets_of(bars, GIVEN))
    y = np.column_stack([label[rows] for label in labels.values()])
    x = History(bars).matrix(COLUMNS, rows)[:, 0]
    whole = np.isfinite(y).all(axis=1) & np.isfinite(x)
    tests = planted.tests.set_index(["scope", "column", "horizon"])
    own = tests.loc[("usdjpy", COLUMNS[0].name, 60)]
    assert own["ic"] == pytest.approx(stats.spearmanr(x[whole], y[whole, 1]).statistic, abs=1e-6)
    day = sessions.trading_days(bars.minutes[rows])[whole]
    ranks = [stats.zscore(stats.rankdata(v)) for v in (x[whole], y[whole, 1])]
    sums = pd.Series(ranks[0] * ranks[1]).groupby(day).sum().to_numpy()
    assert own["t"] == pytest.approx(stats.ttest_1samp(sums, 0.0).statistic, rel=1e-4)
    both = [tests.loc[(pair, COLUMNS[0].name, 60), "ic"] for pair in planted_bars]
    assert tests.loc[(ALL, COLUMNS[0].name, 60), "ic"] == pytest.approx(np.mean(both))


def test_no_tested_row_is_read(planted_bars: dict[str, Bars], planted: Screen) -> None:
    start = int(first_fold(planted_bars).test.min())
    rng = np.random.default_rng(1)
    altered = {}
    for pair, bars in planted_bars.items():
        frame = bars.frame.copy()
        noise = np.exp(0.01 * rng.standard_normal(len(frame) - start))
        frame.iloc[start:, :4] *= noise[:, None]
        altered[pair] = Bars(pair, frame, bars.baseline)
    again = screened(join(altered))
    for table in ("tests", "columns", "steadiness"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(planted, table))


def test_what_is_planted_leads_and_is_steady(planted: Screen) -> None:
    best = planted.tests.sort_values("p").iloc[0]
    assert best["column"].startswith(("rate_moments_z_score", "rate_bollinger_percent_b"))
    assert best["ic"] < -0.1  # a rate above its mean goes on to rise, which is a lower BQX
    about = planted.columns.set_index("column").loc[best["column"]]
    assert about["fifths"] == 1.0
    assert about["sessions"] >= 0.75
    # The percentage within the bands is the z-score of the same window, moved and scaled.
    copies = planted.columns.set_index("column")["copy_of"]
    couple = {"rate_bollinger_percent_b_w20", "rate_moments_z_score_w20"}
    assert {name for name in couple if copies[name] in couple} != set()
    assert copies["bqx_moments_std_w20"] == ""


def test_parts_add_up_to_the_whole(planted: Screen) -> None:
    ic = planted.tests.query("scope == @ALL").set_index(["column", "horizon"])["ic"]
    parts = planted.steadiness.pivot(index=["column", "horizon"], columns="part", values="ic").loc[
        ic.index
    ]
    assert set(parts) == {*column_screen.FIFTHS, *conditions.SESSIONS}
    for names in (list(column_screen.FIFTHS), list(conditions.SESSIONS)):
        low, high = parts[names].min(axis=1), parts[names].max(axis=1)
        assert ((low <= ic + 1e-9) & (ic <= high + 1e-9)).all()


def test_turnover_is_one_for_noise_and_little_for_what_is_slow() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal(20_000))
    values = np.column_stack((rng.standard_normal(20_000), walk, np.ones(20_000)))
    noise, slow, constant = screening.turnover(values, np.ones(20_000, np.bool_))
    assert noise == pytest.approx(1.0, abs=0.01)
    assert 0.0 < slow < 0.02
    assert np.isnan(constant)


def test_absent_and_constant_columns_are_no_tests() -> None:
    labels = np.random.default_rng(0).standard_normal((200, 1))
    values = np.column_stack((np.full(200, np.nan), np.ones(200), labels[:, 0]))
    sums = screening.day_products(values, labels, np.repeat(np.arange(10), 20))
    _, _, p = screening.tested(sums)
    assert np.isnan(p[:2]).all()
    assert p[2, 0] < 1e-6


def test_too_few_days_are_told() -> None:
    bars = market("null", days=21)
    few = GIVEN.model_copy(
        update={"train_days": 5, "validation_days": 3, "test_days": 3, "step_days": 3, "lags": ()}
    )
    columns = COLUMNS[:2]
    fold = split.make(few, bars["eurusd"].minutes, columns).folds[0]
    with pytest.raises(ParameterError, match="too few days, got 8"):
        column_screen.screen_all({p: History(b) for p, b in bars.items()}, columns, fold, few)


def test_a_small_null_market_names_nothing() -> None:
    columns = tuple(map(Column, catalog.profile("core")[::6]))
    tests = screened(market("null", seed=3), columns).tests
    assert (screening.false_discovery_rate(tests["p"].to_numpy()) > 0.05).all()
    assert 0.01 < (tests["p"].dropna() < 0.05).mean() < 0.12


SPAN = BarSpan("files", 0, 10_000, "ab" * 32)


def trials(**changed: object) -> ScreenTrials:
    fields = {
        "bars": SPAN, "window": "15", "scopes": (ALL, "eurusd"), "horizons": (15, 60),
        "columns": np.array([7, 8, 9]),
        "p": np.linspace(0.01, 0.9, 12, dtype="f4").reshape(2, 3, 2),
    }  # fmt: skip
    return ScreenTrials(**(fields | changed))  # type: ignore[arg-type]


def test_screens_come_back_from_the_ledger_and_count_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.screen(trials())
    ledger.screen(trials())
    claim = Claim(SPAN, "ab", "skill", 0, bound=0.0, trials=0, run="r", time="2024-01-01")
    ledger.claim(claim)
    read = ledger.read()
    assert read.faults == []
    assert read.trials == []
    (back,) = read.screens
    np.testing.assert_array_equal(back.p, trials().p)
    np.testing.assert_array_equal(back.columns, trials().columns)
    assert (back.bars, back.scopes, back.horizons) == (SPAN, (ALL, "eurusd"), (15, 60))
    text = (tmp_path / LOG).read_text()
    (tmp_path / LOG).write_text(text.replace('"scopes": ["all pairs"', '"scopes": ["all"', 1))
    assert Ledger(tmp_path).read().faults


def test_tests_of_earlier_screens_count_unless_they_are_the_same() -> None:
    now, absent = trials(), np.full((2, 3, 2), np.nan, "f4")
    assert len(screens.earlier(now, [now])) == 0
    assert len(screens.earlier(now, [trials(p=1 - now.p)])) == 0  # the same looked at again
    assert len(screens.earlier(now, [trials(columns=np.array([7, 8, 10]))])) == 4
    assert len(screens.earlier(now, [trials(window="30")] * 2)) == 12
    assert len(screens.earlier(now, [trials(window="30", p=absent)])) == 0


def test_a_column_is_known_by_its_code_and_its_lag() -> None:
    feature = catalog.FEATURES["rate_rsi_w14"]
    numbers = {screens.number_of(Column(feature, lag, f"_lag{lag}")) for lag in (0, 60, 120)}
    assert len(numbers) == 3
    assert all(0 <= number < 1 << 63 for number in numbers)
    assert replace(SPAN, first=20_000, last=30_000).overlaps(SPAN) is False
