"""Handlers of Lambda functions: columns of a bar, its forecast, and both ahead of time.

Where they read, the environment says: ``BQX_BUNDLES``, the folder of bundles or registry
(``/opt/ml/model`` by default; bundles that no registry knows are served as such), and
``BQX_STATE``, the file of bars that a live server keeps, on a file system that both see; it is read
again when it was replaced. A request may bring its own bars instead, as to ``/invocations``.

Each takes an event of its own form or one of API Gateway's, and answers in the same form. What is
no good request is answered, not raised.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bqx.errors import AbsentBarError, ArtefactError, BarError, ParameterError, RequestError
from bqx.features import catalog
from bqx.features.engine.newest_bars import NewestBars
from bqx.features.lags import Column
from bqx.features.newest_columns import NewestColumns
from bqx.learning.bundle import Bundle
from bqx.market import sessions
from bqx.serving import live, live_state
from bqx.serving.answers import PredictRequest, PredictResponse, told
from bqx.serving.forecast import Forecast, forecast_of, number
from bqx.serving.limits import error_of
from bqx.serving.live_panel import LivePanel
from bqx.serving.models import Models, Served, opened

Content = dict[str, Any]


class Function:
    """What the handlers of one process share: models, bars, and plans of columns."""

    def __init__(self) -> None:
        self.models: Models = opened(Path(os.environ.get("BQX_BUNDLES", "/opt/ml/model")))
        self._ready: Mapping[str, Served] = self.models.current()
        self.panel = LivePanel({pair: of.bundle for pair, of in self._ready.items()})
        self._mark: tuple[int, ...] = ()
        self._plans: dict[tuple[str, tuple[str, ...]], NewestColumns] = {}

    def refresh(self) -> None:
        """Take over newer models and bars, and forecast what they change."""
        ready = self.models.current()
        if ready is not self._ready:
            self._ready = ready
            self.panel.serve({pair: of.bundle for pair, of in ready.items()})
        state = os.environ.get("BQX_STATE")
        if state:
            facts = os.stat(state)
            mark = facts.st_mtime_ns, facts.st_ino
            if mark != self._mark:
                live_state.restore(self.panel, Path(state))
                self._mark = mark
        self.panel.refresh()

    def served(self, pair: str) -> Served:
        """A pair's bundle; KeyError where it is not served."""
        return self._ready[pair]

    def bars(self, content: Content) -> tuple[Served, NewestBars]:
        """The bars that a request means: its own, or those of the state."""
        if "bars" in content:
            asked = {name: content[name] for name in ("pair", "bars", "panel") if name in content}
            pair, sent, panel = live.parse(asked)
            served = self.served(pair)
            return served, live.newest(served.bundle, sent, panel)
        request = PredictRequest.model_validate_json(json.dumps(content))
        served = self.served(request.pair.lower())
        return served, self.panel.bars(served.bundle.pair, request.minute)

    def plan(self, bundle: Bundle, names: tuple[str, ...]) -> NewestColumns:
        """What has to run for columns; made once."""
        key = bundle.columns_hash, names
        if key not in self._plans:
            own = {column.name: column for column in bundle.columns}
            columns = [own.get(name) or Column(catalog.FEATURES[name]) for name in names]
            self._plans[key] = NewestColumns({bundle.pair: columns})
        return self._plans[key]


_functions: dict[str, Function] = {}


def function() -> Function:
    """The process's function, made at the first request, whose models are then kept."""
    key = os.environ.get("BQX_BUNDLES", "")
    if key not in _functions:
        _functions[key] = Function()
    return _functions[key]


def features(event: Any, context: Any) -> Content:
    """Columns of a bar: ``{"pair"}``, maybe ``"timestamp"`` or ``"bars"``, and ``"columns"``.

    These are a list of names, or ``all`` for every feature of the catalog that needs no fit but the
    bundle's; default the columns of the pair's bundle.
    """
    return _answered(event, _features)


def predict(event: Any, context: Any) -> Content:
    """Forecast of a pair at all horizons: the answer of ``POST /predict``."""
    return _answered(event, _predict)


def precompute(event: Any, context: Any) -> Content:
    """Forecast all pairs ahead of the requests, on a schedule; what was made, and what was not."""

    def warm(content: Content) -> Content:
        panel = function().panel
        made = {}
        faults = {}
        for pair in panel.bundles:
            try:
                made[pair] = panel.newest(pair).timestamp
            except RequestError as error:
                faults[pair] = str(error)
        return {"forecasts": made, "faults": faults}

    return _answered({}, warm)


