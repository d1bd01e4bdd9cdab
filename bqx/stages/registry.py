"""Notebook 12: each pair's bundle registered, judged by the gate, and served where it passed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bqx.features import lags
from bqx.learning import bundle
from bqx.learning.bundle import Bundle
from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs.run import Run, read_json
from bqx.serving import registry
from bqx.serving.registry import Registry, Version, gate
from bqx.stages import deployment, promotion
from bqx.stages.bars import load

NAME = "12_registry"

BY = "bqx run"
"""Who registers and judges, in the log."""
ASKED = 100
"""Forecasts behind a latency."""
RECENT = 60
"""Last rows of which a feature must have a value in one, or it is missing."""


@dataclass(frozen=True)
class Registered:
    """What became of a run's bundles.

    ``versions`` : a row a pair: version, status, model, horizons that passed, latency (ms, 99th
        percentile), reasons. ``log`` : lines of the registry about these pairs, oldest first.
    ``standing`` : what is served of the pair that was asked for, or of the first, in words.
    ``answer`` : the server's, None where nothing is served.
    """

    versions: pd.DataFrame
    log: pd.DataFrame
    standing: str
    answer: dict[str, Any] | None


def build(params: Params) -> Registered:
    """Register a version a pair, approve or reject it by the gate, and ask the registry's server.

    A version is judged once: the same bundle again keeps the status that it has.
    """
    run = Run.open(params.folder, params)
    dataset = load(run)
    market = dataset.market["mode"] if dataset.market else "files"
    store = registry.beside(run.folder, market)
    with run.stage(
        NAME, NOTEBOOK_KEYS[NAME], ["bars", "bundles", "forecasts", "backtest"]
    ) as stage:
        decided = promotion.decide(run)
        versions = {
            pair: _judged(run, bars, decided[decided["pair"] == pair], Registry(store, BY), market)
            for pair, bars in dataset.bars.items()
        }
        stage.write_json("registry.json", [_row(version) for version in versions.values()])
    rows = pd.DataFrame(
        [_row(v) | {"latency_ms": v.facts["latency_ms"]} for v in versions.values()]
    )
    log = pd.DataFrame([line for line in store.log() if line["pair"] in versions])
    standing, answer = _serve(dataset.bars, store, params.serve_pair)
    return Registered(rows.set_index("pair"), log, standing, answer)


def _judged(run: Run, bars: Bars, cells: pd.DataFrame, asked: Registry, market: str) -> Version:
    folder = run.folder / "bundles" / bars.pair
    packed = bundle.load(folder)
    needed, there = (sorted({c.feature.name for c in part}) for part in _columns(packed, bars))
    milliseconds = latency(packed, bars)
    passed = [int(h) for h in cells.loc[cells["promoted"], "horizon"]]
    against = {
        str(horizon): list(reasons)
        for horizon, reasons in zip(cells["horizon"], cells["reasons"], strict=True)
        if reasons
    }
    evaluated = [f"{h} min: {reason}" for h, found in against.items() for reason in found]
    reasons = gate([] if passed else evaluated, needed, there, milliseconds)
    facts = registry.facts_of(folder) | {
        "run": run.folder.name,
        "market": market,
        "data_hash": run.manifest["data_hash"],
        "model": packed.model.NAME,
        "horizons": passed,
        "against": against,
        "skill": packed.metrics["skill"],
        "trials": int(cells["trials"].max()),
        "latency_ms": round(milliseconds, 2),
    }
    version = asked.register(bars.pair, str(folder), facts)
    return asked.judge(version, reasons) if version.status == "pending" else version


def _columns(packed: Bundle, bars: Bars) -> tuple[Sequence[lags.Column], Sequence[lags.Column]]:
    """Columns of a bundle, and those that have a value in one of the last rows."""
    x = lags.matrix(bars, packed.columns, np.arange(len(bars) - RECENT, len(bars)), packed.fits)
    valued = np.flatnonzero(np.isfinite(x).any(axis=0))
    return packed.columns, [packed.columns[place] for place in valued]


def latency(packed: Bundle, bars: Bars) -> float:
    """99th percentile of the milliseconds from bars to all horizons of a pair.

    Time of this process alone: what else runs on the machine is no part of a forecast.
    """
    last = int(np.flatnonzero(np.isfinite(bars.close))[-1]) + 1
    part = bars.rows(max(last - packed.lookback, 0), last)
    packed.predict(part)
    spent = []
    for _ in range(ASKED):
        # As bars come in: nothing that an earlier forecast made of them is there any more.
        fresh = part.rows(0, len(part))
        start = time.process_time()
        packed.predict(fresh)
        spent.append(time.process_time() - start)
    return float(np.percentile(spent, 99)) * 1e3


def _row(version: Version) -> dict[str, Any]:
    return {
        "pair": version.pair,
        "version": version.number,
        "status": version.status,
        "model": version.facts["model"],
        "horizons": version.facts["horizons"],
        "reasons": list(version.reasons),
    }


def _serve(
    bars: dict[str, Bars], store: registry.Folder, asked_for: str
) -> tuple[str, dict[str, Any] | None]:
    """What the registry serves of a pair, in words and as the server's answer."""
    approved = [pair for pair in bars if Registry(store, BY).latest_approved(pair)]
    if not approved and not asked_for:
        return "No version of these pairs is approved, so nothing is served.", None
    pair = asked_for or approved[0]
    latest = Registry(store, BY).latest_approved(pair)
    version = latest or store.versions(pair)[-1]
    packed = bundle.load(Path(version.bundle))
    _, closes, panel = deployment.sent(bars, packed)
    arguments = ("--pair", pair) if asked_for else ()
    with deployment.serving(store.folder, *arguments) as url:
        answer = deployment.ask(url, pair, closes, panel)
    if latest:
        return f"{pair} version {version.number} is served, the latest approved.", answer
    return (
        f"{pair} version {version.number} is {version.status}, NOT approved.\n"
        "It is served here only because this pair was asked for (serve_pair).",
        answer,
    )


def against(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """What stands against versions: a row a pair and reason, with horizons and what was found.

    ``rows`` : see `read`.
    """
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in rows:
        for reason in row["reasons"]:
            horizon, parted, rest = reason.partition(" min: ")
            what, _, value = (rest if parted else reason).partition(": ")
            found.setdefault((row["pair"], what), []).append((horizon if parted else "all", value))
    return pd.DataFrame(
        [
            {"pair": pair, "against it": what, "horizons": ", ".join(h for h, _ in each),
             "first found": each[0][1]}
            for (pair, what), each in found.items()
        ],
        columns=["pair", "against it", "horizons", "first found"],
    )  # fmt: skip


def read(run: Run) -> list[dict[str, Any]]:
    """A row a pair: pair, version, status, model, horizons, reasons."""
    rows: list[dict[str, Any]] = read_json(run.need("registry.json"))
    return rows
