"""Series that are kept between minutes: what they are of, and what a live window makes of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise, product

import numba
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from twins import FITS

from bqx.features import catalog
from bqx.features.engine import newest_calls
from bqx.features.engine.compute import compute
from bqx.features.engine.live_window import LiveWindow
from bqx.features.engine.requirements import bars_of, walk
from bqx.features.rolling.panels import OfPairs
from bqx.features.spec import Family, Feature, Source, read
from bqx.features.steps import Steps
from bqx.market import sessions
from bqx.market.bar_arrays import on_grid
from bqx.market.bars import COLUMNS, Bars, Panel
from bqx.market.pairs import PAIRS

ROWS = 3_200
LONGEST = 9_300
"""Rows behind which what goes on from a state has a value, whatever its run-in."""
PAIRS_HERE = ("audusd", "eurusd", "gbpusd", "usdjpy")
FEATURES = tuple(catalog.profile())


@pytest.fixture(scope="module")
def bars() -> Bars:
    return some_bars(ROWS)


@pytest.fixture(scope="module")
def many_bars() -> Bars:
    return some_bars(LONGEST)


def some_bars(rows: int) -> Bars:
    whole = bars_of("eurusd", walk(rows))
    # Highs and lows of their own: those of opens and closes alone have no swing.
    apart = 1.0 + 1e-4 * np.random.default_rng(1).random((2, rows))
    high, low = whole.frame["high"] * apart[0], whole.frame["low"] / apart[1]
    return replace(whole, frame=whole.frame.assign(high=high, low=low))


def sources() -> list[Source]:
    """Sources whose kernels read rows, and not only what the source has made."""
    families = {id(feature.family): feature.family for feature in FEATURES}.values()
    found = [s for f in families if f.kernel is not read for s in f.sources if not s.inputs]
    return list({id(source): source for source in found}.values())


def families(part: str) -> list[Family]:
    every = {id(feature.family): feature.family for feature in catalog.profile()}.values()
    return [family for family in every if getattr(family, part) is not None]


def test_a_row_of_a_source_depends_on_so_many_bars(bars: Bars) -> None:
    assert len(sources()) > 40
    for source in sources():
        whole, reach = source.build(bars), max(source.lookback, source.reach, 1)
        for stop in (ROWS, ROWS - 7, ROWS - 31):
            alone = source.build(bars.rows(stop - reach, stop))[-1]
            np.testing.assert_array_equal(alone, whole[stop - 1], err_msg=source.key)


@dataclass(frozen=True)
class Seen(Panel):
    """A panel that remembers what series were made of it."""

    made: dict[str, tuple[int, Callable[[Bars], NDArray[np.float64]]]] = field(default_factory=dict)

    def moving(
        self, key: str, reach: int, make: Callable[[Bars], NDArray[np.float64]], bars: Bars
    ) -> NDArray[np.float64]:
        self.made[key] = reach, make
        return np.asarray(super().moving(key, reach, make, bars))


def test_a_row_of_a_series_of_the_panel_depends_on_so_many_bars(bars: Bars) -> None:
    assert bars.panel is not None
    seen = Seen(bars.panel.closes, bars.panel.baselines)
    whole = replace(bars, panel=seen)
    for source in {id(f.source): f.source for f in FEATURES if not f.source.inputs}.values():
        source.build(whole)
    assert len(seen.made) > 15
    for key, (reach, make) in seen.made.items():
        every = make(whole)
        assert np.isfinite(every[-1]).any(), key
        for stop in (ROWS, ROWS - 7, ROWS - 31):
            alone = make(bars.rows(stop - reach, stop))[-1]
            np.testing.assert_array_equal(alone, every[stop - 1], err_msg=key)


def test_several_pairs_at_once_are_each_alone(bars: Bars) -> None:
    builds = {id(f.source): f.source for f in FEATURES if isinstance(f.source.build, OfPairs)}
    assert len(builds) > 20
    for source in builds.values():
        build = source.build
        assert isinstance(build, OfPairs)
        together = build.make(bars, PAIRS_HERE, 50)
        for pair, own in zip(PAIRS_HERE, together, strict=True):
            np.testing.assert_array_equal(own, build(replace(bars, pair=pair))[-50:])


def series(bars: Bars, family: Family, source: Source) -> NDArray[np.float64]:
    return np.ascontiguousarray(source.build(bars), dtype=np.float64)


def fits_of(source: Source, family: Family) -> list[NDArray[np.float64]]:
    return [FITS[f"{source.key}_{family.name}"]] if family.fit else []


def stated() -> list[Family]:
    return [f for f in families("steps") if f.steps and f.steps.begin]


@pytest.mark.parametrize("family", [f for f in families("steps") if f not in stated()])
def test_two_steps_make_the_kernel(bars: Bars, family: Family) -> None:
    steps, first = family.steps, bars.first_market_minute
    assert steps is not None
    for source in family.sources:
        x = series(bars, family, source)
        for window in family.windows:
            fits = fits_of(source, family)
            y = np.ascontiguousarray(steps.first(x, first, *window, *fits))
            whole = family.kernel(x, first, *window, *fits)
            np.testing.assert_array_equal(steps.last(y, first, *window), whole)
            assert np.isfinite(whole[-1]).any()
            # A row of either depends on no more rows than it says.
            behind = len(x) - steps.rows(*window)
            alone = steps.first(x[behind:], first + behind, *window, *fits)[-1]
            np.testing.assert_array_equal(alone, y[-1])
            behind = len(y) - steps.reads(*window)
            alone = steps.last(y[behind:], first + behind, *window)[-1]
            np.testing.assert_array_equal(alone, whole[-1])


@pytest.mark.parametrize("family", stated())
def test_a_state_goes_on_as_the_kernel_does(many_bars: Bars, family: Family) -> None:
    bars, steps, first = many_bars, family.steps, many_bars.first_market_minute
    assert steps is not None
    assert steps.begin is not None
    for source, window in product(family.sources, family.windows):
        x = series(bars, family, source).copy()
        x[1_000] = np.nan
        fits = fits_of(source, family)
        state = steps.begin(*window, *fits)
        cuts = [
            *np.sort(np.random.default_rng(3).choice(len(x) - 8, 40)),
            *range(len(x) - 8, len(x)),
        ]
        parts = [
            gone_on(steps, x[start:stop], first + start, window, state)
            for start, stop in pairwise([0, *cuts, len(x)])
        ]
        y, whole = np.concatenate(parts), family.kernel(x, first, *window, *fits)
        np.testing.assert_array_equal(steps.last(y, first, *window), whole)
        assert np.isfinite(whole[-1]).any()
        behind = len(x) - steps.rows(*window)
        state = steps.begin(*window, *fits)
        alone = gone_on(steps, x[behind:], first + behind, window, state)[-1]
        np.testing.assert_array_equal(alone, y[-1])


def gone_on(
    steps: Steps,
    x: NDArray[np.float64],
    first: int,
    window: tuple[int, ...],
    state: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Rows of a first step, from a state that they move on."""
    if not steps.abreast:
        return np.asarray(steps.first(x, first, *window, state))
    rows, of_pairs = x.reshape(len(x), -1, 1), state.reshape(-1, 1)
    every = [steps.first(row, first + i, *window, of_pairs) for i, row in enumerate(rows)]
    return np.array(every)[:, :, 0]


