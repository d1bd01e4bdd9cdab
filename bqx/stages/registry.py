"""Notebook 12: each pair's bundle packed, registered, and judged by the gate."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ArtefactError
from bqx.evaluation.reasons import Reason
from bqx.feature_store.history import History
from bqx.features import lags
from bqx.learning import baseline, bundle
from bqx.learning.bundle import Bundle
from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.runs.run import Run, Stage
from bqx.serving import live, registry_folder
from bqx.serving.app import answer
from bqx.serving.models import Served
from bqx.serving.registry import Registry, Version, gate
from bqx.stages import last_request, promotion
from bqx.stages.bars import load
from bqx.stages.features import histories

NAME = "12_registry"

BY = "bqx run"
"""Who registers and judges, in the log."""
ASKED, REPEATED = 100, 10
"""Requests behind a latency, and of how many in a row the quickest counts."""
RECENT = 60
"""Last rows of which a feature must have a value in one, or it is missing."""


@dataclass(frozen=True)
class Registered:
    """What became of a run's bundles.

    ``versions`` : one row per pair: version, status, model, horizons that passed, latency (ms, 99th
        percentile), reasons. ``log`` : lines of the registry about these pairs, oldest first.
    """

    versions: pd.DataFrame
    log: pd.DataFrame


def build(params: Params) -> Registered:
    """Pack the last fold's models, register a version per pair, and judge it by the gate.

    A version is judged once: the same bundle again keeps the status that it has.
    """
    run = Run.open(params.folder, params)
    dataset = load(run)
    market = dataset.market["mode"] if dataset.market else "files"
    store = registry_folder.beside(run.folder, market)
    asked = Registry(store, BY)
    inputs = (artefacts.BARS, artefacts.MODEL, artefacts.FORECASTS, artefacts.ACCOUNT)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], artefacts.roots(*inputs)) as stage:
        cells = promotion.read(stage)
        versions = {}
        histories_by_pair = histories(run, dataset.bars)
        for pair in dataset.bars:
            folder = _packed(stage, histories_by_pair[pair])
            facts, reasons = _judged(folder, dataset.bars, cells[cells["pair"] == pair])
            origin = {"run": run.folder.name, "market": market}
            facts |= origin | {"data_hash": run.manifest["data_hash"]}
            version = asked.register(pair, str(folder), facts)
            pending = version.status == "pending"
            versions[pair] = asked.judge(version, reasons) if pending else version
        artefacts.REGISTERED.write(stage, [_row(version) for version in versions.values()])
    rows = pd.DataFrame(
        [_row(v) | {"latency_ms": v.facts["latency_ms"]} for v in versions.values()]
    )
    log = pd.DataFrame([line for line in store.log() if line["pair"] in versions])
    return Registered(rows.set_index("pair"), log)


def _packed(stage: Stage, history: History) -> Path:
    """A pair's bundle, with its scores and its baseline, among the run's artefacts."""
    pair = history.bars.pair
    cells = pd.DataFrame(artefacts.SCORES.read(stage))
    scores = cells.loc[cells["pair"] == pair, ["horizon", "skill", "skill_lo", "skill_hi"]]
    model = bundle.load(artefacts.MODEL.at(stage, pair=pair))
    path = artefacts.BUNDLE.path(pair=pair)
    packed = replace(model, metrics={"skill": scores.to_dict("records")})
    forecasts = artefacts.FORECASTS.read(stage, pair=pair)
    baseline.attached(packed, history, forecasts).save(stage.path(path))
    stage.add(path)
    return stage.path(path)


def _judged(
    folder: Path, dataset: dict[str, Bars], cells: pd.DataFrame
) -> tuple[dict[str, Any], tuple[Reason, ...]]:
    """Facts of a pair's bundle, and what stands against it."""
    packed = bundle.load(folder)
    needed, valued = (
        sorted({c.feature.name for c in columns})
        for columns in _columns(packed, dataset[packed.pair])
    )
    milliseconds = latency(packed, dataset)
    passed = [int(h) for h in cells.loc[cells["promoted"], "horizon"]]
    against = [
        Reason.of(reason).at(int(horizon))
        for horizon, reasons in zip(cells["horizon"], cells["reasons"], strict=True)
        for reason in reasons
    ]
    facts = registry_folder.facts_of(folder) | {
        "model": packed.model.NAME,
        "horizons": passed,
        "against": [asdict(reason) for reason in against],
        "skill": packed.metrics["skill"],
        "trials": int(cells["trials"].max()),
        "latency_ms": round(milliseconds, 2),
    }
    return facts, gate([] if passed else against, needed, valued, milliseconds)


def _columns(packed: Bundle, bars: Bars) -> tuple[Sequence[lags.Column], Sequence[lags.Column]]:
    """Columns of a bundle, and those that have a value in one of the last rows."""
    x = lags.matrix(bars, packed.columns, np.arange(len(bars) - RECENT, len(bars)), packed.fits)
    valued = np.flatnonzero(np.isfinite(x).any(axis=0))
    return packed.columns, [packed.columns[number] for number in valued]


def latency(packed: Bundle, dataset: dict[str, Bars]) -> float:
    """99th percentile of the milliseconds from a request's bytes to those of its answer.

    All that a server does for one client: decoding, checks, grid, every horizon, encoding. It is
    time of this process, and of some in a row the quickest counts: what else runs on the
    machine is no part of an answer.
    """
    _, closes, panel = last_request.sent(dataset, packed)
    body = json.dumps(live.payload(packed.pair, closes, panel)).encode()
    ready = {packed.pair: Served(packed)}
    spent = []
    for _ in range(1 + ASKED):
        start = time.process_time()
        response = answer(ready, body)
        spent.append(time.process_time() - start)
    if response.status_code != HTTPStatus.OK:
        raise ArtefactError(
            f"{packed.pair}: the last bars cannot be answered, got {bytes(response.body).decode()}"
            "; expected a forecast."
        )
    # The first one compiles.
    quickest = np.min(np.reshape(spent[1:], (-1, REPEATED)), axis=1)
    return float(np.percentile(quickest, 99)) * 1e3


def _row(version: Version) -> dict[str, Any]:
    return {
        "pair": version.pair,
        "version": version.number,
        "status": version.status,
        "model": version.facts["model"],
        "horizons": version.facts["horizons"],
        "reasons": [asdict(reason) for reason in version.reasons],
    }


def against(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """What stands against versions: one row per pair and rule, with horizons and what was measured
    at the first of them.

    ``rows`` : see `read`.
    """
    reasons: dict[tuple[str, str], list[Reason]] = {}
    for row in rows:
        for reason in map(Reason.of, row["reasons"]):
            reasons.setdefault((row["pair"], reason.rule), []).append(reason)
    return pd.DataFrame(
        [
            (pair, rule, ", ".join(str(r.horizon or "all") for r in alike), alike[0].measured)
            for (pair, rule), alike in reasons.items()
        ],
        columns=["pair", "against it", "horizons", "first found"],
    )


def read(source: Source) -> list[dict[str, Any]]:
    """One row per pair: pair, version, status, model, horizons, reasons."""
    rows: list[dict[str, Any]] = artefacts.REGISTERED.read(source)
    return rows
