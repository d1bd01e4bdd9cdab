"""Notebook 12: each pair's bundle registered, judged by the gate, and served where it passed."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ArtefactError
from bqx.evaluation.reasons import Reason
from bqx.features import lags
from bqx.learning import bundle
from bqx.learning.bundle import Bundle
from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.runs.run import Run
from bqx.serving import live, registry_folder
from bqx.serving.app import answer
from bqx.serving.models import Served
from bqx.serving.registry import Registry, Version, gate
from bqx.stages import deployment, promotion
from bqx.stages.bars import load, served

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
    ``standing`` : what is served of the pair that was asked for, or of the first, in words.
    ``answer`` : the server's, None where nothing is served.
    """

    versions: pd.DataFrame
    log: pd.DataFrame
    standing: str
    answer: dict[str, Any] | None


def build(params: Params) -> Registered:
    """Register a version per pair, approve or reject it by the gate, and ask the registry's server.

    A version is judged once: the same bundle again keeps the status that it has.
    """
    run = Run.open(params.folder, params)
    dataset = load(run)
    market = dataset.market["mode"] if dataset.market else "files"
    store = registry_folder.beside(run.folder, market)
    asked = Registry(store, BY)
    inputs = (artefacts.BARS, artefacts.BUNDLE, artefacts.FORECASTS, artefacts.ACCOUNT)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], artefacts.roots(*inputs)) as stage:
        cells = promotion.read(stage)
        versions = {}
        for pair in dataset.bars:
            folder = artefacts.BUNDLE.at(stage, pair=pair)
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
    pair = served(params, dataset.bars) if params.serve_pair else ""
    standing, answer = _serve(dataset.bars, store, pair)
    return Registered(rows.set_index("pair"), log, standing, answer)


def _judged(
    folder: Path, dataset: dict[str, Bars], cells: pd.DataFrame
) -> tuple[dict[str, Any], tuple[Reason, ...]]:
    """Facts of a pair's bundle, and what stands against it."""
    packed = bundle.load(folder)
    needed, valued = (
        sorted({c.feature.name for c in some}) for some in _columns(packed, dataset[packed.pair])
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
    _, closes, panel = deployment.sent(dataset, packed)
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


def _serve(
    bars: dict[str, Bars], store: registry_folder.Folder, asked_for: str
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
    arguments = ("--pair", pair, "--unapproved") if asked_for else ()
    with deployment.serving(store.folder, *arguments) as url:
        answer = deployment.ask(url, pair, closes, panel)
    if latest:
        return f"{pair} version {version.number} is served, the latest approved.", answer
    return (
        f"{pair} version {version.number} is {version.status}, NOT approved.\n"
        "It is served here only because this pair was asked for (serve_pair).",
        answer,
    )


def against(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """What stands against versions: one row per pair and rule, with horizons and what was measured
    at the first of them.

    ``rows`` : see `read`.
    """
    told: dict[tuple[str, str], list[Reason]] = {}
    for row in rows:
        for reason in map(Reason.of, row["reasons"]):
            told.setdefault((row["pair"], reason.rule), []).append(reason)
    return pd.DataFrame(
        [
            (pair, rule, ", ".join(str(r.horizon or "all") for r in alike), alike[0].measured)
            for (pair, rule), alike in told.items()
        ],
        columns=["pair", "against it", "horizons", "first found"],
    )


def read(source: Source) -> list[dict[str, Any]]:
    """One row per pair: pair, version, status, model, horizons, reasons."""
    rows: list[dict[str, Any]] = artefacts.REGISTERED.read(source)
    return rows