@pytest.mark.parametrize("family", [f for f in stated() if f.steps and f.steps.abreast])
def test_pairs_go_on_side_by_side_as_each_does(bars: Bars, family: Family) -> None:
    steps = family.steps
    assert steps is not None
    assert steps.begin is not None
    for source, window in product(family.sources, family.windows):
        x = series(bars, family, source)[-700:].reshape(700, -1)
        pairs = np.stack([x, x[::-1], 1.0 - 2.0 * x], axis=2)
        pairs[300, :, 1] = np.nan
        begun = steps.begin(*window, *fits_of(source, family))
        states = np.repeat(begun[:, None], 3, axis=1)
        y = np.array([steps.first(row, 77 + i, *window, states) for i, row in enumerate(pairs)])
        for k in range(3):
            alone = gone_on(steps, pairs[:, :, k], 77, window, begun.copy())
            np.testing.assert_array_equal(y[:, :, k], alone)


@pytest.mark.parametrize("family", families("abreast"))
def test_several_series_abreast_are_each_alone(family: Family) -> None:
    assert family.abreast is not None
    rows, closes = family.lookback(), walk(400)[:, :21].T
    closes[3, -5] = np.nan
    closes[4] = 1.0
    together = family.abreast(closes[:, -rows:])
    alone = [family.kernel(x.copy(), 0)[-1] for x in closes]
    np.testing.assert_array_equal(together, alone)
    assert np.isnan(family.abreast(closes[:, : rows - 1])).all()


