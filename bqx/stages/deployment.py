"""Notebook 07: the approved bundles on the platform of this machine, compared with the batch."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.cloud import artefacts as cloud_artefacts
from bqx.cloud.artefacts import key_of
from bqx.cloud.local.endpoints import Endpoints
from bqx.cloud.local.state import Variant
from bqx.errors import ArtefactError
from bqx.features import lags
from bqx.files import sha256
from bqx.learning import bundle, targets
from bqx.learning.bundle import Bundle
from bqx.learning.models import point
from bqx.market.bars import Bars
from bqx.operations.cost import designs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.serving import live, registry_folder, standing
from bqx.serving.registry import Version
from bqx.stages import canary, last_request
from bqx.stages.bars import load, served

NAME = "07_deployment"

ENDPOINT = "forecasts"
ASKED = 120
"""Requests behind the latencies, over all deployed pairs."""


@dataclass(frozen=True)
class Deployed:
    """What was deployed and how it answered.

    ``standing`` : what is deployed, in words. ``bundles`` : one row per pair that is. ``answer`` :
    of the first pair, for its last bar. ``rows`` : that answer as horizon, current, martingale,
    level, in bp of the sum. ``parity`` : one row per pair and horizon: level by batch, live path
    and container, largest difference. ``latency`` : (n,) milliseconds of requests, one at a time.
    ``canary`` : what became of an artefact that answers wrongly, see `canary.fail`.
    """

    standing: str
    bundles: pd.DataFrame
    answer: dict[str, Any]
    rows: pd.DataFrame
    parity: pd.DataFrame
    latency: NDArray[np.float64]
    canary: pd.DataFrame


@dataclass(frozen=True)
class _Request:
    """The last minute of a pair that can be answered.

    ``bars`` : up to it, for the batch; ``alone`` : the live path's answer; ``body`` : to an
    endpoint.
    """

    packed: Bundle
    bars: Bars
    alone: dict[str, Any]
    body: bytes


def build(params: Params) -> Deployed:
    """Deploy what is approved as a multi-model endpoint, ask it, compare, and end it.

    Where nothing is approved, the pair that was asked for or the first is deployed all the same,
    for parity and latency; ``standing`` says so.

    Raises ArtefactError when the endpoint does not start or does not answer.
    """
    run = Run.open(params.folder, params)
    dataset = load(run)
    store = registry_folder.beside(
        run.folder, dataset.market["mode"] if dataset.market else "files"
    )
    inputs = artefacts.roots(artefacts.BARS, artefacts.REGISTERED)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], inputs) as stage:
        versions = {
            row["pair"]: store.versions(row["pair"])[row["version"] - 1]
            for row in artefacts.REGISTERED.read(stage)
        }
        chosen, said = _chosen(versions, served(params, dataset.bars), bool(params.serve_pair))
        with tempfile.TemporaryDirectory(prefix="bqx-platform-") as place:
            models = Path(place) / "models"
            rows = [_packed(version, models) for version in chosen.values()]
            artefacts.DEPLOYED.write(stage, rows)
            requests = {p: _request(dataset.bars, version) for p, version in chosen.items()}
            endpoint = Variant("all", str(models), 1.0, many=True)
            endpoint.variables[standing.REGISTRY] = str(store.folder)
            answers, latency, tried = _asked(Path(place), endpoint, chosen, requests)
    first = next(iter(chosen))
    return Deployed(
        said,
        _table(chosen, requests),
        answers[first],
        _rows(requests[first].bars, answers[first]),
        pd.concat([_parity(requests[pair], answer) for pair, answer in answers.items()]),
        latency,
        tried,
    )


def _chosen(
    versions: Mapping[str, Version], pair: str, asked_for: bool
) -> tuple[dict[str, Version], str]:
    """Versions that are deployed, and why these."""
    approved = {p: version for p, version in versions.items() if version.status == "approved"}
    if approved and (not asked_for or pair in approved):
        names = ", ".join(f"{p} version {v.number}" for p, v in approved.items())
        return approved, f"Approved and deployed: {names}."
    version = versions[pair]
    why = (
        "because this pair was asked for (serve_pair)"
        if asked_for
        else "to show parity and latency, since no version of these pairs is approved"
    )
    said = (
        f"{pair} version {version.number} is {version.status}, NOT approved.\n"
        f"It is deployed on this page only {why}."
    )
    return {pair: version}, said


def _packed(version: Version, models: Path) -> dict[str, Any]:
    """A version's archive, under the key that it has in a bucket."""
    key = cloud_artefacts.pack(version, models)
    return {
        "pair": version.pair,
        "version": version.number,
        "status": version.status,
        "archive": key,
        "sha256": sha256(models / key),
    }


