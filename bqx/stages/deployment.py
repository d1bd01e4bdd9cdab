"""Notebook 07: bundles of the last fold's models, served over HTTP and compared with the batch."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.feature_store.history import History
from bqx.features import lags
from bqx.learning import baseline, bundle, losses, targets
from bqx.learning.baseline import Baseline
from bqx.learning.bundle import Bundle
from bqx.learning.models import point
from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.runs.stage import Stage
from bqx.serving import live
from bqx.stages.bars import load, served
from bqx.stages.features import histories

NAME = "07_deployment"

Rows = NDArray[np.bool_]

STARTED = 60.0
"""Seconds that a server may take to answer its first ping."""


@dataclass(frozen=True)
class Served:
    """What was deployed and how it answered.

    ``bundles`` : one row per pair. ``answer`` : the server's JSON for the last bar of one pair.
    ``rows`` : that answer as horizon, current, martingale, level, in bp of the sum.
    ``parity`` : one row per horizon: level by batch, live path and server, largest difference.
    """

    bundles: pd.DataFrame
    ping: int
    answer: dict[str, Any]
    rows: pd.DataFrame
    parity: pd.DataFrame


def build(params: Params) -> Served:
    """Pack a bundle for every pair, serve them, ask for a forecast and compare.

    Raises ArtefactError when the server does not start.
    """
    run = Run.open(params.folder, params)
    dataset = load(run)
    pair = served(params, dataset.bars)
    inputs = artefacts.roots(artefacts.BARS, artefacts.MODEL, artefacts.FORECASTS)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], inputs) as stage:
        cells = pd.DataFrame(artefacts.SCORES.read(stage))
        packed, known = {}, histories(run, dataset.bars)
        for name in dataset.bars:
            scores = cells.loc[cells["pair"] == name, ["horizon", "skill", "skill_lo", "skill_hi"]]
            model = bundle.load(artefacts.MODEL.at(stage, pair=name))
            packed[name] = replace(
                model,
                metrics={"skill": scores.to_dict("records")},
                baseline_statistics=_baseline(stage, known[name], model),
            )
            packed[name].save(stage.path(artefacts.BUNDLE.path(pair=name)))
            stage.add(artefacts.BUNDLE.path(pair=name))
    bars, closes, panel = sent(dataset.bars, packed[pair])
    with serving(artefacts.BUNDLE.at(run, pair=pair).parent, "--unapproved") as url:
        ping = _get(f"{url}/ping")
        answer = ask(url, pair, closes, panel)
    alone = live.forecast(packed[pair], closes, panel)["predictions"]
    parity = _parity(packed[pair], bars, alone, answer)
    return Served(_table(packed), ping, answer, _rows(bars, answer), parity)


def _baseline(stage: Stage, history: History, model: Bundle) -> Baseline:
    forecasts = artefacts.FORECASTS.read(stage, pair=model.pair)
    return baseline.of_model(
        history,
        model.columns,
        fits=model.fits,
        until=model.trained_until,
        performance=losses.of_forecasts(history.bars, forecasts, model.window_of),
    )


def sent(bars: dict[str, Bars], packed: Bundle) -> tuple[Bars, pd.DataFrame, dict[str, pd.Series]]:
    """Bars of a pair up to the last minute that can be answered, and what their feeds had sent of
    it and of the others that it needs until then.

    Raises ArtefactError where no minute can be.
    """
    quoted = {
        pair: ~bars[pair].frame["filled"].to_numpy() & np.isfinite(bars[pair].close)
        for pair in (packed.pair, *packed.panel)
    }
    stop = _last_answered(bars[packed.pair], packed, quoted) + 1
    # From the last bar before the lookback, which is carried where a hole follows it.
    starts = {pair: _newest(rows)[stop - packed.lookback] for pair, rows in quoted.items()}
    frames = {
        pair: bars[pair].frame.iloc[max(start, 0) : stop][quoted[pair][max(start, 0) : stop]]
        for pair, start in starts.items()
    }
    closes = {pair: frames[pair]["close"] for pair in packed.panel}
    return bars[packed.pair].rows(0, stop), frames[packed.pair], closes


def _last_answered(bars: Bars, packed: Bundle, quoted: dict[str, Rows]) -> int:
    """Last row with a bar of every pair, enough of them before it, and a level at all horizons."""
    levels = [
        target.from_innovation(np.zeros(len(bars)), "level")
        for horizon in packed.horizons
        for target in [targets.make(bars, packed.window_of(horizon), horizon)]
    ]
    valued = np.all([*quoted.values(), *np.isfinite(levels)], axis=0)
    rows = np.flatnonzero(valued[packed.lookback - 1 :]) + packed.lookback - 1
    oldest = _newest(quoted[packed.pair])[rows - packed.lookback + 1]
    minutes = bars.minutes[rows] - bars.minutes[oldest]
    rows = rows[(oldest >= 0) & (minutes <= live.span(packed))]
    if not len(rows):
        raise ArtefactError(
            f"bars: no minute of {packed.pair} can be answered, got {int(valued.sum()):,} with a "
            f"bar of {', '.join(quoted)} and a volatility; expected one after {packed.lookback:,} "
            f"market minutes. Give longer bars, or bars with fewer holes of more than "
            f"{packed.max_fill} minutes (max_fill)."
        )
    return int(rows[-1])


def _newest(quoted: Rows) -> NDArray[np.int64]:
    """(T,) the newest row with a bar, up to each row; -1 where there is none yet."""
    return np.maximum.accumulate(np.where(quoted, np.arange(len(quoted)), -1))


def _table(packed: dict[str, Bundle]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "pair": pair,
                "columns": len(model.columns),
                "lookback": model.lookback,
                "trained until": model.trained_until,
                "kept": max(model.betas.values()),
            }
            for pair, model in packed.items()
        ]
    )


def _rows(bars: Bars, answer: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "horizon": int(horizon),
                "current": targets.make(bars, own["window"], int(horizon)).current[-1] * 1e4,
                "martingale": own["martingale"] * 1e4,
                "level": own["level"] * 1e4,
            }
            for horizon, own in answer["predictions"].items()
        ]
    )


def _parity(
    packed: Bundle, bars: Bars, alone: dict[str, Any], answer: dict[str, Any]
) -> pd.DataFrame:
    last = np.array([len(bars) - 1])
    x = lags.matrix(bars, packed.columns, last, packed.fits)
    forecasts = point(packed.model.predict(x))[0]
    rows = []
    for horizon, forecast in zip(packed.horizons, forecasts, strict=True):
        target = targets.make(bars, packed.window_of(horizon), horizon)
        beta = packed.betas[horizon]
        innovation = float(beta * forecast) if beta else 0.0
        batch = target.from_innovation(np.full(len(bars), innovation), "level")[-1]
        levels = [batch, alone[str(horizon)]["level"], answer["predictions"][str(horizon)]["level"]]
        rows.append([horizon, *levels, max(levels) - min(levels)])
    return pd.DataFrame(rows, columns=["horizon", "batch", "live", "server", "difference"])


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[str]:
    """A server process on a free port of this machine, see ``bqx serve``: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bqx.cli", "serve", str(folder), *arguments]
    command += ["--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url)
        yield url
    finally:
        process.terminate()
        process.communicate()


def _wait(process: "subprocess.Popen[str]", url: str) -> None:
    give_up = time.monotonic() + STARTED
    while time.monotonic() < give_up and process.poll() is None:
        try:
            _get(f"{url}/ping")
            return
        except urllib.error.URLError:
            time.sleep(0.1)
    process.kill()
    printed = process.communicate()[0].strip().splitlines()
    raise ArtefactError(
        f"bundles: the server did not start, got {printed[-1] if printed else 'no word'!r}; "
        f"expected an answer to /ping within {STARTED:.0f} seconds. Try bqx serve by hand."
    )


def ask(url: str, pair: str, frame: pd.DataFrame, panel: dict[str, pd.Series]) -> dict[str, Any]:
    """What a server answers for the last bar of a frame."""
    return _post(f"{url}/invocations", live.payload(pair, frame, panel))


def _get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as response:
        return int(response.status)


def _post(url: str, content: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    return answer
