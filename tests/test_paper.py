"""Paper trading: the backtest's fills minute by minute, through restarts and slow orders."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import live_market
import numpy as np
import pandas as pd
import pytest

from bqx import cli
from bqx.errors import ArtefactError, ParameterError
from bqx.features import lags
from bqx.files import alone, read_json, sha256
from bqx.learning.models import make
from bqx.market import sessions
from bqx.market.bars import align
from bqx.paper import backtest, latency, statement
from bqx.paper.account import Account, Minute
from bqx.paper.latency import Latency
from bqx.paper.replay import Replay
from bqx.params import Params
from bqx.serving.registry import Registry
from bqx.serving.registry_folder import Folder

FIRST = pd.Timestamp("2024-03-12 19:30", tz="UTC")
LAST = pd.Timestamp("2024-03-12 22:29", tz="UTC")
SLOW = Latency.of("150,500")


def whole(frame):
    """A frame without holes: every open minute has a bar."""
    ends = sessions.epoch_minutes(frame.index[[0, -1]])
    return frame.reindex(sessions.timestamps(sessions.grid(int(ends[0]), int(ends[1])))).ffill()


@pytest.fixture(scope="module")
def bundles():
    """A bundle that trades a lot, whatever the hour."""
    own, rows = live_market.bundles()["gbpusd"], np.arange(3_000, 6_500, 11)
    bars = align(live_market.frames())["gbpusd"]
    x = lags.matrix(bars, own.columns, rows, own.fits)
    y = 8.0 * np.random.default_rng(0).normal(size=(len(rows), len(own.horizons)))
    model = make("xgboost", Params(rounds=20, depth=3, learning_rate=0.3)).fit(x, y)
    return {"gbpusd": replace(own, model=model, betas=dict.fromkeys(own.betas, 1.0))}


@pytest.fixture(scope="module")
def frames():
    return {pair: whole(frame) for pair, frame in live_market.frames().items()}


@pytest.fixture(scope="module")
def traded(bundles, frames, tmp_path_factory):
    """Four hours over the end of a trading day, filled at the open."""
    place = tmp_path_factory.mktemp("paper")
    Replay(bundles, frames, first=FIRST, last=LAST, place=place).run()
    return place


def accounts(bundles, frames):
    return {
        (pair, horizon): account
        for pair, bundle in bundles.items()
        for horizon, account in backtest.run(frames, bundle, FIRST, LAST).items()
    }


def fills(place):
    return pd.concat(
        pd.read_csv(path, float_precision="round_trip")
        for path in sorted((place / "fills").glob("*.csv"))
    )


def by_minute(account):
    minutes = sessions.grid(*(int(stamp.timestamp()) // 60 for stamp in (FIRST, LAST)))
    bought = pd.Series(account.bought, minutes)
    return bought[bought != 0.0]


def files(place):
    return {p.name: sha256(p) for p in sorted(place.rglob("*")) if p.is_file()}


def test_fills_are_the_backtests_to_the_bit(traded, bundles, frames):
    made, count = fills(traded), 0
    for (pair, horizon), account in accounts(bundles, frames).items():
        own = made[(made["pair"] == pair) & (made["horizon"] == horizon)].set_index("minute")
        expected = by_minute(account)
        assert own["bought"].tolist() == expected.tolist()
        assert own.index.tolist() == expected.index.tolist()
        count += len(expected)
    assert count > 200


def test_days_add_up_to_the_backtests(traded, bundles, frames):
    days = statement.days(traded)
    assert days["day"].unique().tolist() == ["2024-03-12", "2024-03-13"]
    for (pair, horizon), account in accounts(bundles, frames).items():
        own = days[(days["pair"] == pair) & (days["horizon"] == horizon)].set_index("day")
        daily = account.daily()
        for name in ("gross", "spread", "slippage", "carry", "markup", "net", "turnover", "trades"):
            assert own[name].tolist() == pytest.approx(daily[name].tolist(), rel=1e-12)
        assert (own["latency"] == 0.0).all()
    assert days["carry"].abs().sum() > 0.0


def test_beside_the_backtest_nothing_differs(traded, bundles, frames):
    table = statement.beside(statement.days(traded), accounts(bundles, frames))
    assert table["pair"].tolist()[-1] == "all"
    assert table["difference"].abs().max() < 1e-9
    assert (table["trades"] == table["backtest trades"]).all()


def test_slow_orders_stay_within_ten_percent(bundles, frames, traded, tmp_path):
    Replay(bundles, frames, first=FIRST, last=LAST, place=tmp_path, delay=SLOW).run()
    days, fast = statement.days(tmp_path), statement.days(traded)
    table = statement.beside(days, accounts(bundles, frames))
    print(table.round(3).to_string())
    assert abs(days["latency"].sum()) > 0.0
    moved = abs(days["net"].sum() - fast["net"].sum())
    assert table["difference"].abs().max() < 10.0
    assert moved == pytest.approx(abs(days["latency"].sum()))
    # What is bought does not depend on how long it takes.
    assert fills(tmp_path)["bought"].tolist() == fills(traded)["bought"].tolist()
    assert fills(tmp_path)["seconds"].between(0.01, latency.LONGEST).all()


def test_holes_are_filled_at_the_next_bar_and_hardly_any_trade_is_another(bundles, tmp_path):
    holed = live_market.frames()
    Replay(bundles, holed, first=FIRST, last=LAST, place=tmp_path).run()
    days = statement.days(tmp_path)
    table = statement.beside(days, accounts(bundles, holed)).set_index("horizon")
    trades = table.loc["all", ["trades", "backtest trades"]].astype(float)
    assert abs(trades.iloc[0] - trades.iloc[1]) < 0.1 * trades.iloc[1]
    made = fills(tmp_path)
    quoted = sessions.epoch_minutes(holed["gbpusd"].index)
    assert np.isin(made["minute"], quoted).all()


def test_nothing_is_held_in_the_end(traded):
    last = read_json(traded / "state.json")["trader"]
    assert all(entry["account"]["owned"] == 0.0 for entry in last["accounts"])


@pytest.mark.parametrize("kill_at", [150])
def test_positions_survive_a_restart(traded, bundles, frames, tmp_path, monkeypatch, kill_at):
    class Killed(Exception):
        pass

    replay = Replay(bundles, frames, first=FIRST, last=LAST, place=tmp_path)
    trade, count = replay.trader.trade, []

    def until(minute, bars):
        count.append(minute)
        if len(count) > kill_at:
            raise Killed
        return trade(minute, bars)

    monkeypatch.setattr(replay.trader, "trade", until)
    with pytest.raises(Killed):
        replay.run()
    stopped = read_json(tmp_path / "state.json")["trader"]
    assert any(entry["account"]["owned"] for entry in stopped["accounts"])
    Replay(bundles, frames, first=FIRST, last=LAST, place=tmp_path).run()
    assert files(tmp_path) == files(traded)


@pytest.mark.parametrize("killed_after", ["_save", "_write_day"])
@pytest.mark.parametrize("last", ["19:39", "19:59"], ids=["between saves", "at a save"])
def test_a_kill_at_the_end_loses_no_day(bundles, frames, tmp_path, monkeypatch, killed_after, last):
    class Killed(Exception):
        pass

    def begun(place):
        end = pd.Timestamp(f"2024-03-12 {last}", tz="UTC")
        return Replay(bundles, frames, first=FIRST, last=end, place=tmp_path / place)

    replay = begun("killed")
    write = getattr(replay, killed_after)

    def then_killed(*content):
        write(*content)
        if replay.trader.minute == replay.minutes[-1]:
            raise Killed

    monkeypatch.setattr(replay, killed_after, then_killed)
    with pytest.raises(Killed):
        replay.run()
    again, whole = begun("killed"), begun("whole")
    for later in (again, whole):
        later.run()
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert again.days()["day"].unique().tolist() == ["2024-03-12"]


def test_a_second_replay_does_nothing_anew(traded, bundles, frames):
    before = files(traded)
    Replay(bundles, frames, first=FIRST, last=LAST, place=traded).run()
    assert files(traded) == before


def test_another_replay_or_a_damaged_state_is_refused(traded, bundles, frames, tmp_path):
    other = Replay(bundles, frames, first=FIRST, last=LAST, place=traded, delay=SLOW)
    with pytest.raises(ArtefactError, match="of another replay, got other models, times or lat"):
        other.run()
    text = (traded / "state.json").read_text(encoding="utf-8")
    (tmp_path / "state.json").write_text(
        re.sub(r'"owned": [-\d.e]+', '"owned": 7.0', text, count=1)
    )
    with pytest.raises(ArtefactError, match="damaged, got a content that was altered"):
        Replay(bundles, frames, first=FIRST, last=LAST, place=tmp_path).run()


def test_a_closed_market_is_refused(bundles, frames, tmp_path):
    sunday = pd.Timestamp("2024-03-10 01:00", tz="UTC")
    with pytest.raises(ParameterError, match="no open minute"):
        Replay(bundles, frames, first=sunday, last=sunday, place=tmp_path)


def test_a_statement_adds_up(traded):
    text = (traded / "days" / "2024-03-12.txt").read_text(encoding="utf-8")
    line = text.splitlines()[1].replace("bp = ", "")
    named = dict(re.findall(r"([a-z]+) (-?[\d.]+)", line))
    cost = sum(float(named[n]) for n in ("spread", "slippage", "commission", "latency", "markup"))
    total = float(named["gross"]) - cost + float(named["carry"])
    assert float(named["net"]) == pytest.approx(total, abs=0.005)
    assert text.startswith("Statement of 2024-03-12\n")


def test_latencies_are_of_their_distribution_and_the_same_again():
    seconds = np.array([SLOW.seconds("eurusd", minute) for minute in range(20_000)])
    assert np.median(seconds) == pytest.approx(0.15, rel=0.03)
    assert np.quantile(seconds, 0.99) == pytest.approx(0.5, rel=0.06)
    assert SLOW.seconds("eurusd", 5) == seconds[5]
    assert SLOW.seconds("gbpusd", 5) != seconds[5]
    assert Latency().seconds("eurusd", 5) == 0.0
    for text in ("1", "500,150", "0,1", "a,b", "1,1e9", "nan,1"):
        with pytest.raises(ParameterError, match="--latency: no distribution"):
            Latency.of(text)


def test_an_account_by_hand():
    """Two signals of two minutes: half a unit each, overlapping by one."""
    own = Account(horizon=2, wait=0)
    bought = []
    for market, (mid, signal_) in enumerate(
        [(1.0, 1.0), (2.0, 1.0), (4.0, 0.0), (5.0, 0.0), (8.0, 0.0)]
    ):
        bought.append(own.fill(Minute(mid, mid, 0.01, 0.0, 0.001)))
        own.enter(signal_, market, 100)
    # Bought 1/2/2 at 2 and 1/2/4 at 4; sold 0.25 at 5 and 0.125 at 8.
    assert bought == [0.0, 0.5, 0.5, -1.25, -1.0]
    day = own.close_day()
    assert day["gross"] == pytest.approx(0.25 * (5 - 2) + 0.125 * (8 - 4))
    assert day["turnover"] == pytest.approx(3.25)
    assert day["net"] == pytest.approx(day["gross"] - 0.011 * 3.25)
    assert own.position == 0.0


@pytest.fixture(scope="module")
def stored(bundles, frames, tmp_path_factory):
    """Bars as files, and a registry that serves the bundle."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "bars").mkdir()
    for pair, frame in frames.items():
        frame.rename_axis("ts_utc").reset_index().to_parquet(folder / "bars" / f"{pair}.parquet")
    bundles["gbpusd"].save(folder / "bundle")
    registry = Registry(Folder(folder / "registry"), "test")
    registry.approve(registry.register("gbpusd", str(folder / "bundle"), {}))
    return folder


