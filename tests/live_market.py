"""A small market of several pairs and bundles that read it, for tests of what is live."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from bqx.features import catalog, lags
from bqx.features.engine.fitting import fit
from bqx.features.lags import Column
from bqx.learning.bundle import Bundle
from bqx.learning.conformal import GROUPS, Calibration
from bqx.learning.models import make
from bqx.market import bars as bar_frames
from bqx.market import sessions, simulated
from bqx.market.bars import Bars
from bqx.params import Params

PAIRS = ("eurgbp", "eurusd", "gbpusd")
HORIZONS = (15, 30, 45, 60, 75)
NOW = {"latency_ms": 0, "minutes_behind": 0}
"""What of an answer depends on when it is given."""
START, DAYS = "2024-03-03", 14
Frames = dict[str, pd.DataFrame]


@cache
def frames(pairs: tuple[str, ...] = PAIRS, days: int = DAYS) -> Frames:
    """From a Sunday over a weekend with a clock change, with volume, spread and holes."""
    sent = simulated.simulate("null", pairs, START, days=days, seed=5).frames
    rng = np.random.default_rng(5)
    out = {}
    for pair, frame in sent.items():
        kept = rng.random(len(frame)) > 0.01
        for start in rng.integers(100, len(frame) - 100, 8):
            kept[start : start + rng.integers(2, 22)] = False
        frame = frame.assign(
            volume=rng.integers(0, 90, len(frame)).astype(float),
            spread=rng.integers(1, 5, len(frame)) * 1e-5,
        )
        out[pair] = bar_frames.validate(frame[kept], pair)
    return out


def until(sent: Frames, ts: pd.Timestamp, first: pd.Timestamp | None = None) -> dict[str, Bars]:
    """The batch's bars when nothing after ``ts`` is known."""
    known = {pair: frame.loc[first:ts] for pair, frame in sent.items()}
    known = {pair: frame for pair, frame in known.items() if len(frame)}
    since = min(frame.index[0] for frame in known.values())
    ends = sessions.epoch_minutes(pd.DatetimeIndex([since, ts]))
    return bar_frames.join(
        {
            pair: Bars(
                pair,
                bar_frames.to_grid(frame, int(ends[0]), int(ends[1])),
                bar_frames.baseline(sent[pair]),
            )
            for pair, frame in known.items()
        }
    )


def columns_of(pair: str, pairs: tuple[str, ...]) -> tuple[Column, ...]:
    """Some columns of every kind: each pair's own, with lags, of other pairs, and fitted ones."""
    core = [f for f in catalog.profile() if f.lookback <= 1_500]
    number = pairs.index(pair)
    plain = core[number :: max(len(core) // 12, 1)][:12]
    crossed = [f for f in catalog.profile("full") if f.source.key == "triangle"][:3]
    fitted = [f for f in core if f.fit_key][number : number + 1]
    own = [Column(f) for f in plain]
    own += [Column(f, lag, f"_lag{lag}") for f, lag in zip(plain, (60, 240) * 6, strict=False)]
    return (*own, *(Column(f) for f in (*crossed, *fitted) if f not in plain))


@cache
def bundles(pairs: tuple[str, ...] = PAIRS, days: int = DAYS, **settings: Any) -> dict[str, Bundle]:
    """A bundle of every pair: boosted trees or a line, taught labels drawn from its columns."""
    grids = bar_frames.align(frames(pairs, days))
    rows = np.arange(3_000, min(len(grids[pairs[0]]), 6_500), 11)
    return {pair: _bundle(pair, pairs, grids, rows) for pair in pairs}


def _bundle(
    pair: str, pairs: tuple[str, ...], grids: dict[str, Bars], rows: "np.ndarray"
) -> Bundle:
    columns = columns_of(pair, pairs)
    fits = fit(grids[pair], [column.feature for column in columns], rows)
    x = lags.matrix(grids[pair], columns, rows, fits)
    rng = np.random.default_rng(pairs.index(pair))
    y = rng.normal(size=(len(rows), len(HORIZONS)))
    params = Params(rounds=20, depth=3, learning_rate=0.3)
    model = make(("ridge", "xgboost")[pairs.index(pair) % 2], params)
    start = tuple(rng.uniform(1, 2, GROUPS).tolist())
    others = {p: grids[p].baseline for p in pairs if p != pair}
    return Bundle(
        pair=pair,
        horizons=HORIZONS,
        window=15,
        columns=columns,
        fits=fits,
        betas={horizon: 1.0 if horizon != 30 else 0.0 for horizon in HORIZONS},
        model=model.fit(x, y),
        calibration={h: Calibration((1e-4, 2e-4), start, 1.0, 0.9) for h in HORIZONS},
        baseline=grids[pair].baseline,
        panel=others if any(c.feature.source.key == "triangle" for c in columns) else {},
        max_fill=15,
        metrics={"skill": _skills()},
        trained_until=grids[pair].ts[rows[-1]],
    )


def _skills() -> list[dict[str, Any]]:
    return [{"horizon": h, "skill": 1e-3, "skill_lo": -1e-3, "skill_hi": 2e-3} for h in HORIZONS]


def fed(sent: Frames, stamps: Sequence[pd.Timestamp]) -> list[tuple[pd.Timestamp, str, dict]]:
    """Bars of all pairs at some times, in their order."""
    rows = []
    for ts in stamps:
        for pair, frame in sent.items():
            if ts in frame.index:
                rows.append((ts, pair, frame.loc[ts].to_dict()))
    return rows
