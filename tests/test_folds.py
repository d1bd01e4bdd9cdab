from dataclasses import fields

import numpy as np
import purgedcv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from skfolio.model_selection import CombinatorialPurgedCV, WalkForward

from bqx.errors import ParameterError
from bqx.learning import folds
from bqx.learning.folds import combinatorial, paths, purge, rolling_origin
from bqx.market import sessions
from bqx.params import Params

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


def touches(row, horizon, lookback, held_out, embargo):
    """One row at a time, one bar at a time."""
    read = range(row - lookback, row + horizon + 1)
    return any(
        bar in range(held - embargo, held + horizon + embargo + 1)
        for held in held_out
        for bar in read
    )


def test_purge_agrees_with_brute_force_on_1000_random_cases():
    rng = np.random.default_rng(11)
    for _ in range(1_000):
        horizon, lookback, embargo = rng.integers(0, 8, 3)
        firsts = rng.choice(60, rng.integers(1, 4), replace=False)
        runs = [np.arange(first, first + rng.integers(1, 6)) for first in firsts]
        held_out = np.unique(np.concatenate(runs))
        rows = np.setdiff1d(np.flatnonzero(rng.random(70) < 0.8), held_out)
        kept = purge(rows, horizon, lookback, held_out, embargo)
        assert kept.tolist() == [
            row for row in rows if not touches(row, horizon, lookback, held_out, embargo)
        ]


def hourly(days, rng):
    """A minute an hour, and no minutes at all on some days: a grid that is quickly looked at."""
    minutes = sessions.grid(START, START + 60 * sessions.DAY)[::60]
    day = sessions.trading_days(minutes)
    present = np.sort(rng.choice(np.unique(day), days, replace=False))
    return minutes[np.isin(day, present)]


def some_folds(rng):
    """Folds of a random scheme with what the widest of the pairs reads, and the pairs' reach."""
    reach = [rng.integers((1, 0), (30, 40)).tolist() for _ in range(rng.integers(1, 5))]
    horizon, lookback = (max(column) for column in zip(*reach, strict=True))
    embargo = int(rng.integers(0, 6))
    minutes = hourly(36, rng)
    scheme = rng.choice(["rolling", "chronological", "combinatorial"])
    if scheme == "combinatorial":
        groups = int(rng.integers(4, 8))
        tests = int(rng.integers(1, min(groups - 2, 3) + 1))
        return combinatorial(minutes, groups, tests, embargo, horizon, lookback), reach, minutes
    lengths = tuple(map(int, rng.integers(4, 9, 4)))
    split = Params(scheme="chronological").lengths(36) if scheme == "chronological" else lengths
    return rolling_origin(minutes, *split, embargo, horizon, lookback), reach, minutes


def test_no_training_row_meets_a_test_interval_in_1000_random_panels():
    """Every pair reads its own reach; a bar that any pair's test label reads is out for all."""
    rng = np.random.default_rng(12)
    looked, schemes = 0, set()
    for _ in range(1_000):
        made, reach, minutes = some_folds(rng)
        for number in rng.choice(len(made), min(len(made), 2), replace=False):
            fold = made[number]
            for later, earlier in (
                (fold.test, np.concatenate((fold.train, fold.validation))),
                (fold.validation, fold.train),
            ):
                read = np.zeros(len(minutes) + 40, dtype=bool)
                for row in later:
                    for horizon, _ in reach:
                        read[row : row + horizon + 1] = True
                for horizon, lookback in reach:
                    for row in earlier[:: 2 * len(reach)]:
                        assert not read[max(row - lookback, 0) : row + horizon + 1].any()
                        looked += 1
        schemes.add((len(made) == 1, (fold.train > fold.test[0]).any()))
    assert looked > 300_000
    assert len(schemes) == 3


def test_combinatorial_folds_are_those_of_purgedcv_and_skfolio():
    minutes = hourly(24, np.random.default_rng(13))
    rows = np.arange(len(minutes))
    cases = ((6, 2, 5, 0), (4, 2, 3, 0), (8, 3, 5, 0), (6, 2, 5, 9))
    for groups, tests, horizon, lookback in cases:
        made = combinatorial(minutes, groups, tests, 0, horizon, lookback)
        start = rows.astype("timedelta64[m]")
        peer = purgedcv.CombinatorialPurgedCV(
            groups,
            tests,
            prediction_times=start,
            evaluation_times=start + np.timedelta64(horizon + 1, "m"),
        )
        other = CombinatorialPurgedCV(groups, tests, purged_size=horizon, embargo_size=lookback)
        splits = zip(made, peer.split(rows), other.split(rows), strict=True)
        for fold, (train, test), (other_train, other_tests) in splits:
            np.testing.assert_array_equal(fold.test, test)
            np.testing.assert_array_equal(fold.test, np.sort(np.concatenate(other_tests)))
            kept = purge(np.setdiff1d(rows, test), horizon, lookback, test, 0)
            np.testing.assert_array_equal(kept, other_train)
            if lookback == 0:
                np.testing.assert_array_equal(kept, train)
            assert set(fold.train) | set(fold.validation) <= set(kept)
        numbers = [np.full(len(fold.test), float(fold.number)) for fold in made]
        found = paths(made, len(rows))
        np.testing.assert_array_equal(found, peer.reconstruct_paths(numbers))
        for fold, held in zip(made, other.get_path_ids(), strict=True):
            assert set(np.flatnonzero((found == fold.number).any(axis=1))) == set(held)