def command(stored, place, *more):
    bars, registry = str(stored / "bars"), str(stored / "registry")
    return ["paper", bars, "--registry", registry, "--place", str(place), *more]


def test_the_command_prints_paper_beside_the_backtest(stored, tmp_path, capsys):
    times = ("--from", "2024-03-12T18:30", "--to", "2024-03-12T19:29")
    assert cli.main(command(stored, tmp_path / "p", *times)) == 0
    printed = capsys.readouterr().out
    assert "backtest gross" in printed
    assert re.search(r"all +all .* -?0\.0\n", printed)
    for option in ("--from", "--to"):
        for time in ("noon", "0001-01-01", "9999-12-31"):
            assert cli.main(command(stored, tmp_path / "p", option, time)) == 2
            assert f"{option}: no time, got '{time}'" in capsys.readouterr().err
    assert cli.main(command(stored, tmp_path / "p", "--speed", "-1")) == 2


@pytest.mark.parametrize("absent", ["gbpusd", "eurusd"], ids=["traded", "of its panel"])
def test_bars_that_lack_a_pair_are_refused_before_the_replay(stored, tmp_path, capsys, absent):
    left = shutil.ignore_patterns(f"{absent}.parquet")
    shutil.copytree(stored / "bars", tmp_path / "bars", ignore=left)
    asked = command(stored, tmp_path / "p", "--to", "2024-03-12T19:29")
    asked[1] = str(tmp_path / "bars")
    assert cli.main(asked) == 2
    assert f"no bars of {absent}, got" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_bars_that_begin_after_the_last_minute_are_none(bundles, frames):
    late = {**frames, "eurusd": frames["eurusd"].loc[LAST + pd.Timedelta("1min") :]}
    with pytest.raises(ParameterError, match="no bars of eurusd, got eurgbp, gbpusd up to 2024-03"):
        backtest.check(late, bundles.values(), LAST)
    backtest.check(frames, bundles.values(), LAST)