def _request(bars: dict[str, Bars], version: Version) -> _Request:
    packed = bundle.load(Path(version.bundle))
    pair_bars, sent, panel = last_request.sent(bars, packed)
    body = json.dumps(live.payload(packed.pair, sent, panel)).encode()
    return _Request(packed, pair_bars, live.forecast(packed, sent, panel), body)


def _asked(
    place: Path, variant: Variant, chosen: Mapping[str, Version], requests: Mapping[str, _Request]
) -> tuple[dict[str, dict[str, Any]], NDArray[np.float64], pd.DataFrame]:
    """Answers of the endpoint by pair, the milliseconds of further requests, and a canary."""
    endpoints = Endpoints(place)
    keys = {pair: key_of(pair, f"{version.number:04d}") for pair, version in chosen.items()}
    endpoints.create(ENDPOINT, [variant])
    try:
        answers, latency = {}, []
        for pair, request in requests.items():
            reply = endpoints.invoke(ENDPOINT, request.body, model=keys[pair])
            if reply.status != 200:
                raise ArtefactError(
                    f"{pair}: not answered, got {reply.status} {reply.body[:200]!r}; expected a "
                    "forecast for the run's last bars."
                )
            answers[pair] = json.loads(reply.body)
        pairs = list(requests)
        for number in range(ASKED):
            pair = pairs[number % len(pairs)]
            reply = endpoints.invoke(ENDPOINT, requests[pair].body, model=keys[pair])
            latency.append(1e3 * reply.seconds)
        first = requests[pairs[0]]
        tried = canary.fail(
            endpoints,
            ENDPOINT,
            first.packed,
            models=Path(variant.model),
            key=keys[pairs[0]],
            body=first.body,
        )
        return answers, np.array(latency), tried
    finally:
        endpoints.delete(ENDPOINT)


def _table(chosen: Mapping[str, Version], requests: Mapping[str, _Request]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "pair": pair,
                "version": version.number,
                "status": version.status,
                "horizons": version.facts["horizons"],
                "columns": len(requests[pair].packed.columns),
                "lookback": requests[pair].packed.lookback,
                "trained until": requests[pair].packed.trained_until,
            }
            for pair, version in chosen.items()
        ]
    ).set_index("pair")


def _rows(bars: Bars, answer: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "horizon": int(horizon),
                "current": targets.make(bars, prediction["window"], int(horizon)).current[-1] * 1e4,
                "martingale": prediction["martingale"] * 1e4,
                "level": prediction["level"] * 1e4,
            }
            for horizon, prediction in answer["predictions"].items()
        ]
    )


def _parity(request: _Request, answer: dict[str, Any]) -> pd.DataFrame:
    packed, bars = request.packed, request.bars
    x = lags.matrix(bars, packed.columns, np.array([len(bars) - 1]), packed.fits)
    forecasts = point(packed.model.predict(x))[0]
    rows = []
    for horizon, forecast in zip(packed.horizons, forecasts, strict=True):
        target = targets.make(bars, packed.window_of(horizon), horizon)
        beta = packed.betas[horizon]
        innovation = float(beta * forecast) if beta else 0.0
        batch = target.from_innovation(np.full(len(bars), innovation), "level")[-1]
        served = [
            answers["predictions"][str(horizon)]["level"] for answers in (request.alone, answer)
        ]
        levels = [batch, *served]
        rows.append([packed.pair, horizon, *levels, max(levels) - min(levels)])
    names = ["pair", "horizon", "batch", "live", "container", "difference"]
    return pd.DataFrame(rows, columns=names)


def monthly_costs() -> pd.DataFrame:
    """One row per design of `bqx cost designs`: dollars of a month."""
    rows = [(design.name, round(design.usd)) for design in designs.every()]
    return pd.DataFrame(rows, columns=["design", "$ a month"]).set_index("design")