def _features(content: Content) -> Content:
    started = time.perf_counter()
    wanted = content.pop("columns", None)
    served, bars = function().bars(content)
    bundle = served.bundle
    names = _names(bundle, wanted)
    plan = function().plan(bundle, names)
    values = plan({bundle.pair: bars}, {bundle.pair: bundle.fits}, threads=1)[bundle.pair][0]
    return {
        "pair": bundle.pair,
        "timestamp": sessions.timestamps(bars.minutes[-1:])[0].isoformat(),
        "features": {
            name: number(value) for name, value in zip(names, values.tolist(), strict=True)
        },
        "columns_hash": bundle.columns_hash,
        "latency_ms": round(1e3 * (time.perf_counter() - started), 3),
    }


def _names(bundle: Bundle, wanted: Any) -> tuple[str, ...]:
    own = tuple(column.name for column in bundle.columns)
    fitted = bundle.fits.parameters
    known = [f.name for f in catalog.profile("full") if not f.fit_key or f.fit_key in fitted]
    if wanted is None:
        return own
    if wanted == "all":
        return tuple(dict.fromkeys((*own, *known)))
    names = wanted if isinstance(wanted, list) else [wanted]
    there = {*own, *known}
    unknown = [n for n in names if not isinstance(n, str) or n not in there]
    if unknown or not names:
        got = str(unknown[0])[:40] if unknown else "none"
        raise RequestError(
            f"columns: unknown, got {got!r}; expected names of the catalog whose fits the bundle "
            "has, or 'all'."
        )
    return tuple(dict.fromkeys(names))


def _predict(content: Content) -> Content:
    started = time.perf_counter()
    asked = function()
    forecast: Forecast
    if "bars" in content or "timestamp" in content:
        served, bars = asked.bars(content)
        forecast = forecast_of(served.bundle, served.bundle.columns_of(bars), bars)
        behind = 0 if "bars" in content else asked.panel.minutes_behind(forecast)
    else:
        pair = PredictRequest.model_validate_json(json.dumps(content)).pair.lower()
        served = asked.served(pair)
        forecast = asked.panel.newest(pair)
        behind = asked.panel.minutes_behind(forecast)
    milliseconds = 1e3 * (time.perf_counter() - started)
    return PredictResponse.of(
        forecast, served, behind=behind, milliseconds=milliseconds
    ).model_dump()


def _answered(event: Any, answer: Callable[[Content], Content]) -> Content:
    """The answer to an event, in the event's form."""
    proxied = isinstance(event, dict) and "requestContext" in event
    status, content = _tried(event, answer)
    if not proxied:
        return content
    return {
        "statusCode": int(status),
        "headers": {"content-type": "application/json", "access-control-allow-origin": "*"},
        "body": json.dumps(content, allow_nan=False),
    }


def _tried(event: Any, answer: Callable[[Content], Content]) -> tuple[HTTPStatus, Content]:
    try:
        content = _content(event)
        function().refresh()
        return HTTPStatus.OK, answer(content)
    except KeyError as error:
        pairs = ", ".join(function().models.ready) or "none at present"
        message = f"pair: not served, got {str(error.args[0])[:20]!r}; expected one of {pairs}."
        return HTTPStatus.NOT_FOUND, error_of("pair", message)
    except ValidationError as error:
        return HTTPStatus.BAD_REQUEST, error_of("request", told(error))
    except (AbsentBarError, OverflowError) as error:
        return HTTPStatus.NOT_FOUND, error_of("bar", str(error))
    except (RequestError, BarError) as error:
        return HTTPStatus.UNPROCESSABLE_ENTITY, error_of("bars", str(error))
    except (ArtefactError, ParameterError, OSError) as error:
        return HTTPStatus.SERVICE_UNAVAILABLE, error_of("state", str(error))
    except (ValueError, TypeError, RecursionError):
        message = "event: no request, got other content; expected one JSON object with a pair."
        return HTTPStatus.BAD_REQUEST, error_of("request", message)


def _content(event: Any) -> Content:
    """The request in an event."""
    if isinstance(event, dict) and "requestContext" in event:
        body = event.get("body") or ""
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True)
        event = json.loads(body)
    if not isinstance(event, dict):
        raise TypeError(type(event).__name__)
    return dict(event)


HANDLERS = ("features", "predict", "precompute")


def main(arguments: Sequence[str]) -> int:
    """Answer Lambda's runtime by one of `HANDLERS`, default by predict; exit status of refusals."""
    name = arguments[0] if arguments else "predict"
    if len(arguments) > 1 or name not in HANDLERS:
        print(
            f"lambda: no handler, got {' '.join(arguments)!r:.60}; expected one of "
            f"{', '.join(HANDLERS)}.",
            file=sys.stderr,
        )
        return 2
    command = [sys.executable, "-m", "awslambdaric", f"{__name__}.{name}"]
    os.execv(sys.executable, command)
