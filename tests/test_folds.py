from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bqx import folds, sessions
from bqx.errors import ParameterError
from bqx.folds import purge, rolling_origin

# Sunday 7 January 2024, 17:00 New York.
START = int(np.datetime64("2024-01-07T22:00", "m").astype(np.int64))
MINUTES = sessions.grid(START, START + 6 * 7 * 24 * 60 - 1)


def walk(minutes=MINUTES, **changed):
    given = {
        "train_days": 10,
        "validation_days": 2,
        "test_days": 3,
        "step_days": 3,
        "embargo": 120,
        "horizon": 75,
        "lookback": 1_400,
    }
    return rolling_origin(minutes, **(given | changed))


def touches(row, horizon, lookback, interval, embargo):
    """One row at a time, one bar at a time."""
    held_out = range(interval[0] - embargo, interval[1] + embargo + 1)
    return any(bar in held_out for bar in range(row - lookback, row + horizon + 1))


def test_purge_agrees_with_brute_force_on_1000_random_cases():
    rng = np.random.default_rng(11)
    for _ in range(1_000):
        horizon, lookback, embargo = rng.integers(0, 12, 3)
        first = int(rng.integers(0, 60))
        interval = (first, first + int(rng.integers(0, 15)))
        rows = np.flatnonzero(rng.random(90) < 0.8)
        kept = purge(rows, horizon, lookback, interval, embargo)
        expected = [row for row in rows if not touches(row, horizon, lookback, interval, embargo)]
        assert kept.tolist() == expected


@settings(max_examples=100, deadline=None)
@given(
    train=st.integers(1, 8),
    validation=st.integers(1, 4),
    test=st.integers(1, 5),
    step=st.integers(1, 6),
    embargo=st.integers(0, 300),
    horizon=st.integers(1, 90),
)
def test_no_fold_sees_what_it_is_tested_on(train, validation, test, step, embargo, horizon):
    days = sessions.trading_days(MINUTES)
    made = walk(
        train_days=train,
        validation_days=validation,
        test_days=test,
        step_days=step,
        embargo=embargo,
        horizon=horizon,
    )
    scored = np.concatenate([fold.scored for fold in made])
    assert len(np.unique(scored)) == len(scored)
    for number, fold in enumerate(made):
        assert fold.number == number
        assert fold.train[-1] + horizon < fold.validation[0] - embargo
        assert fold.validation[-1] + horizon < fold.test[0] - embargo
        assert fold.last_seen == max(fold.train[-1], fold.validation[-1]) + horizon
        assert fold.last_seen < fold.test[0] - embargo
        for rows, count in ((fold.train, train), (fold.validation, validation), (fold.test, test)):
            assert (np.diff(rows) == 1).all()
            assert len(np.unique(days[rows])) == count
        # Not one row more is purged than must be.
        assert fold.train[-1] + 1 + horizon == fold.validation[0] - embargo
        assert fold.validation[-1] + 1 + horizon == fold.test[0] - embargo
        assert set(fold.scored) <= set(fold.test)
        if step >= test:
            assert (fold.scored == fold.test).all()


def test_folds_of_six_weeks():
    made = walk()
    assert [int(fold.train[0]) // 1_440 for fold in made] == [0, 3, 6, 9, 12, 15]
    first = made[0]
    assert (first.train[0], first.train[-1]) == (0, 10 * 1_440 - 120 - 75 - 1)
    assert (first.validation[0], first.validation[-1]) == (14_400, 12 * 1_440 - 120 - 75 - 1)
    assert (first.test[0], first.test[-1]) == (17_280, 21_599)
    assert first.last_seen == 12 * 1_440 - 120 - 1


def test_steps_shorter_than_the_test_score_each_row_once():
    made = walk(test_days=5, step_days=2)
    assert [len(fold.scored) // 1_440 for fold in made] == [5] + [2] * (len(made) - 1)
    scored = np.concatenate([fold.scored for fold in made])
    assert (np.diff(scored) == 1).all()


def test_days_are_those_present():
    days = sessions.trading_days(MINUTES)
    rows = np.flatnonzero(~np.isin(days, np.unique(days)[[4, 11]]))
    made = walk(MINUTES[rows])
    assert [len(fold.train) + 195 for fold in made] == [14_400] * len(made)
    assert len(made) == len(walk(MINUTES)) - 1


def test_a_memoriser_gains_where_nothing_is_purged():
    """It repeats the label of the nearest train row; overlapping labels pay it for that."""
    rng = np.random.default_rng(3)
    horizon, rows = 60, np.arange(30_000)
    returns = rng.standard_normal(rows[-1] + horizon + 2)
    label = np.array([returns[row + 1 : row + horizon + 1].sum() for row in rows])
    share = []
    for reach, embargo in ((0, 0), (horizon, 120)):
        agree = []
        for start in range(200, 29_000, 200):
            test = np.arange(start, start + 40)
            train = np.setdiff1d(rows, test)
            train = purge(train, reach, reach, (test[0], test[-1]), embargo)
            after = np.searchsorted(train, test)
            earlier, later = train[after - 1], train[after]
            nearest = np.where(test - earlier <= later - test, earlier, later)
            agree.append(np.sign(label[nearest]) == np.sign(label[test]))
        share.append(np.mean(agree))
    assert share[0] > 0.7
    assert abs(share[1] - 0.5) < 0.1


def test_a_fold_holds_nothing_else():
    assert [field.name for field in fields(folds.Fold)] == [
        "number",
        "train",
        "validation",
        "test",
        "scored",
        "last_seen",
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_days": 0}, "train_days: too short, got 0"),
        ({"step_days": 0}, "step_days: too short, got 0"),
        ({"embargo": -1}, "embargo: negative, got -1"),
        ({"train_days": 40}, r"one fold needs 45 trading days .* got 30"),
        ({"train_days": 1, "embargo": 1_400}, "train_days: no row of fold 0 outlives the purge"),
        ({"validation_days": 1, "embargo": 1_400}, "validation_days: no row of fold 0"),
    ],
)
def test_impossible_folds_name_the_parameter(changed, message):
    with pytest.raises(ParameterError, match=message):
        walk(**changed)
