"""The panel's verdict, feeds that stand still, spikes, and triangles."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from monitored import altered, grids, models, row_of_day

from bqx.learning import baseline, hours
from bqx.learning.day_statistics import day_statistics
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.monitoring import bar_quality, drift, metrics, performance, standstill
from bqx.monitoring.panel import Day, Panel
from bqx.monitoring.volatility import Steps

EMPTY = pd.DataFrame({"day": [], "loss": [], "known_loss": [], "rows": []})
BASE, LATER, COLUMNS = 60, 30, 12


def rows_of(seed, days=BASE + LATER):
    """Rolling momentum over five hours and noise, every fifth minute."""
    rng = np.random.default_rng(seed)
    minutes = sessions.grid(28_400_040, 28_400_040 + (days * 7 // 5 + 6) * 1_440)[::5]
    steps = rng.normal(size=(len(minutes), COLUMNS))
    for other, column in ((0, 1), (9, 10)):
        steps[:, column] = 0.9 * steps[:, other] + 0.4 * steps[:, column]
    x = pd.DataFrame(steps).rolling(60, min_periods=1).sum().to_numpy(copy=True)
    x[:, 8:] = steps[:, 8:]
    return x.astype(np.float32), minutes


def of_day(x, minutes, number):
    """The panel of the first `BASE` days, and the day of a number."""
    day = sessions.trading_days(minutes)
    days = np.unique(day)[1:-1]
    early = (day >= days[0]) & (day < days[BASE])
    rng = np.random.default_rng(9)
    hours = np.arange(BASE * 24) + int(sessions.market_minutes(minutes[early][:1])[0]) // 60
    ranges = pd.DataFrame({"market_hour": hours, "range": 0.3 * rng.normal(size=len(hours))})
    names = [f"column_{i}" for i in range(x.shape[1])]
    own = baseline.of_columns(x[early], minutes[early], names, hours=ranges, performance=EMPTY)
    today, before = (
        day_statistics(x[day == days[n]], day[day == days[n]], own.columns)
        for n in (number, number - 1)
    )
    return Panel({"eurusd": own}), Day(today, before, ranges.tail(48), EMPTY, 1.0)


def judged(x, minutes, number=BASE + 2):
    """The verdict of one day after the first `BASE`."""
    panel, day = of_day(x, minutes, number)
    return panel.judge({"eurusd": day})


def test_quiet_days_alarm_seldom():
    alarms = sum(judged(*rows_of(0), number=BASE + n).alarm for n in range(1, 25))
    assert alarms <= 1


def test_a_mean_that_moved_names_its_column():
    x, minutes = rows_of(1)
    day = sessions.trading_days(minutes)
    x[day >= np.unique(day)[1 + BASE + 2], 11] += 1.0
    verdict = judged(x, minutes)
    found = verdict.statistics.set_index("statistic")["alarm"]
    assert found["columns"]
    moved = verdict.columns[verdict.columns["drifted"]]
    assert "column_11" in moved["column"].tolist()
    assert moved.set_index("column").loc["column_11", "measure"] == "mean"


@pytest.mark.parametrize("hours", [2, 5, 8])
def test_a_day_that_lacks_hours_is_no_drift(hours):
    """What follows the time of the day has another mean and another range without some hours."""
    x, minutes = rows_of(4)
    phase = 2 * np.pi * (minutes % 1440) / 1440
    x[:, 10], x[:, 11] = np.cos(phase), np.cos(phase) + 0.1 * x[:, 11]
    x[:, 9] = np.where(np.arange(len(x)) % 7 == 0, 3.0, 0.1) * x[:, 9]
    day = sessions.trading_days(minutes)
    later = day >= np.unique(day)[1 + BASE + 2]
    assert not judged(x, minutes).alarm
    start = 11 * 60
    away = later & (minutes % 1440 >= start) & (minutes % 1440 < start + 60 * hours)
    some = x.copy()
    some[away] = np.nan
    assert not judged(some, minutes).alarm
    some[later & ~away, 11] += 1.5
    assert judged(some, minutes).statistics.set_index("statistic").loc["columns", "alarm"]


def test_dependence_that_is_lost_is_found_with_equal_margins():
    x, minutes = rows_of(2)
    day = sessions.trading_days(minutes)
    later = np.flatnonzero(day >= np.unique(day)[1 + BASE + 2])
    x[later, 10] = x[later - 144, 10]
    found = judged(x, minutes).statistics.set_index("statistic")["alarm"]
    assert found["dependence"]
    assert not found["columns"]


def test_dependence_on_the_size_of_others_that_is_lost_is_found():
    """One column follows from two others, and goes along with neither; its distribution stays."""
    x, minutes = rows_of(12)
    x[:, 11] = 0.5 * np.abs(x[:, 8]) + 0.3 * x[:, 9] + 0.2 * x[:, 11]
    x[:, 11] -= x[:, 11].mean()
    quiet = judged(x, minutes).statistics.set_index("statistic")["alarm"]
    assert not quiet.any()
    day = sessions.trading_days(minutes)
    later = np.flatnonzero(day >= np.unique(day)[1 + BASE + 2])
    x[later, 11] = x[later - 144, 11]
    verdict = judged(x, minutes)
    found = verdict.statistics.set_index("statistic")["alarm"]
    assert found[["columns", "dependence"]].tolist() == [False, True]
    moved = verdict.columns[verdict.columns["drifted"]].set_index("column")
    assert moved.loc["column_11", "measure"] == "dependence"


def test_fixed_thresholds_alarm_on_quiet_days_and_stand_beside():
    shares = [drift.by_fixed_thresholds(judged(*rows_of(s)).columns) for s in range(3, 6)]
    assert np.mean([of["KL above 0.1 (warning)"] for of in shares]) > 0.5
    assert np.mean([of["mean moved by over 0.05"] for of in shares]) > 0.5


def test_divergence_is_that_of_scipy():
    from scipy import stats

    expected, later = np.array([10.0, 30.0, 60.0]), np.array([25.0, 25.0, 50.0])
    by_scipy = stats.entropy(later / later.sum(), expected / expected.sum())
    assert drift.kl(expected, later) == pytest.approx(by_scipy)


def test_a_step_of_volatility_is_measured_and_slow_change_is_not():
    rng = np.random.default_rng(0)
    hours = np.arange(24 * 80)
    season = np.sin(hours % 24 / 24 * 2 * np.pi)
    slow = np.zeros(len(hours))
    for i in range(1, len(hours)):
        slow[i] = 0.97 * slow[i - 1] + 0.05 * rng.normal()
    level = season + slow + 0.1 * rng.normal(size=len(hours))
    steps = Steps(hours, level)
    before, day = level[-48:-24], level[-24:]
    assert steps.step(before, day + 0.4) == pytest.approx(steps.step(before, day) + 0.4)
    daily = level.reshape(-1, 24).mean(axis=1)
    assert steps.baseline.std() < 0.9 * np.diff(daily).std()
    short = np.where(np.arange(24) < 8, day, np.nan)
    assert np.isnan(steps.step(before, short))


def test_a_pair_stands_still_when_nothing_changes():
    bars = grids()["eurusd"]
    row = row_of_day(5) + 600
    assert hours.standstills(bars.rows(row - 60, row))[-1] <= 2
    frame = bars.rows(row - 60, row).frame.copy()
    frame.iloc[-7:, :4] = frame["close"].iloc[-8]
    assert hours.standstills(Bars("eurusd", frame, bars.baseline))[-1] == 7
    frame.iloc[-7:, :4] = np.nan
    assert hours.standstills(Bars("eurusd", frame, bars.baseline))[-1] == 7


def frozen(bars):
    still = {pair: int(hours.standstills(own)[-1]) for pair, own in bars.items()}
    ranges = {p: bar_quality.recent_range(p, hours.columns_of(own)) for p, own in bars.items()}
    return bar_quality.frozen(still, ranges, usual_hours(), int(bars["eurusd"].minutes[-1]))


def usual_hours():
    return {pair: model.statistics.hours for pair, model in models().items()}


def test_one_pair_may_pause_for_as_long_as_it_usually_does_and_the_feed_may_not():
    found = {}
    for name, start in (("rollover", row_of_day(25) + 10), ("noon", row_of_day(25) + 15 * 60)):
        stopped = altered(start, "stopped")
        for minutes in range(1, 31):
            alone = {p: own.rows(start - 60, start + minutes) for p, own in grids().items()}
            alone["eurusd"] = stopped["eurusd"].rows(start - 60, start + minutes)
            if frozen(alone):
                assert frozen(alone) == ["eurusd"]
                found[name] = minutes
                break
        together = {p: own.rows(start - 60, start + 4) for p, own in stopped.items()}
        assert frozen(together) == list(grids())
    # By the hours of three weeks; by those of months it is sooner.
    assert found["noon"] <= 6 < found["rollover"]


def hours_of(still, lively):
    """Hours of 100 days, with standstills and log ranges by hour."""
    number = np.arange(24 * 100)
    values = {"range": lively(number), "still": still(number)}
    return pd.DataFrame({"market_hour": number} | values)


MINUTE = int(sessions.open_minutes(np.array([24 * 1_440 * 400 + 7 * 60]))[0])


def test_a_standstill_is_unusual_by_the_tail_of_those_of_its_hour():
    one = hours_of(lambda n: np.where(n % 24 == 7, 4, 1), lambda n: 0.0 * n)
    usual = [standstill.longest_usual("a", {"a": one}, MINUTE + 60 * k, {}) for k in (0, 1, 5)]
    # 360 hours are those most alike: 100 of that hour, 200 of those beside it, and 60 further away.
    goes_on = 1 - 101 / (300 + 1 / 0.9)
    expected = 2 + np.log(standstill.CHANCE) / np.log(goes_on)
    assert usual[0] == pytest.approx(expected)
    beside = 2 + np.log(standstill.CHANCE / (101 / 361)) / np.log(goes_on)
    assert usual[1] == pytest.approx(beside)
    assert usual[2] == pytest.approx(2 + np.log(standstill.CHANCE * 361) / np.log(0.1))
    older = {"a": one.drop(columns="still")}
    assert standstill.longest_usual("a", older, MINUTE, {}) == hours.LONGEST


def test_a_pair_may_stand_still_where_the_others_are_quiet_and_not_where_they_move():
    still = hours_of(lambda n: np.where(n // 24 % 4 == 0, 4, 1), lambda n: 0.0 * n)
    others = hours_of(lambda n: 1 + 0 * n, lambda n: np.where(n // 24 % 4 == 0, -1.0, 1.0))
    known = {"a": still, "b": others}
    quiet, lively = (
        standstill.longest_usual("a", known, MINUTE, {"a": 0.0, "b": level})
        for level in (-1.0, 1.0)
    )
    assert lively == pytest.approx(2 + np.log(standstill.CHANCE * 361) / np.log(0.1))
    assert quiet > 2 * lively
    # Its own bars, which stand still, tell nothing of it.
    known["a"]["range"] = np.where(known["a"]["still"] > 1, 5.0, -5.0)
    assert standstill.longest_usual("a", known, MINUTE, {"a": 5.0, "b": 1.0}) == lively


def test_on_quiet_days_no_feed_is_called_frozen():
    for row in range(row_of_day(22), row_of_day(29), 7):
        bars = {pair: own.rows(row - 31, row) for pair, own in grids().items()}
        assert frozen(bars) == []


def test_a_spike_is_one_that_comes_back():
    bars = grids()["eurusd"].rows(3_000, 4_500)
    assert len(bar_quality.spikes(bars)) == 0
    frame = bars.frame.copy()
    frame.iloc[700, :4] *= 1.01
    found = bar_quality.spikes(Bars("eurusd", frame, bars.baseline))
    assert found.tolist() == [bars.ts[700]]
    frame.iloc[701:, :4] *= 1.01
    assert len(bar_quality.spikes(Bars("eurusd", frame, bars.baseline))) == 0


def test_a_triangle_that_does_not_close_is_measured():
    bars = {p: own.rows(3_000, 3_400) for p, own in grids().items()}
    assert bar_quality.triangles(bars) == [("eurgbp", "eurusd", "gbpusd")]
    residual = bar_quality.triangle_residuals(bars).iloc[:, 0]
    by_hand = 1e4 * np.log(bars["eurgbp"].close * bars["gbpusd"].close / bars["eurusd"].close)
    assert np.abs(residual.to_numpy()) == pytest.approx(
        np.abs(by_hand - np.nanmedian(by_hand)), abs=1e-6, nan_ok=True
    )
    frame = bars["eurusd"].frame.copy()
    frame.iloc[-60:, :4] *= 1.001
    shifted = bars | {"eurusd": replace(bars["eurusd"], frame=frame)}
    usual = bar_quality.measures(bars, 60)["triangle_residual_bp"]
    found = bar_quality.measures(shifted, 60)["triangle_residual_bp"]
    assert usual < 1.0
    assert found == pytest.approx(10.0, abs=1.0)


def days_of(seed, days, rows=288, worse=1.0):
    """How weak forecasts did on days of rows with fat tails, see `losses.of_days`."""
    rng = np.random.default_rng(seed)
    frames = []
    for day in range(days):
        innovation = rng.standard_t(4, rows) * np.exp(0.1 * rng.normal())
        error = worse * innovation - 0.05 * rng.normal(size=rows)
        known = rng.normal(size=rows)
        frames.append(
            {
                "day": day,
                "rows": float(rows),
                "loss": (error**2).sum(),
                "known_loss": (innovation**2).sum(),
                "absolute": np.abs(error).sum(),
                "error2": (error**2).sum(),
                "label": (known + innovation).sum(),
                "label2": ((known + innovation) ** 2).sum(),
                "hits": rows / 2,
                "signs": float(rows),
            }
        )
    return pd.DataFrame(frames)


@pytest.mark.parametrize("rows", [288, 40])
def test_a_fall_of_r2_by_chance_is_told_from_one_that_is_none(rows):
    """The documents' bound is passed on many quiet days of few rows, and their chance says so."""
    usual = days_of(0, 60)
    quiet = [performance.measured(days_of(seed, 1, rows), usual) for seed in range(1, 201)]
    passed = [of["r2_change"] < -0.05 for of in quiet]
    assert rows == 288 or np.mean(passed) > 0.2
    for name in performance.ERRORS:
        rare = [of[metrics.chance_of(name)] <= metrics.CHANCE for of in quiet]
        assert np.mean(rare) <= 0.04
    worse = performance.measured(days_of(9, 1, rows, worse=2.0), usual)
    assert worse["r2_change"] < -0.05
    assert worse[metrics.chance_of("r2_change")] <= metrics.CHANCE
    assert metrics.chance_of("r2_change") not in performance.measured(days_of(9, 1), days_of(0, 9))