def totals(printed):
    return printed.splitlines()[-2].split()


def test_days_of_an_earlier_replay_do_not_count(stored, tmp_path, capsys):
    place = tmp_path / "p"
    early = ("--from", "2024-03-11T12:00", "--to", "2024-03-11T12:59")
    late = ("--from", "2024-03-12T18:30", "--to", "2024-03-12T19:29")
    assert cli.main(command(stored, tmp_path / "fresh", *late)) == 0
    fresh = totals(capsys.readouterr().out)
    assert float(fresh[2]) > 0
    assert cli.main(command(stored, place, *early)) == 0
    assert float(totals(capsys.readouterr().out)[2]) > 0
    assert cli.main(command(stored, place, *late)) == 2
    assert "of another replay" in capsys.readouterr().err
    (place / "state.json").unlink()
    assert cli.main(command(stored, place, *late)) == 0
    assert totals(capsys.readouterr().out) == fresh
    for content in ("", "[]", "{}", '{"day": "2024-03-12", "accounts": [1]}'):
        (place / "days" / "2024-03-12.json").write_text(content)
        assert cli.main(command(stored, place, *late)) == 2
        assert "2024-03-12.json: damaged" in capsys.readouterr().err
    (place / "days" / "2024-03-12.json").unlink()
    assert cli.main(command(stored, place, *late)) == 2
    assert "2024-03-12.json: absent" in capsys.readouterr().err
    (place / "state.json").write_text("{")
    assert cli.main(command(stored, place, *late)) == 2
    assert "Remove the folder to begin anew" in capsys.readouterr().err
    with alone(place / ".lock", "busy"):
        assert cli.main(command(stored, place, *late)) == 2
    assert "in use, got another" in capsys.readouterr().err


@pytest.mark.fuzz
def test_a_command_that_is_killed_goes_on(stored, tmp_path):
    times = ("--from", "2024-03-12T18:30", "--to", "2024-03-12T19:29")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = [sys.executable, "-m", "bqx", *command(stored, tmp_path / "a", *times)]
    slow = subprocess.Popen([*child, "--speed", "600"], env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if (tmp_path / "a" / "state.json").exists():
                break
            with pytest.raises(subprocess.TimeoutExpired):
                slow.wait(0.1)
    finally:
        slow.send_signal(signal.SIGKILL)
        slow.wait(10)
    subprocess.run(child, env=environment, check=True, timeout=300, stdout=subprocess.DEVNULL)
    assert cli.main(command(stored, tmp_path / "b", *times)) == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert json.loads((tmp_path / "a" / "state.json").read_text())["trader"]["minute"]
