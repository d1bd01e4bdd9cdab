from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bqx.errors import ParameterError
from bqx.learning import targets
from bqx.market import bars, sessions

M1 = Path(__file__).parents[2] / "shared" / "data" / "m1"
# Sunday 7 January 2024, 17:00 New York.
START = int(np.datetime64("2024-01-07T22:00", "m").astype(np.int64))
CASES = ((15, 15), (15, 75), (60, 15), (75, 60), (90, 15), (1, 1))


def made(closes, pair="eurusd", start=START):
    ends = sessions.grid(start, start + 3 * len(closes) + 5_000)[: len(closes)]
    closes = np.asarray(closes, dtype=np.float64)
    frame = pd.DataFrame(
        dict.fromkeys(bars.RATES, closes) | {"volume": 1.0, "spread": np.nan},
        index=sessions.timestamps(ends),
    )
    return bars.Bars(pair, frame, float(closes[np.isfinite(closes)][0]))


def walk(rows, seed=0, sd=1e-4):
    return 1.1 * np.exp(np.cumsum(np.random.default_rng(seed).standard_normal(rows) * sd))


def past(index, row, window):
    """BQX as it is written down; NaN before there is a whole window."""
    if row < window:
        return np.nan
    return sum((index[row - k] - index[row]) / index[row] for k in range(1, window + 1))


@pytest.mark.parametrize(("window", "horizon"), CASES)
def test_labels_agree_with_the_definition(window, horizon):
    one = made(walk(7_300))
    target = targets.make(one, window, horizon)
    index = one.index
    for row in [*range(0, 200, 7), *range(7_000, 7_300)]:
        # Row 7,200 opens the second week.
        labelled = row + horizon < 7_300 and (row < 7_200) == (row + horizon < 7_200)
        level = past(index, row + horizon, window) if labelled else np.nan
        np.testing.assert_allclose(target.level[row], level, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(target.current[row], past(index, row, window), atol=1e-14)
    assert target.weekend == horizon
    assert target.holes == 0


@pytest.mark.parametrize(("window", "horizon"), CASES)
def test_the_martingale_is_bqx_of_a_rate_that_stands_still(window, horizon):
    one = made(walk(400, seed=1))
    target = targets.make(one, window, horizon)
    for row in range(max(window - horizon, 0), 400, 13):
        still = np.concatenate([one.index[: row + 1], np.full(horizon, one.index[row])])
        if row + horizon >= window:
            expected = past(still, row + horizon, window)
            np.testing.assert_allclose(target.martingale[row], expected, rtol=1e-9, atol=1e-14)


def test_kinds():
    target = targets.make(made(walk(900)), 60, 15)
    level, now, known, sigma = target.level, target.current, target.martingale, target.sigma
    np.testing.assert_array_equal(target.label("level"), level)
    np.testing.assert_array_equal(target.label("delta"), level - now)
    np.testing.assert_array_equal(target.label("scaled"), (level - now) / sigma)
    np.testing.assert_array_equal(target.label("direction"), np.sign(level - now))
    np.testing.assert_array_equal(target.label("innovation"), (level - known) / sigma)
    np.testing.assert_array_equal(target.martingale_of("delta"), known - now)
    assert (target.martingale_of("innovation")[200:] == 0).all()
    with pytest.raises(ParameterError, match="target: unknown kind, got 'raw'; expected one of"):
        target.label("raw")


@pytest.mark.parametrize("kind", targets.KINDS)
def test_the_true_innovation_gives_the_label_and_none_the_martingale(kind):
    target = targets.make(made(walk(900)), 60, 15)
    there = np.isfinite(target.label("innovation"))
    whole = target.from_innovation(target.label("innovation"), kind)
    np.testing.assert_allclose(whole[there], target.label(kind)[there], rtol=1e-7, atol=1e-12)
    none = target.from_innovation(np.zeros(900), kind)
    np.testing.assert_array_equal(none[there], target.martingale_of(kind)[there])


@settings(max_examples=60, deadline=None)
@given(
    window=st.integers(1, 40),
    horizon=st.integers(1, 40),
    hole=st.integers(0, 290),
    length=st.integers(1, 30),
    start=st.integers(0, 7_200),
)
def test_labels_touch_neither_a_hole_nor_the_weekend(window, horizon, hole, length, start):
    closes = walk(300)
    closes[hole : hole + length] = np.nan
    first = int(sessions.grid(START, START + 20_000)[start])
    one = made(closes, start=first)
    target = targets.make(one, window, horizon)
    week = (one.first_market_minute + np.arange(300)) // sessions.WEEK
    weekend = holes = 0
    for row in range(300):
        end = row + horizon
        if end >= 300:
            assert np.isnan(target.level[row])
            continue
        crossing = week[row] != week[end]
        broken = np.isnan(closes[max(min(row, end - window), 0) : end + 1]).any()
        weekend += crossing
        holes += broken and not crossing
        assert np.isnan(target.level[row]) == (crossing or broken or end < window)
    assert (target.weekend, target.holes) == (weekend, holes)


@pytest.mark.parametrize("window", [1, 15, 75])
def test_sigma_agrees_with_pandas_once_the_run_in_is_over(window):
    one = made(walk(3_000, sd=3e-4))
    sigma = targets.make(one, window, 15).sigma
    changes = pd.Series(targets.make(one, window, 15).current).diff()
    expected = np.sqrt((changes**2).ewm(span=60, adjust=False).mean())
    np.testing.assert_allclose(sigma[window + 700 :], expected[window + 700 :], rtol=1e-6)
    assert np.isnan(sigma[: window + 60]).all()
    assert np.isfinite(sigma[window + 60 :]).all()


@pytest.mark.parametrize("pair", ["eurusd", "usdjpy"])
def test_sigma_of_a_rate_that_stands_still_is_a_tenth_of_a_pip_a_minute(pair):
    close = 150.0 if pair == "usdjpy" else 1.2
    pip = 0.01 if pair == "usdjpy" else 0.0001
    sigma = targets.make(made(np.full(900, close), pair), 15, 15).sigma
    np.testing.assert_allclose(sigma[75:], 15 * 0.1 * pip / close, rtol=1e-12)


def test_sigma_starts_anew_after_a_hole():
    closes = walk(1_500)
    closes[700:720] = np.nan
    sigma = targets.make(made(closes), 15, 15).sigma
    assert np.isfinite(sigma[75:700]).all()
    assert np.isnan(sigma[700 : 720 + 75]).all()
    assert np.isfinite(sigma[720 + 75 :]).all()


def test_the_last_rows_alone_reproduce_the_last_row_in_every_bit():
    one = made(walk(5_000))
    whole = targets.make(one, 60, 15)
    for end in (4_999, 4_321, 3_000):
        cut = targets.make(one.rows(end - 600 - 60, end + 1), 60, 15)
        assert cut.sigma[-1] == whole.sigma[end]
        assert cut.martingale[-1] == whole.martingale[end]
        assert cut.current[-1] == whole.current[end]


def test_what_is_known_now_does_not_move_when_the_future_does():
    closes = walk(2_000)
    other = closes.copy()
    other[1_500:] *= 1.5
    one, two = (targets.make(made(rates), 60, 15) for rates in (closes, other))
    for name in ("martingale", "current", "sigma"):
        np.testing.assert_array_equal(getattr(one, name)[:1_500], getattr(two, name)[:1_500])
    np.testing.assert_array_equal(one.level[: 1_500 - 15], two.level[: 1_500 - 15])
    assert (one.level[1_500 - 15 : 1_500] != two.level[1_500 - 15 : 1_500]).all()


def test_fewer_rows_than_the_horizon_have_no_label():
    target = targets.make(made(walk(10)), 15, 15)
    assert np.isnan(target.level).all()
    assert (target.martingale == 0).all()


@pytest.mark.parametrize(
    ("window", "horizon", "name"), [(0, 15, "target_window"), (15, 0, "horizons")]
)
def test_windows_and_horizons_are_at_least_a_minute(window, horizon, name):
    with pytest.raises(ParameterError, match=f"{name}: too short, got 0; expected at least 1"):
        targets.make(made(walk(100)), window, horizon)


def test_known_share():
    assert targets.known_share(60, 15) == pytest.approx(0.425, abs=5e-4)
    assert targets.known_share(90, 15) == pytest.approx(0.581, abs=5e-4)
    assert targets.known_share(15, 15) == targets.known_share(15, 75) == 0.0
    for window, horizon in CASES:
        weights = np.arange(1, window + 1) ** 2
        expected = weights[: max(window - horizon, 0)].sum() / weights.sum()
        assert targets.known_share(window, horizon) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["level", "delta", "scaled", "innovation", "direction"])
