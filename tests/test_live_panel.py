"""A panel that is fed bar by bar forecasts what the batch forecasts, bit for bit."""

import numpy as np
import pandas as pd
import pytest
from live_market import HORIZONS, PAIRS, bundles, fed, frames, until

from bqx.errors import ArtefactError, BarError, RequestError
from bqx.features import lags
from bqx.learning import targets
from bqx.learning.models import point
from bqx.market import sessions
from bqx.serving import live_state
from bqx.serving.live_panel import FedBar, LivePanel


def minute(ts):
    return ts.value // 60_000_000_000


def bars_of(sent, stamps):
    return [FedBar(pair, minute(ts), bar) for ts, pair, bar in fed(sent, stamps)]


def raw(frame):
    index = pd.DatetimeIndex(frame.index)
    return sessions.epoch_minutes(index), frame.to_numpy().T


def begun(sent, ts, chosen=None):
    """A panel after a history until ``ts``."""
    panel = LivePanel(chosen or bundles())
    panel.start({pair: raw(frame.loc[:ts]) for pair, frame in sent.items()})
    return panel


def batch(bundle, bars):
    """Forecasts of the last row as training and judging make them, from whole series."""
    last = np.array([len(bars) - 1])
    x = lags.matrix(bars, bundle.columns, last, bundle.fits)
    forecasts = point(bundle.model.predict(x))[0]
    out = {}
    for horizon, forecast in zip(bundle.horizons, forecasts, strict=True):
        target = targets.make(bars, 15, horizon)
        beta = bundle.betas[horizon]
        innovation = float(beta * forecast) if beta else 0.0
        level = target.from_innovation(np.full(len(bars), innovation), "level")[-1]
        width = target.sigma[-1:] * bundle.calibration[horizon].at(
            bars.minutes[-1:], target.sigma[-1:]
        )
        out[horizon] = (level, level - width[0], level + width[0], target.martingale[-1])
    return out


def same(forecast, expected):
    assert list(forecast.predictions) == list(expected)
    for horizon, prediction in forecast.predictions.items():
        values = prediction.level, prediction.low, prediction.high, prediction.martingale
        np.testing.assert_array_equal(values, expected[horizon])


@pytest.fixture(scope="module")
def sent():
    return frames()


def grid_of(sent):
    return sessions.timestamps(sessions.grid(*(minute(sent["eurusd"].index[i]) for i in (0, -1))))


@pytest.mark.parametrize("start", [3_900, 7_150, 9_300])
def test_every_minute_gives_what_the_batch_gives(sent, start):
    # On a plain day, over the weekend with its clock change, and a week later.
    grid = grid_of(sent)
    panel = begun(sent, grid[start - 1])
    compared = set()
    for step, ts in enumerate(grid[start : start + 80]):
        panel.feed(bars_of(sent, [ts]))
        panel.refresh()
        holed = any(ts not in sent[pair].index for pair in PAIRS)
        if step % 19 and not (holed and step % 3 == 0):
            continue
        bars = until(sent, ts)
        for pair in PAIRS:
            if ts not in sent[pair].index:
                continue
            expected = batch(bundles()[pair], bars[pair])
            if np.isnan(expected[15][0]):
                with pytest.raises(RequestError, match="no volatility"):
                    panel.newest(pair)
                continue
            assert panel.newest(pair).minute == minute(ts)
            same(panel.newest(pair), expected)
            compared.add((pair, ts))
    assert len(compared) >= 12
    assert panel.counts["taken"] > 200
    assert sum(panel.counts.values()) == panel.counts["taken"]


def told(panel, pair):
    """What a panel says of a pair."""
    try:
        forecast = panel.newest(pair)
    except RequestError as error:
        return str(error)
    return forecast.minute, forecast.predictions, forecast.signals


def alike(one, other):
    """Two panels say the same of all pairs."""
    for panel in (one, other):
        panel.refresh()
    for pair in PAIRS:
        assert told(one, pair) == told(other, pair)
    assert not isinstance(told(one, "eurusd"), str)


def test_the_order_in_which_bars_come_does_not_matter(sent):
    grid = grid_of(sent)
    stamps = grid[5_000:5_120]
    straight, shuffled = begun(sent, grid[4_999]), begun(sent, grid[4_999])
    straight.feed(bars_of(sent, stamps))
    bars = bars_of(sent, stamps)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(bars)).tolist()
    # Some come twice, some wrong first and right later.
    wrong = [
        FedBar(b.pair, b.minute, {name: value * 1.001 for name, value in b.bar.items()})
        for b in (bars[i] for i in order[::9])
    ]
    shuffled.feed([*wrong, *(bars[i] for i in order), *(bars[i] for i in order[::7])])
    alike(straight, shuffled)
    counts = shuffled.counts
    assert counts["corrected"] == len(wrong)
    assert counts["duplicate"] == len(order[::7])
    assert counts["late"] > 100
    assert counts["taken"] + counts["late"] == len(bars)


