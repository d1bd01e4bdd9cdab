"""What arithmetic alone gives on a martingale, and that none of it is taken for skill."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from bqx.evaluation import skill
from bqx.evaluation.inference import Interval
from bqx.learning import targets
from bqx.market import bars, sessions

HORIZONS = (15, 30, 45, 60, 75)
WINDOWS = (15, 30, 45, 60, 75, 90)
WEEKS = 50
# Sunday 8 January 2023, 17:00 New York.
START = int(np.datetime64("2023-01-08T22:00", "m").astype(np.int64))


@cache
def martingale(seed, weeks=WEEKS):
    """Bars whose log rate is a martingale with fat tails and volatility by day and by minute."""
    rng = np.random.default_rng(seed)
    minutes = sessions.grid(START, START + (weeks + 1) * 10_080)[: weeks * sessions.WEEK]
    volatility = 1e-4 * np.exp(
        0.3 * np.repeat(rng.standard_normal(5 * weeks), sessions.DAY)
        + 0.4 * np.sin(2 * np.pi * np.arange(len(minutes)) / sessions.DAY)
    )
    closes = 1.1 * np.exp(np.cumsum(volatility * rng.standard_t(5, len(minutes))))
    frame = pd.DataFrame(
        dict.fromkeys(bars.RATES, closes) | {"volume": 1.0, "spread": 1e-4},
        index=sessions.timestamps(minutes),
    )
    return bars.Bars("eurusd", frame, float(closes[0]))


@pytest.fixture(scope="module")
def one():
    return martingale(20)


@pytest.fixture(scope="module")
def day(one):
    return sessions.trading_days(one.minutes)


def martingale_score(bars, day, kind, *, window, horizon):
    """Score of the martingale forecast of a kind of target."""
    target = targets.make(bars, window, horizon)
    known = target.martingale_of(kind)
    return skill.score(
        target.label(kind),
        known,
        known,
        sigma=target.sigma,
        day=day,
        window=window,
        horizon=horizon,
    )


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("window", WINDOWS)
def test_the_level_is_known_to_the_share_of_the_closed_form(one, day, window, horizon):
    result = martingale_score(one, day, "level", window=window, horizon=horizon)
    assert result.known_r2 == pytest.approx(targets.known_share(window, horizon), abs=0.02)
    assert result.skill == Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("window", "horizon"), [(w, h) for w in WINDOWS for h in HORIZONS if w <= h]
)
def test_delta_looks_half_known_and_its_direction_three_quarters(one, day, window, horizon):
    result = martingale_score(one, day, "delta", window=window, horizon=horizon)
    assert result.known_r2 == pytest.approx(0.50, abs=0.02)
    assert result.martingale_direction == pytest.approx(0.75, abs=0.01)
    assert (result.skill.value, result.dm) == (0.0, None)


@pytest.mark.parametrize(("window", "horizon"), [(15, 15), (60, 15), (15, 75), (75, 75), (90, 30)])
def test_a_future_that_stands_still_gives_the_martingale_forecast(window, horizon):
    closes = martingale(21, weeks=1).frame["close"].to_numpy()
    for now in range(200, 1_200, 111):
        still = closes[: now + horizon + 1].copy()
        still[now + 1 :] = closes[now]
        frame = pd.DataFrame(
            dict.fromkeys(bars.RATES, still) | {"volume": 1.0, "spread": 1e-4},
            index=sessions.timestamps(sessions.grid(START, START + now + horizon)),
        )
        target = targets.make(bars.Bars("eurusd", frame, float(closes[0])), window, horizon)
        assert target.level[now] == pytest.approx(target.martingale[now], rel=1e-12, abs=1e-15)
        for kind in ("delta", "scaled", "innovation"):
            expected = target.martingale_of(kind)[now]
            assert target.label(kind)[now] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", ["level", "delta", "scaled"])
@pytest.mark.parametrize(("window", "horizon"), [(15, 15), (15, 75), (60, 15), (75, 75)])
def test_noise_earns_no_skill_however_good_its_r2_looks(window, horizon, kind):
    """Six martingales of a month each, each with a slow forecast that knows nothing."""
    rng = np.random.default_rng(22)
    praised = 0
    for seed in range(6):
        one = martingale(30 + seed, weeks=4)
        target = targets.make(one, window, horizon)
        slow = lfilter([1.0], [1.0, -0.98], rng.standard_normal(len(one)))
        slow *= 0.1 * np.nanstd(target.label("innovation")) / slow.std()
        made, known = target.from_innovation(slow, kind), target.martingale_of(kind)
        day = sessions.trading_days(one.minutes)
        result = skill.score(
            target.label(kind),
            made,
            known,
            sigma=1.0 if kind == "scaled" else target.sigma,
            day=day,
            window=window,
            horizon=horizon,
        )
        praised += result.skill.low > 0
        assert result.skill.low < 0.02
        assert result.skill.value < 0.03
        if kind == "delta" and window <= horizon:
            assert result.r2.value > 0.4
            assert result.direction.value > 0.68
    assert praised <= 1


def test_knowledge_of_the_future_is_found():
    """A tenth of the innovation given away is skill, with an interval off 0."""
    one = martingale(50, weeks=4)
    target = targets.make(one, 15, 30)
    rng = np.random.default_rng(51)
    label = target.label("innovation")
    noisy = label + 3.0 * np.nanstd(label) * rng.standard_normal(len(one))
    made = target.from_innovation(0.1 * noisy, "delta")
    day = sessions.trading_days(one.minutes)
    result = skill.score(
        target.label("delta"),
        made,
        target.martingale_of("delta"),
        sigma=target.sigma,
        day=day,
        window=15,
        horizon=30,
        confidence=0.999,
    )
    assert result.skill.value == pytest.approx(0.1, abs=0.02)
    assert result.skill.low > 0.05
    assert result.dm > 5
    assert result.dm_p < 1e-6
    assert result.ic.value == pytest.approx(0.31, abs=0.04)
    assert result.ic.low > 0.2
    assert result.ic_p < 1e-6