def test_the_known_part_of_every_kind_on_a_martingale(kind):
    one = made(walk(200_000, seed=2))
    for window, horizon in CASES[:-1]:
        target = targets.make(one, window, horizon)
        label, known = target.label(kind), target.martingale_of(kind)
        there = np.isfinite(label) & np.isfinite(known)
        label, known = label[there], known[there]
        if kind == "direction":
            used = (label != 0) & (known != 0)
            found, expected = (
                (label == known)[used].mean(), targets.known_direction(window, horizon),
            )  # fmt: skip
        else:
            found = 1 - np.mean((label - known) ** 2) / np.var(label)
            expected = targets.known_share(window, horizon, kind)
        assert found == pytest.approx(expected, abs=0.02), (window, horizon)


@pytest.mark.parametrize("kind", ["direction", "raw"])
def test_what_has_no_known_share_is_refused(kind):
    with pytest.raises(ParameterError, match=f"no known share of its variance, got '{kind}'"):
        targets.known_share(60, 15, kind)


@pytest.mark.skipif(not M1.is_dir(), reason="real bars are not at hand")
def test_the_martingale_explains_half_of_delta_on_real_bars():
    frame = pd.read_parquet(M1 / "eurusd.parquet").set_index("ts_utc")
    one = bars.align({"eurusd": bars.validate(frame, "eurusd")})["eurusd"]
    for window, horizon, low, high in ((60, 15, 0.40, 0.425), (75, 15, 0.49, 0.515)):
        target = targets.make(one, window, horizon)
        error = np.nanmean((target.level - target.martingale) ** 2)
        assert low < 1 - error / np.nanvar(target.level) < high
    target = targets.make(one, 15, 15)
    label, known = target.label("delta"), target.martingale_of("delta")
    error = np.nanmean((label - known) ** 2)
    assert 0.50 <= 1 - error / np.nanvar(label) < 0.51
    there = np.isfinite(label) & (label != 0) & (known != 0)
    assert 0.75 < (np.sign(label) == np.sign(known))[there].mean() < 0.76
    # As many rows are lost to each weekend as the horizon is long.
    weeks = np.unique((one.first_market_minute + np.arange(len(one))) // sessions.WEEK)
    assert target.weekend == 15 * (len(weeks) - 1)
