import numpy as np
import pandas as pd
import pytest

from bqx.errors import ParameterError
from bqx.monitoring.drift import drift, psi

DAY = 1_440
TRAIN, TEST = 16, 8
WINDOWS = (15, 30, 60, 120, 240)


def panel(seed: int, factor: float = 1.0):
    """Rolling momentum and volatility of a random walk with a daily season, every fifth row."""
    rng = np.random.default_rng(seed)
    rows = (TRAIN + TEST) * DAY
    season = 1 + np.exp(-(((np.arange(rows) % DAY) - 900) ** 2) / 2 / 120**2)
    returns = pd.Series(rng.normal(size=rows) * season)
    returns[TRAIN * DAY :] *= factor
    path = returns.cumsum()
    columns = {f"momentum_{w}": path.diff(w) for w in WINDOWS}
    columns |= {f"volatility_{w}": returns.rolling(w).std() for w in WINDOWS}
    frame = pd.DataFrame(columns).iloc[240::5]
    day = frame.index.to_numpy() // DAY
    early = day < TRAIN
    return frame[early].to_numpy(), frame[~early].to_numpy(), tuple(columns), day[early]


def test_index_is_the_textbook_sum():
    expected, actual = np.array([10.0, 30.0, 60.0]), np.array([25.0, 25.0, 50.0])
    p, q = expected / 100, actual / 100
    assert psi(expected, actual) == pytest.approx(float(np.sum((q - p) * np.log(q / p))))
    assert np.isfinite(psi(expected, np.array([0.0, 0.0, 5.0])))


def test_the_reported_index_is_over_the_training_deciles():
    train, test, names, day = panel(0)
    found = drift(train, test, names, days_train=day, seed=0)
    for i, name in enumerate(names):
        bins = np.quantile(train[:, i], np.linspace(0, 1, 11))
        bins[0], bins[-1] = -np.inf, np.inf
        p = np.histogram(train[:, i], bins)[0] / len(train)
        q = np.histogram(test[:, i], bins)[0] / len(test)
        by_hand = np.sum((q - p) * np.log(q / p))
        row = found[found["feature"] == name].iloc[0]
        assert row["psi"] == pytest.approx(by_hand, rel=0.02)
        assert row["drifted"] == (row["psi"] > row["threshold"])


def test_undrifted_autocorrelated_columns_alarm_rarely():
    columns = panels = 0
    for seed in range(40):
        train, test, names, day = panel(seed)
        found = drift(train, test, names, days_train=day, seed=0)
        columns += int(found["drifted"].sum())
        panels += bool(found["drifted"].any())
    assert columns <= 0.02 * 40 * len(names)
    assert panels <= 5


def test_the_customary_threshold_would_alarm_where_nothing_drifts():
    train, _, names, day = panel(3)
    one_day = train[day == 7]
    found = drift(train[day != 7], one_day, names, days_train=day[day != 7], seed=0)
    assert (found["psi"] > 0.1).sum() >= 3
    assert not found["drifted"].any()


@pytest.mark.parametrize("seed", range(5))
def test_half_as_much_volatility_again_is_found(seed):
    train, test, names, day = panel(seed, factor=1.5)
    found = drift(train, test, names, days_train=day, seed=0).set_index("feature")["drifted"]
    assert found[[name for name in names if name.startswith("volatility")]].all()


def test_absent_values_are_left_out():
    train, test, names, day = panel(1)
    holed, short = train.copy(), test.copy()
    holed[::9, 0] = np.nan
    holed[:, 1] = np.nan
    short[::7, 0] = np.nan
    found = drift(holed, short, names, days_train=day, seed=0)
    assert not found["drifted"][:2].any()
    judged = np.isfinite(found[["psi", "threshold"]].to_numpy()).all(axis=1)
    assert judged.tolist() == [i != 1 for i in range(len(names))]


def test_a_column_that_goes_missing_alarms():
    train, test, names, day = panel(1)
    test = test.copy()
    test[:, 2] = np.nan
    assert drift(train, test, names, days_train=day, seed=0)["drifted"].tolist() == [
        i == 2 for i in range(len(names))
    ]


def test_the_same_seed_gives_the_same_thresholds():
    train, test, names, day = panel(2)
    pd.testing.assert_frame_equal(
        drift(train, test, names, days_train=day, seed=4),
        drift(train, test, names, days_train=day, seed=4),
    )


def test_too_few_days_are_an_error():
    train, test, names, day = panel(0)
    with pytest.raises(ParameterError, match="3 training days"):
        drift(train[day < 3], test, names, days_train=day[day < 3], seed=0)
    with pytest.raises(ParameterError, match="0 later rows"):
        drift(train, test[:0], names, days_train=day, seed=0)
