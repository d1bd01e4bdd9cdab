"""Notebook 01: bars of all pairs on one grid, from files or from the synthetic market."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd
import pyarrow as pa

from bqx.errors import ParameterError
from bqx.learning import targets
from bqx.market import bars as bar_frames
from bqx.market import planted, readers, sessions
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY, pip
from bqx.market.readers.folder import Reading
from bqx.market.simulated import Market, simulate
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.run import Run, Stage, digest
from bqx.stages import fetched
from bqx.stages import remarks as sentences
from bqx.trading import costs

NAME = "01_bars"

_HELD: WeakValueDictionary[tuple[Path, str], "Dataset"] = WeakValueDictionary()
"""Datasets in use, by folder and content: bars of all pairs are most of what a notebook holds."""


@dataclass(frozen=True)
class Dataset:
    """Bars of all pairs on one grid, and what is known of the market that made them.

    ``bars`` : by pair, most liquid first.
    ``market`` : ``{"mode", "seed", "attainable": {pair: {horizon: skill}}}``, None for files.
    ``coverage`` : one row per pair: rows, filled, holes, spread in pips, volatility in bp.
    ``examined`` : what was found of files, see `bqx.market.readers.survey.row`; ``notes`` to it.
    """

    bars: dict[str, Bars]
    market: dict[str, Any] | None
    coverage: pd.DataFrame
    examined: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def minutes(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """(T,) epoch minutes of the grid."""
        return next(iter(self.bars.values())).minutes


def _coverage(bars: Bars) -> dict[str, Any]:
    missing = np.isnan(bars.close)
    returns = np.diff(np.log(bars.close))
    returns = returns[np.isfinite(returns)]
    return {
        "rows": len(bars),
        "filled": int(bars.frame["filled"].sum()),
        "holes": int(missing.sum()),
        "baseline": bars.baseline,
        "volatility_bp": float(returns.std() * 1e4),
        "zero_returns": float((returns == 0).mean()),
        "spread_pips": float(np.nanmean(costs.spread(bars)) / pip(bars.pair)),
        "own_spread": bool(bars.frame["spread"].notna().any()),
    }


def build(params: Params) -> Dataset:
    """Read or simulate the bars, put them on one grid and store them.

    Raises
    ------
    BarError : a file that cannot be read, or bars that break the schema.
    ParameterError : no bars for a pair that was asked for.
    """
    run = Run.open(params.folder, params)
    path = fetched.fetch(params)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], [path.resolve()] if path else []) as stage:
        bars, simulated, reading = read_bars(params)
        table = reading.table if reading else pd.DataFrame()
        notes = tuple(reading.notes) if reading else ()
        coverage = {pair: _coverage(pair_bars) for pair, pair_bars in bars.items()}
        minutes = next(iter(bars.values())).minutes
        content = {
            "pairs": coverage,
            "market": (facts := _market_facts(simulated, bars, params) if simulated else None),
            "minutes": [int(minutes[0]), int(minutes[-1])],
            "examined": table.to_dict("records"),
            "notes": list(notes),
        }
        _write(stage, bars, simulated, content)
        stage.note(data_hash=digest(stage.outputs))
    return Dataset(bars, facts, _table(coverage), table, notes)


def read_bars(params: Params) -> tuple[dict[str, Bars], Market | None, Reading | None]:
    """Bars on one grid, and the synthetic market or the reading of files that they are of."""
    path, simulated, reading = params.bars_path, None, None
    if path:
        reading = readers.examine(path, params.pairs, **params.declared)
        frames = reading.frames
    else:
        pairs = params.pairs or LIQUIDITY
        simulated = simulate(params.market, pairs, params.start, days=params.days, seed=params.seed)
        frames = {
            pair: bar_frames.validate(frame, f"synthetic {pair}")
            for pair, frame in simulated.frames.items()
        }
    since = pd.Timestamp(params.baseline, tz="UTC") if params.baseline else None
    frames = {pair: frames[pair] for pair in LIQUIDITY if pair in frames}
    return bar_frames.align(frames, params.max_fill, since), simulated, reading


def _write(
    stage: Stage, bars: dict[str, Bars], simulated: Market | None, facts: dict[str, Any]
) -> None:
    for pair, pair_bars in bars.items():
        artefacts.BARS.write(stage, pair_bars.frame, pair=pair)
    if simulated is not None and simulated.planted is not None:
        artefacts.PLANTED.write(stage, simulated.planted)
    artefacts.DATASET.write(stage, facts)


def _market_facts(simulated: Market, bars: dict[str, Bars], params: Params) -> dict[str, Any]:
    facts: dict[str, Any] = {"mode": simulated.mode, "seed": params.seed, "attainable": {}}
    if simulated.planted is None:
        return facts
    for pair, pair_bars in bars.items():
        drift, decay = simulated.planted[[pair, "decay"]].reindex(pair_bars.ts).to_numpy().T
        facts["attainable"][pair] = {
            str(h): planted.attainable_skill(
                pair_bars.index,
                drift,
                decay,
                window=params.window(h),
                horizon=h,
                first_market_minute=pair_bars.first_market_minute,
            )
            for h in params.horizons
        }
    return facts


def _table(coverage: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(coverage, orient="index").rename_axis("pair").reset_index()


def load(run: Run) -> Dataset:
    """Dataset of a run folder; the same one for as long as it is held.

    Raises ArtefactError when notebook 01 has not written it.
    """
    facts = artefacts.DATASET.read(run)
    content = run.folder, run.manifest["data_hash"]
    if held := _HELD.get(content):
        return held
    bars = {}
    for pair in (name for name in LIQUIDITY if name in facts["pairs"]):
        frame = artefacts.BARS.read(run, pair=pair)
        bars[pair] = Bars(pair, frame, facts["pairs"][pair]["baseline"])
    bars = bar_frames.join(bars)
    # Arrow keeps the memory in which files were read, half as much again as the bars take.
    pa.default_memory_pool().release_unused()
    examined = pd.DataFrame(facts["examined"])
    read = Dataset(bars, facts["market"], _table(facts["pairs"]), examined, tuple(facts["notes"]))
    return _HELD.setdefault(content, read)


def remarks(dataset: Dataset, shares: pd.DataFrame, params: Params) -> list[str]:
    """What was noted as the bars were read, and what else can be said and done."""
    days = sentences.trading_days(dataset.minutes)
    return [*dataset.notes, *sentences.of_bars(dataset.coverage, days, shares, params.max_fill)]


def served(params: Params, bars: Mapping[str, Bars]) -> str:
    """Pair that is served: the one that was asked for, or the first.

    Raises ParameterError when the run has no bars of it.
    """
    pair = params.serve_pair or next(iter(bars))
    if pair not in bars:
        raise ParameterError(
            f"serve_pair: no bars, got {pair!r}; expected one of {', '.join(bars)}."
        )
    return pair


def index_frame(dataset: Dataset) -> pd.DataFrame:
    """(T, pairs) rate index in points."""
    return pd.DataFrame({pair: b.index for pair, b in dataset.bars.items()}).set_index(
        next(iter(dataset.bars.values())).ts
    )


def day_profile(dataset: Dataset) -> pd.DataFrame:
    """Mean over pairs, by UTC hour: deviation of one-minute returns (bp) and spread (pips)."""
    hours = pd.Index(dataset.minutes % sessions.DAY // 60, name="hour")
    returns = np.log(index_frame(dataset)).diff().set_axis(hours) * 1e4
    spreads = pd.DataFrame(
        {pair: costs.spread(b) / pip(pair) for pair, b in dataset.bars.items()}, index=hours
    )
    return pd.DataFrame(
        {
            "volatility": returns.groupby("hour").std().mean(axis=1),
            "spread": spreads.groupby("hour").mean().mean(axis=1),
        }
    )


def known_shares(dataset: Dataset) -> pd.DataFrame:
    """What the martingale forecast explains of level and change, measured on the bars.

    Mean over pairs, one row per window, horizon and target; ``theory`` is the closed form.
    """
    rows = []
    for window in (15, 30, 45, 60, 75, 90):
        for horizon in (15, 30, 45, 60, 75):
            by_pair = [targets.make(b, window, horizon) for b in dataset.bars.values()]
            for kind in ("level", "delta"):
                shares = [_share(t.label(kind), t.martingale_of(kind)) for t in by_pair]
                theory, r2 = targets.known_share(window, horizon, kind), _mean(shares)
                rows.append((window, horizon, kind, theory, r2))
    return pd.DataFrame(rows, columns=["window", "horizon", "target", "theory", "r2"])


def _mean(shares: list[float]) -> float:
    """Mean over the pairs that have a label; NaN where none has."""
    finite = [share for share in shares if np.isfinite(share)]
    return float(np.mean(finite)) if finite else np.nan


def _share(label: np.ndarray[Any, Any], known: np.ndarray[Any, Any]) -> float:
    finite = np.isfinite(label) & np.isfinite(known)
    if not finite.any():
        return np.nan
    label, known = label[finite], known[finite]
    return float(1.0 - ((label - known) ** 2).sum() / ((label - label.mean()) ** 2).sum())


def summary(dataset: Dataset) -> dict[str, Any]:
    """The dataset in a few numbers."""
    first, last = (next(iter(dataset.bars.values())).ts[i] for i in (0, -1))
    return {
        "pairs": len(dataset.bars),
        "bars": int(dataset.coverage["rows"].sum()),
        "from": str(first),
        "to": str(last),
        "market": dataset.market["mode"] if dataset.market else "files",
    }