def test_rolling_tests_are_those_of_skfolio():
    minutes = hourly(30, np.random.default_rng(14))
    days = sessions.trading_days(minutes)
    made = rolling_origin(minutes, 8, 2, 5, 5, 0, 3, 9)
    peer = WalkForward(test_size=5, train_size=10)
    present = np.unique(days)
    for fold, (train, test) in zip(made, peer.split(present), strict=True):
        assert set(days[fold.test]) == set(present[test])
        assert set(days[np.union1d(fold.train, fold.validation)]) == set(present[train])


def test_paths_have_no_gaps_and_the_first_is_what_is_scored():
    made = combinatorial(MINUTES, 6, 2, 120, 75, 1_400)
    found = paths(made, len(MINUTES))
    assert found.shape == (5, len(MINUTES))
    assert (found >= 0).all()
    for fold in made:
        np.testing.assert_array_equal(np.flatnonzero(found[0] == fold.number), fold.scored)
        assert set(np.unique(found[:, fold.test])) >= {fold.number}
    assert [len(fold.scored) // 1_440 for fold in made] == [10, 5, 5, 5, 5] + [0] * 10


def test_the_last_seen_row_exists():
    made = combinatorial(MINUTES, 6, 1, 120, 75, 1_400)
    assert [fold.last_seen for fold in made[:2]] == [len(MINUTES) - 1] * 2
    assert made[-1].last_seen == made[-1].test[0] - 120 - 1


def test_the_chronological_fold_has_70_15_and_15_percent_of_the_days():
    split = Params(scheme="chronological").lengths(30)
    (fold,) = rolling_origin(MINUTES, *split, 120, 75, 1_400)
    days = sessions.trading_days(MINUTES)
    assert [len(np.unique(days[rows])) for rows in (fold.train, fold.validation)] == [21, 4]
    assert (fold.test[0], fold.test[-1]) == (25 * 1_440, 30 * 1_440 - 1)
    np.testing.assert_array_equal(fold.scored, fold.test)


def test_the_documented_setting():
    """60 days train, 30 test, step 7, two hours of embargo, on a year of minutes."""
    minutes = sessions.grid(START, START + 52 * 7 * 24 * 60 - 1)
    made = rolling_origin(minutes, 60, 10, 30, 7, 120, 75, 1_400)
    assert len(made) == (260 - 100) // 7 + 1
    assert {len(fold.test) for fold in made} == {30 * 1_440}
    assert [len(fold.scored) // 1_440 for fold in made] == [30] + [7] * (len(made) - 1)
    scored = np.concatenate([fold.scored for fold in made])
    assert (np.diff(scored) == 1).all()
    assert {int(fold.test[0] - fold.last_seen) for fold in made} == {121}


def test_expanding_folds_keep_the_first_day_and_the_share_that_validates():
    minutes = sessions.grid(START, START + 52 * 7 * 24 * 60 - 1)
    days = sessions.trading_days(minutes)
    fixed, grown = (
        rolling_origin(minutes, 104, 26, 26, 26, 120, 75, 1_400, expanding=expanding)
        for expanding in (False, True)
    )
    assert len(grown) == len(fixed) == 5
    for number, (fold, same) in enumerate(zip(grown, fixed, strict=True)):
        np.testing.assert_array_equal(fold.test, same.test)
        before = 130 + 26 * number
        lengths = [len(np.unique(days[rows])) for rows in (fold.train, fold.validation)]
        assert lengths == [before - before // 5, before // 5]
        assert fold.train[0] == 0
        assert fold.train[-1] + 75 + 120 < fold.validation[0]
        assert fold.last_seen < fold.test[0] - 120


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
    """It repeats the label of the train row whose smooth columns are nearest."""
    rng = np.random.default_rng(3)
    minutes = sessions.grid(START, START + 15 * 7 * 24 * 60)[: 60 * sessions.DAY : 20]
    rows, horizon, lookback = np.arange(len(minutes)), 18, 30
    noise = rng.standard_normal((len(rows) + horizon, 9))
    walk = np.cumsum(noise[:, 0])
    label = walk[rows + horizon] - walk[rows]
    columns = np.cumsum(noise[rows, 1:], axis=0)
    score = {}
    for name, purged in (("left", False), ("purged", True)):
        repeated = np.empty(len(rows))
        for fold in combinatorial(minutes, 60, 1, 0, horizon, lookback):
            train = np.setdiff1d(rows, fold.test)
            if purged:
                train = purge(train, horizon, lookback, fold.test, 0)
                assert set(fold.train) < set(train)
            nearest = cKDTree(columns[train]).query(columns[fold.test])[1]
            repeated[fold.test] = label[train[nearest]]
        score[name] = np.corrcoef(repeated, label)[0, 1]
    # Chance alone has a standard error of 0.065 here.
    assert abs(score["purged"]) < 0.13
    assert score["left"] > 0.2 > score["purged"] + 0.1


def test_a_fold_holds_nothing_else():
    assert [field.name for field in fields(folds.Fold)] == [
        "number",
        "train",
        "validation",
        "test",
        "scored",
        "last_seen",
        "shared",
        "own",
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


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test_groups": 0}, "test_groups: too few, got 0"),
        ({"groups": 3}, "groups: impossible, got 3; expected from 4 .* to the 30 trading days"),
        ({"groups": 31}, "groups: impossible, got 31"),
        ({"embargo": -1}, "embargo: negative, got -1"),
        ({"groups": 30, "embargo": 1_400}, "groups: no row of fold 27 outlives the purge"),
    ],
)
def test_impossible_groups_name_the_parameter(changed, message):
    given = {"groups": 6, "test_groups": 2, "embargo": 120, "horizon": 75, "lookback": 1_400}
    with pytest.raises(ParameterError, match=message):
        combinatorial(MINUTES, **(given | changed))