class Feed:
    """Random bars of some pairs, minute by minute: holes, long holes, other scales, late bars."""

    def __init__(self, seed: int, pairs: tuple[str, ...], longest: int) -> None:
        self.rng, self.pairs, self.longest = np.random.default_rng(seed), pairs, longest
        self.minute = int(sessions.epoch_minutes(pd.DatetimeIndex(["2024-03-06 12:00+00:00"]))[0])
        self.close = {pair: 1.0 + i for i, pair in enumerate(pairs)}
        self.silent = dict.fromkeys(pairs, 0)

    def bar(self, pair: str) -> dict[str, float]:
        opened = self.close[pair]
        close = opened * np.exp(self.rng.normal(0.0, 2e-4))
        if self.rng.random() < 0.0004:
            # From yen to euros and back: four decades.
            close = opened * (1e-4 if opened > 50.0 else 1e4)
        self.close[pair] = close
        edges = sorted((opened, close))
        return {
            "open": opened, "high": edges[1] * 1.0001, "low": edges[0] * 0.9999, "close": close,
            "volume": float(self.rng.integers(0, 90)), "spread": close * 1e-5,
        }  # fmt: skip

    def minutes(self, count: int) -> Iterator[tuple[int, dict[str, dict[str, float]]]]:
        for minute in sessions.grid(self.minute, self.minute + 2 * count + 4 * sessions.DAY)[
            :count
        ]:
            sent = {}
            for pair in self.pairs:
                if self.silent[pair]:
                    self.silent[pair] -= 1
                elif self.rng.random() < 0.02:
                    self.silent[pair] = min(
                        int(self.rng.choice([0, 1, 3, 14, 15, 40])), self.longest
                    )
                else:
                    sent[pair] = self.bar(pair)
            self.minute = int(minute) + 1
            yield int(minute), sent


def anew(window: LiveWindow, features: tuple[Feature, ...]) -> LiveWindow:
    """A window that starts from what another one was sent."""
    other = LiveWindow(features, window.baselines, fits=window.fits)
    other.restart(window.pairs, *window.sent())
    return other


def batch(window: LiveWindow, features: tuple[Feature, ...]) -> NDArray[np.float32]:
    """What the batch makes of what a window was sent."""
    minutes, sent = window.sent()
    columns = []
    for own in sent:
        there = ~np.isnan(own[3])
        columns.append(on_grid(minutes[there], own[:, there], minutes, 15))
    closes, baselines = np.full((len(minutes), len(PAIRS)), np.nan), np.full(len(PAIRS), np.nan)
    for pair, own in zip(window.pairs, columns, strict=True):
        closes[:, PAIRS.index(pair)] = own[3]
        baselines[PAIRS.index(pair)] = window.baselines[pair]
    panel = Panel(closes, baselines)
    rows = []
    for pair, own in zip(window.pairs, columns, strict=True):
        frame = pd.DataFrame(
            own[:6].T, index=sessions.timestamps(minutes), columns=list(COLUMNS)
        ).assign(filled=own[6] == 1.0)
        pair_bars = Bars(pair, frame, window.baselines[pair], panel)
        rows.append(compute(pair_bars, features, last=1, fits=FITS)[-1])
    return np.array(rows)


def push(window: LiveWindow, minute: int, sent: dict[str, dict[str, float]]) -> None:
    window.push(sessions.timestamps(np.array([minute]))[0], sent)


def correct(window: LiveWindow, feed: Feed) -> None:
    """A bar that comes late or anew."""
    pair = str(feed.rng.choice(feed.pairs))
    row = len(window) - 1 - int(feed.rng.choice([0, 1, 7, 30, min(1_500, len(window) - 1)]))
    opened = feed.close[pair]
    window.put(pair, max(row, 0), np.array([opened, opened, opened, opened, 3.0, 1e-4 * opened]))


