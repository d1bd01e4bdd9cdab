import numpy as np
import pandas as pd
import pytest

from bqx.evaluation import conditions, skill
from bqx.learning import folds
from bqx.market import sessions, simulated
from bqx.market.bars import Bars, align

PAIR = "eurusd"


@pytest.fixture(scope="module")
def one():
    return align(simulated.simulate("null", (PAIR,), "2024-01-07", days=28, seed=5).frames)[PAIR]


@pytest.fixture(scope="module")
def walk(one):
    return folds.rolling_origin(one.minutes, 6, 2, 3, 3, 120, 75, 1_000)


def returns_of(bars):
    return np.log(bars.frame["close"]).diff()


def test_the_session_is_the_one_that_opened_last():
    # Winter: Tokyo 0 to 9, London 8 to 17, New York 13 to 22 UTC.
    hours = {0: "tokyo", 7: "tokyo", 8: "london", 12: "london", 13: "new_york", 16: "new_york",
             21: "new_york", 22: "none", 23: "none"}  # fmt: skip
    for hour, expected in hours.items():
        minute = int(np.datetime64(f"2024-01-10T{hour:02d}:30", "m").astype(np.int64))
        assert conditions.session(np.array([minute]))[0] == expected


def test_terciles_are_those_of_the_training_rows(one, walk):
    found = conditions.label(one, walk)["volatility"]
    changes = returns_of(one) ** 2
    volatility = np.sqrt(changes.ewm(span=60, adjust=False, min_periods=60).mean()).to_numpy()
    for fold in walk:
        low, high = np.nanquantile(volatility[fold.train], [1 / 3, 2 / 3])
        # The recursion forgets after 600 rows.
        clear = fold.scored[
            np.abs(volatility[fold.scored][:, None] / [low, high] - 1).min(axis=1) > 1e-6
        ]
        expected = np.where(
            volatility[clear] <= low, "low", np.where(volatility[clear] <= high, "middle", "high")
        )
        np.testing.assert_array_equal(found[clear], expected)
        assert len(clear) > 0.99 * len(fold.scored)


def test_trends_move_further_than_half_their_volatility(one):
    returns = returns_of(one)
    found = conditions.trend(one)
    for row in range(240, len(one), 501):
        last = returns.iloc[row - 239 : row + 1]
        ratio = last.sum() / np.sqrt((last**2).sum())
        expected = "sideways" if abs(ratio) <= 0.5 else "up" if ratio > 0 else "down"
        assert found[row] == expected
    assert (found[:240] == "").all()
    shares = pd.Series(found[240:]).value_counts(normalize=True)
    assert shares.between(0.2, 0.5).all()
    assert len(shares) == 3


def test_no_condition_knows_the_future(one, walk):
    before = conditions.label(one, walk[:1])
    stop = int(walk[0].scored[1_000])
    frame = one.frame.copy()
    frame.iloc[stop + 1 :, :4] *= np.linspace(1.0, 2.0, len(frame) - stop - 1)[:, None]
    after = conditions.label(Bars(PAIR, frame, one.baseline), walk[:1])
    for kind, values in before.items():
        np.testing.assert_array_equal(values[: stop + 1], after[kind][: stop + 1])
    assert (before["trend"][stop + 1 :] != after["trend"][stop + 1 :]).any()


def test_only_scored_rows_have_conditions(one, walk):
    found = conditions.label(one, walk)
    assert set(found) == {"session", "volatility", "trend"}
    scored = np.concatenate([fold.scored for fold in walk])
    for values in found.values():
        assert (values[np.setdiff1d(np.arange(len(one)), scored)] == "").all()
        assert (values[scored] != "").all()


def test_a_long_hole_has_no_volatility_and_no_trend(one, walk):
    frame = one.frame.copy()
    hole = int(walk[0].scored[500])
    frame.iloc[hole : hole + 30, :5] = np.nan
    found = conditions.label(Bars(PAIR, frame, one.baseline), walk)
    assert (found["trend"][hole : hole + 270] == "").all()
    assert (found["volatility"][hole : hole + 90] == "").all()
    assert (found["session"][hole : hole + 30] != "").all()


GIVEN = {"sigma": 1.0, "window": 15, "horizon": 30, "confidence": 0.9, "seed": 7}


def test_scores_by_condition_are_scores_of_its_rows(one, walk):
    rng = np.random.default_rng(0)
    y, made = rng.standard_normal((2, len(one)))
    known, day = np.zeros(len(one)), sessions.trading_days(one.minutes)
    labels = conditions.label(one, walk)
    scored = labels["session"] != ""
    made[~scored] = np.nan
    table = skill.by_condition(PAIR, y, made, conditions=labels, martingale=known, day=day, **GIVEN)
    assert set(zip(table["condition"], table["value"], strict=True)) == {
        ("all", "all"),
        *(("session", name) for name in conditions.SESSIONS),
        *(("volatility", name) for name in conditions.TERCILES),
        *(("trend", name) for name in conditions.TRENDS),
    }
    assert set(table["pair"]) == {PAIR}
    assert set(table["horizon"]) == {30}
    for kind in ("session", "volatility", "trend", "all"):
        assert table.loc[table["condition"] == kind, "rows"].sum() == scored.sum()
    row = table[table["value"] == "london"].iloc[0]
    rows = labels["session"] == "london"
    alone = skill.score(y[rows], made[rows], known[rows], day=day[rows], **GIVEN).row()
    for name in ("skill", "skill_lo", "skill_hi", "ic", "ic_p", "mae", "mae_hi", "direction_lo"):
        assert row[name] == pytest.approx(alone[name])