def test_a_correction_changes_what_reads_it(sent):
    grid = grid_of(sent)
    panel = begun(sent, grid[5_000])
    panel.refresh()
    before = panel.newest("eurusd").predictions
    ts = sent["eurusd"].index[sent["eurusd"].index <= grid[5_000]][-40]
    other = {name: value * 1.002 for name, value in sent["eurusd"].loc[ts].items()}
    panel.feed([FedBar("eurusd", minute(ts), other)])
    panel.refresh()
    assert panel.counts["corrected"] == 1
    changed = sent | {"eurusd": sent["eurusd"].copy()}
    changed["eurusd"].loc[ts] = pd.Series(other)
    bars = until(changed, grid[5_000])
    assert panel.newest("eurusd").predictions != before
    for pair in PAIRS:
        if grid[5_000] in sent[pair].index:
            same(panel.newest(pair), batch(bundles()[pair], bars[pair]))


def test_an_earlier_minute_is_answered_as_it_was(sent):
    grid = grid_of(sent)
    panel = begun(sent, grid[9_000])
    rng = np.random.default_rng(2)
    for ts in grid[rng.integers(9_000 - 1_300, 9_000, 12)]:
        for pair in PAIRS:
            if ts not in sent[pair].index:
                with pytest.raises(RequestError, match="no bar of"):
                    panel.at(pair, minute(ts))
                continue
            expected = batch(bundles()[pair], until(sent, ts)[pair])
            if np.isnan(expected[15][0]):
                with pytest.raises(RequestError, match="no volatility"):
                    panel.at(pair, minute(ts))
                continue
            same(panel.at(pair, minute(ts)), expected)
    with pytest.raises(RequestError, match="no bar of eurusd"):
        panel.at("eurusd", minute(grid[100]))


GOOD = {"open": 1.1, "high": 1.2, "low": 1.0, "close": 1.15}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"pair": "audusd"}, "unknown"),
        ({"pair": "nothing"}, "unknown"),
        ({"bar": GOOD | {"high": 0.9}}, "refused"),
        ({"bar": GOOD | {"close": float("nan")}}, "refused"),
        ({"bar": {"open": 1.1}}, "refused"),
        ({"bar": dict.fromkeys(GOOD, 110.0)}, "refused"),
        ({"bar": dict.fromkeys(GOOD, 1.9)}, "refused"),
        ({"bar": dict.fromkeys(GOOD, 0.6), "minute": minute(grid_of(frames())[4_000])}, "refused"),
        ({"bar": GOOD | {"spread": 1.2}}, "refused"),
        ({"minute": minute(pd.Timestamp("2024-03-09 12:00", tz="UTC"))}, "closed"),
        ({"minute": minute(pd.Timestamp("2050-03-09 12:00", tz="UTC"))}, "future"),
        ({"minute": minute(pd.Timestamp("1995-03-09 12:00", tz="UTC"))}, "too_old"),
    ],
)
def test_what_is_no_bar_of_the_panel_leaves_it_alone(sent, change, name):
    grid = grid_of(sent)
    panel, untouched = begun(sent, grid[5_000]), begun(sent, grid[5_000])
    bar = {"pair": "eurusd", "minute": minute(grid[5_001]), "bar": GOOD}
    panel.feed([FedBar(**(bar | change))])
    assert panel.counts[name] == sum(panel.counts.values()) == 1
    assert name != "refused" or panel.refusal.endswith((".", "rows)."))
    alike(panel, untouched)


def test_a_pair_without_a_bar_keeps_the_forecast_of_its_last_one(sent, monkeypatch):
    grid = grid_of(sent)
    panel = begun(sent, grid[5_000])
    panel.refresh()
    before = {pair: panel.newest(pair) for pair in PAIRS}
    later = [ts for ts in grid[5_001:5_040] if ts in sent["gbpusd"].index][:20]
    panel.feed(bars_of({"gbpusd": sent["gbpusd"]}, later))
    panel.refresh()
    assert panel.newest("eurusd") == before["eurusd"]
    assert panel.newest("gbpusd").minute == minute(later[-1])
    newest = panel.newest("gbpusd")
    monkeypatch.setattr("time.time", lambda: 60.0 * (newest.minute + 2) - 0.5)
    assert newest.minutes_behind == 0
    assert before["eurusd"].minutes_behind >= 20
    # A feed that has died.
    monkeypatch.setattr("time.time", lambda: 60.0 * (newest.minute + 10))
    assert newest.minutes_behind == 9
    assert panel.window.waiting == ("eurgbp", "eurusd")


def test_an_outage_longer_than_the_window_starts_anew(sent):
    panel = begun(sent, grid_of(sent)[3_000])
    panel.refresh()
    panel.feed([FedBar("eurusd", minute(pd.Timestamp("2025-07-01 12:00", tz="UTC")), GOOD)])
    panel.refresh()
    assert len(panel.window) == 1
    with pytest.raises(RequestError, match="bars: too few, got 1 market minutes"):
        panel.newest("eurusd")


def test_before_any_bar_there_is_no_forecast(sent):
    panel = LivePanel(bundles())
    panel.refresh()
    for ask in (lambda: panel.newest("eurusd"), lambda: panel.at("eurusd", 28_000_000)):
        with pytest.raises(RequestError, match="no bar"):
            ask()
    with pytest.raises(BarError, match="no bars of the served pairs, got audusd"):
        panel.start({"audusd": raw(sent["eurusd"])})


