"""The six panels of a running system, filled with what a run alone can know of them.

Days of the test parts stand for the days of a system that runs, and answers of this process for
those of a server. What only a server counts is left out.
"""

import json
import time
from http import HTTPStatus

import numpy as np
import pandas as pd

from bqx.learning import bundle
from bqx.params import Params
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.serving import live
from bqx.serving.app import answer
from bqx.serving.models import Served
from bqx.stages import candidates, last_request
from bqx.stages.bars import load, served

ASKED = 40
"""Answers behind the latency."""
SHARES = {"P50": 50.0, "P95": 95.0, "P99": 99.0}


def build(params: Params) -> dict[str, pd.DataFrame]:
    """Panels by title, see `panels.SIX`: one column per line, by day or by answer."""
    run = Run.open(params.folder, params)
    days = _days(run)
    answers = _answers(run, params)
    return {
        "R² and skill, 24 hours": days[["R²", "skill"]],
        "Drift": days[["columns"]],
        "Latency": answers[list(SHARES)],
        "Error rate": answers[["errors"]],
    }


def _days(run: Run) -> pd.DataFrame:
    """R², skill and share of drifted columns over all pairs and horizons, one row per day."""
    products = artefacts.PRODUCTS.read(run)
    fold = products.drop_duplicates("day").set_index("day")["fold"]
    errors = artefacts.FIT_ERRORS.read(run)
    chosen = errors["model"] == errors["day"].map(fold).map(candidates.used(run))
    sums = errors[chosen].groupby("day")[["target_loss", "spread"]].sum()
    losses = artefacts.ERRORS.read(run).groupby("day")[["loss", "known_loss"]].sum()
    drifted = artefacts.DRIFT.read(run).groupby("fold")["drifted"].mean()
    by_day = pd.DataFrame(
        {
            "R²": 1.0 - sums["target_loss"] / sums["spread"],
            "skill": 1.0 - losses["loss"] / losses["known_loss"],
        }
    )
    by_day["columns"] = by_day.index.to_series().map(fold).map(drifted)
    by_day.index = pd.to_datetime(by_day.index, unit="D", utc=True)
    return by_day


def _answers(run: Run, params: Params) -> pd.DataFrame:
    """Quantiles of the answers' time so far, ms, and the share of errors, one row per answer."""
    bars = load(run).bars
    pair = served(params, bars)
    packed = bundle.load(artefacts.MODEL.at(run, pair=pair))
    _, closes, panel = last_request.sent(bars, packed)
    body = json.dumps(live.payload(pair, closes, panel)).encode()
    ready = {pair: Served(packed)}
    spent, failed = [], []
    # The first one compiles.
    for _ in range(1 + ASKED):
        start = time.perf_counter()
        status = answer(ready, body).status_code
        spent.append(1e3 * (time.perf_counter() - start))
        failed.append(status >= HTTPStatus.INTERNAL_SERVER_ERROR)
    counts = range(1, ASKED + 1)
    quantiles = {
        name: [np.percentile(spent[1 : 1 + n], share) for n in counts]
        for name, share in SHARES.items()
    }
    errors = np.cumsum(failed[1:]) / np.arange(1, ASKED + 1)
    return pd.DataFrame(quantiles | {"errors": errors}, index=pd.Index(counts, name="answers"))


def sentence(panels: dict[str, pd.DataFrame]) -> str:
    """How it does, in words."""
    day = panels["R² and skill, 24 hours"].iloc[-1]
    drift = panels["Drift"]["columns"].iloc[-1]
    slowest = panels["Latency"]["P99"].iloc[-1]
    return (
        f"On the last day skill was {day['skill']:+.3f} beside a raw R² of {day['R²']:.2f}, "
        f"{drift:.0%} of the columns had drifted, and 99 of 100 answers took at most "
        f"{slowest:.0f} ms."
    )