def test_many_rows_of_few_hours_are_no_whole_day():
    """Of three hours a capture keeps eight rows where a baseline has one: their labels overlap."""
    usual, of = days_of(0, 60), metrics.chance_of("r2_change")
    fell = {1.0: 0, 3 / 24: 0}
    for seed in range(1, 201):
        few = days_of(seed, 1, 36)
        few.loc[:, "rows":] *= 8
        for share in fell:
            fell[share] += performance.measured(few, usual, share)[of] <= metrics.CHANCE
    assert fell[1.0] > 20
    assert fell[3 / 24] <= 8


def skill_of(panel, day, seed, *, rows, share, worse=1.0):
    """Alarms on the skill of a day of rows in a share of its hours, beside 30 quiet days."""
    usual = replace(panel.baselines["eurusd"], performance=days_of(seed, 30))
    today = days_of(10_000 + seed, 1, rows, worse)
    now = replace(day, performance=today, share=share)
    statistics = Panel({"eurusd": usual}).judge({"eurusd": now}).statistics
    return statistics.loc[statistics["statistic"] == "skill", "alarm"].tolist()


def test_the_skill_of_part_of_a_quiet_day_alarms_as_seldom_as_that_of_a_whole_one():
    panel, day = of_day(*rows_of(0), BASE + 2)
    alarms = [skill_of(panel, day, seed, rows=108, share=9 / 24) for seed in range(500)]
    # One in a thousand is meant; the bound of a whole day is passed by 21 of those of nine hours.
    assert sum(map(sum, alarms)) <= 3
    assert all(len(own) == 1 for own in alarms)


def test_a_skill_is_judged_by_the_hours_that_were_forecast_and_not_by_the_rows_kept_of_them():
    panel, day = of_day(*rows_of(0), BASE + 2)
    assert skill_of(panel, day, 1, rows=58, share=1.0, worse=2.0) == [True]
    assert skill_of(panel, day, 1, rows=58, share=5 / 24, worse=2.0) == []