def test_all_horizons_have_a_signal(sent):
    panel = begun(sent, grid_of(sent)[5_000])
    panel.refresh()
    for pair in PAIRS:
        signals = panel.newest(pair).signals
        assert tuple(signals) == HORIZONS
        # Its forecast is not kept, so nothing is expected.
        assert (signals[30].side, signals[30].move) == ("HOLD", 0.0)
        assert all(signal.cost > 0 for signal in signals.values())


@pytest.fixture(scope="module")
def state(sent, tmp_path_factory):
    """A panel with a hole at the end of two pairs, and its state on disk."""
    grid = grid_of(sent)
    panel = begun(sent, grid[5_000])
    stop = next(ts for ts in grid[5_001:] if all(ts in sent[pair].index for pair in PAIRS))
    panel.feed(bars_of({"gbpusd": sent["gbpusd"]}, [stop]))
    path = tmp_path_factory.mktemp("state") / "live.npz"
    live_state.save(panel, path)
    return panel, path, grid


def test_a_saved_panel_goes_on_where_it_was(sent, state):
    panel, path, grid = state
    restored = LivePanel(bundles())
    live_state.restore(restored, path)
    alike(panel, restored)
    for other in (panel, restored):
        other.feed(bars_of(sent, grid[5_001:5_030]))
    alike(panel, restored)


def test_other_bundles_take_over_the_bars_that_are_there(sent, state):
    panel = LivePanel({"eurusd": bundles()["eurusd"]})
    live_state.restore(panel, state[1])
    panel.refresh()
    with pytest.raises(RequestError, match="gbpusd: no bar yet"):
        panel.newest("gbpusd")
    panel = LivePanel(bundles())
    live_state.restore(panel, state[1])
    again = dict(bundles())
    panel.serve({"eurusd": again["eurusd"]})
    panel.serve(again)
    fresh = LivePanel(bundles())
    live_state.restore(fresh, state[1])
    alike(panel, fresh)


@pytest.mark.parametrize("damage", ["cut", "byte", "empty", "text", "folder", "absent", "object"])
def test_a_state_that_is_none_is_refused_in_one_line(state, tmp_path, damage):
    path, content = tmp_path / "live.npz", state[1].read_bytes()
    if damage == "folder":
        path.mkdir()
    elif damage == "object":
        with path.open("wb") as file:
            np.savez(file, pairs=np.array([{}], dtype=object), minutes=[], sent=[], hash="")
    elif damage != "absent":
        flipped = content[:9_000] + bytes([content[9_000] ^ 1]) + content[9_001:]
        kinds = {"cut": content[:-500], "byte": flipped, "empty": b"", "text": b"{}"}
        path.write_bytes(kinds[damage])
    panel = LivePanel(bundles())
    with pytest.raises(ArtefactError, match="no state of a live server") as error:
        live_state.restore(panel, path)
    assert "\n" not in str(error.value)
    assert len(panel.window) == 0


@pytest.mark.fuzz
def test_ten_thousand_minutes_are_the_batchs(sent):
    """Fed bar by bar over holes, a weekend and a clock change, every minute at which all pairs have
    a bar is that of series computed at once."""
    grid, start = grid_of(sent), 600
    last = {pair: frame.index[-1] for pair, frame in sent.items()}
    history = until(sent, max(last.values()), first=sent["eurusd"].index[0])
    ts = history["eurusd"].ts
    rows = np.arange(len(ts))
    expected = {}
    for pair, bundle in bundles().items():
        x = lags.matrix(history[pair], bundle.columns, rows, bundle.fits)
        forecasts = point(bundle.model.predict(x))
        for number, horizon in enumerate(bundle.horizons):
            target = targets.make(history[pair], 15, horizon)
            beta = bundle.betas[horizon]
            innovation = beta * forecasts[:, number] if beta else np.zeros(len(rows))
            level = target.from_innovation(innovation, "level")
            width = target.sigma * bundle.calibration[horizon].at(
                history[pair].minutes, target.sigma
            )
            expected[pair, horizon] = np.array([level, level - width, level + width])
    panel = begun(sent, grid[start - 1])
    lookback = max(bundle.lookback for bundle in bundles().values())
    rng = np.random.default_rng(4)
    compared = 0
    for stamp in grid[start:]:
        bars = bars_of(sent, [stamp])
        rng.shuffle(bars)
        panel.feed(bars)
        panel.refresh()
        row = ts.get_loc(stamp)
        if len(bars) < len(PAIRS) or row < lookback:
            continue
        for pair in PAIRS:
            if np.isnan(expected[pair, 15][0, row]):
                with pytest.raises(RequestError, match="no volatility"):
                    panel.newest(pair)
                continue
            for horizon, prediction in panel.newest(pair).predictions.items():
                values = prediction.level, prediction.low, prediction.high
                np.testing.assert_array_equal(values, expected[pair, horizon][:, row])
                compared += 1
    print(f"{compared:,} forecasts compared")
    assert compared > 80_000
