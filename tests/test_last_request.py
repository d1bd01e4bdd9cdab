"""What a run asks of its server, whatever holes the bars have."""

import numpy as np
import pandas as pd
import pytest
from learned import PARAMS, learn

from bqx.errors import ArtefactError
from bqx.learning import bundle
from bqx.learning.bundle import Bundle
from bqx.market.bars import Bars, align
from bqx.serving import live
from bqx.stages import last_request


@pytest.fixture(scope="module")
def packed() -> Bundle:
    learned = learn("strong", 1)
    return bundle.bundle(learned.bars, learned.result.fits[-1], PARAMS, {})


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    bars = learn("strong", 1).bars
    return bars.frame.drop(columns="filled").ffill().iloc[:9_000]


def holes(rows: int, share: float, longest: int, seed: int) -> np.ndarray:
    """Which rows are absent: stretches of up to so many, until they are a share of all."""
    rng, gone = np.random.default_rng(seed), np.zeros(rows, bool)
    while gone.mean() < share:
        start = int(rng.integers(rows))
        gone[start : start + int(rng.integers(1, longest + 1))] = True
    # The baseline of the bundle.
    gone[0] = False
    return gone


def on_grid(frame: pd.DataFrame) -> dict[str, Bars]:
    return align({"eurusd": frame}, PARAMS.max_fill)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("longest", [1, 14, 40, 150, 900])
def test_the_last_minute_that_can_be_answered_is_asked(
    packed: Bundle, frame: pd.DataFrame, longest: int, seed: int
) -> None:
    kept = frame[~holes(len(frame), 0.3, longest, seed)]
    grid = on_grid(kept)
    bars, closes, panel = last_request.sent(grid, packed)
    answer = live.forecast(packed, closes, panel)
    assert answer["timestamp"] == bars.ts[-1].isoformat()
    level = {str(h): p.level for h, p in packed.predict(bars).items()}
    assert {h: p["level"] for h, p in answer["predictions"].items()} == level
    # No later bar could have been asked for.
    for ts in kept.index[kept.index > bars.ts[-1]]:
        with pytest.raises(live.RequestError):
            live.forecast(packed, kept.loc[:ts])


def test_a_hole_at_the_start_of_what_is_read_is_carried(
    packed: Bundle, frame: pd.DataFrame
) -> None:
    oldest = len(frame) - packed.lookback
    kept = frame.drop(frame.index[oldest - 8 : oldest + 5])
    bars, closes, panel = last_request.sent(on_grid(kept), packed)
    assert closes.index[0] == frame.index[oldest - 9]
    found = live.forecast(packed, closes, panel)["predictions"]
    assert {int(h): p["level"] for h, p in found.items()} == {
        h: p.level for h, p in packed.predict(bars).items()
    }


def test_bars_that_can_never_be_answered_are_named(packed: Bundle, frame: pd.DataFrame) -> None:
    with pytest.raises(ArtefactError, match="no minute of eurusd can be answered, got [1-9]"):
        last_request.sent(on_grid(frame.iloc[: packed.lookback - 1]), packed)
    with pytest.raises(ArtefactError, match="no minute of eurusd can be answered, got 0 "):
        last_request.sent(on_grid(frame[np.arange(len(frame)) % 100 < 70]), packed)