def run(
    feed: Feed, features: tuple[Feature, ...], *, history: int, minutes: int, each: int
) -> list[NDArray[np.float32]]:
    """Values of a live window over so many minutes, where they were compared with the batch."""
    compared = []
    window = LiveWindow(features, dict(feed.close), fits=dict.fromkeys(feed.pairs, FITS))
    for minute, sent in feed.minutes(history):
        push(window, minute, sent)
    window.values()
    for step, (minute, sent) in enumerate(feed.minutes(minutes)):
        push(window, minute, sent)
        if feed.rng.random() < 0.1:
            correct(window, feed)
        if feed.rng.random() < max(2.0 / minutes, 2e-4):
            window = anew(window, features)
        if feed.rng.random() < 0.1:
            continue  # a minute that nobody asks for
        values = window.values()
        np.testing.assert_array_equal(window.values(), values)
        if step % each == 0:
            # What was carried over the window's start nobody has sent.
            same = [f.lookback + window.max_fill < window.length for f in features]
            expected = batch(window, features)
            np.testing.assert_array_equal(values[:, same], expected[:, same], err_msg=str(minute))
            compared.append(values)
    return compared


def test_minutes_run_what_one_pair_and_the_first_minute_have_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds: set[tuple[numba.types.Type, ...]] = set()
    loop = newest_calls._run

    def seen(*arguments: object) -> None:
        kinds.add(tuple(map(numba.typeof, arguments)))
        loop(*arguments)

    monkeypatch.setattr(newest_calls, "_run", seen)
    going = tuple(f for f in FEATURES if f.family in stated())
    compiled = []
    for pairs, minutes in ((PAIRS_HERE[:1], 1), (PAIRS_HERE, 3)):
        feed = Feed(3, pairs, 3)
        window = LiveWindow(going, dict(feed.close), fits=dict.fromkeys(pairs, FITS))
        for minute, sent in feed.minutes(minutes):
            push(window, minute, sent)
            window.values()
        compiled.append(set(kinds))
    assert len(compiled[0]) > 3
    assert compiled[0] == compiled[1]


def test_a_window_begins_anew_with_a_shorter_history() -> None:
    before, after = Feed(5, PAIRS_HERE, 3), Feed(6, PAIRS_HERE, 3)
    some = FEATURES[::7]
    window = LiveWindow(some, dict(before.close), fits=dict.fromkeys(PAIRS_HERE, FITS))
    for minute, sent in before.minutes(2_500):
        push(window, minute, sent)
    window.values()
    short = LiveWindow(some, window.baselines, fits=window.fits)
    after.minute = before.minute + 200
    for minute, sent in after.minutes(300):
        push(short, minute, sent)
    window.restart(short.pairs, *short.sent())
    np.testing.assert_array_equal(window.values(), short.values())


@pytest.mark.parametrize("history", [1, 3_000])
def test_late_bars_restarts_and_scales_change_no_bit(history: int) -> None:
    feed = Feed(history, PAIRS_HERE, 40)
    assert len(run(feed, FEATURES, history=history, minutes=60, each=12)) >= 3


def test_what_goes_on_from_a_state_changes_no_bit() -> None:
    # Holes that are filled, so that there is a bar to correct where a state has read none.
    going = tuple(f for f in FEATURES if f.family in stated())
    longer = min((f for f in FEATURES if f.lookback > 400), key=lambda feature: feature.lookback)
    compared = run(Feed(2, PAIRS_HERE, 3), (*going, longer), history=600, minutes=300, each=3)
    assert np.isfinite(compared[-1]).mean() > 0.6


def test_what_reads_all_pairs_changes_no_bit() -> None:
    # A hole that is not filled would leave a day without a panel.
    across = tuple(f for f in FEATURES if f.domain == "cross" or f.family.kernel is read)
    longest = max(FEATURES, key=lambda feature: feature.lookback)
    compared = run(Feed(1, PAIRS, 3), (*across, longest), history=1_600, minutes=16, each=5)
    assert len(compared) >= 2
    assert np.isfinite(compared[-1]).mean() > 0.6


@pytest.mark.fuzz
def test_two_hundred_thousand_bars_change_no_bit() -> None:
    feed = Feed(0, PAIRS_HERE, 40)
    compared = run(feed, FEATURES, history=9_000, minutes=65_000, each=1_000)
    assert len(compared) > 50
