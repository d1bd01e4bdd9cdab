"""Handlers of Lambda functions: columns of a bar, its forecast, and all pairs' ahead of time.

Where they read and write, `lambda_places` says. ``precompute`` takes new bars of the feed, and
writes the state and the forecasts of all pairs; ``predict`` answers for a pair's newest bar with
what it wrote. Every other request is computed from the state, which is read again when it was
replaced, or from bars that the request brings, as to ``/invocations``. Without a place of forecasts
``predict`` computes them all, and without a feed ``precompute`` takes the state as it is.

Each takes an event of its own form or one of API Gateway's, and answers in the same form. What is
no good request is answered, not raised.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import numpy as np
from pydantic import ValidationError

from bqx.errors import AbsentBarError, ArtefactError, BarError, ParameterError, RequestError
from bqx.features import catalog
from bqx.files import check_seal, sealed
from bqx.learning.bundle import Bundle
from bqx.market import sessions
from bqx.serving import captured, lambda_places, live_state
from bqx.serving.answers import PredictRequest, told
from bqx.serving.forecast import forecast_of, number
from bqx.serving.lambda_function import UnservedError, function
from bqx.serving.lambda_places import FEED, FORECASTS, STATE
from bqx.serving.lambda_retraining import retrain as retrain
from bqx.serving.limits import error_of
from bqx.serving.sent import BodyError, read

Content = dict[str, Any]


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
    return _answered({}, _precompute)


def _precompute(content: Content) -> Content:
    started = time.perf_counter()
    forecaster = function(following=bool(FEED.address))
    answers: dict[str, Content] = {}
    faults: dict[str, str] = {}
    for pair in forecaster.models.ready:
        try:
            forecast = forecaster.panel.newest(pair)
        except RequestError as error:
            faults[pair] = str(error)
        else:
            answers[pair] = forecaster.answer(forecast, started)
    if FEED.address and STATE.address:
        folder, name = STATE.file
        folder.write(name, live_state.content_of(forecaster.panel))
    if FORECASTS.address:
        folder, name = FORECASTS.file
        folder.write_json(name, sealed({"forecasts": answers, "faults": faults}))
    # The process may be frozen until the next minute.
    captured.flush()
    stamps = {pair: answer["timestamp"] for pair, answer in answers.items()}
    return {"forecasts": stamps, "faults": faults}


def _features(content: Content) -> Content:
    started = time.perf_counter()
    wanted = content.pop("columns", None)
    forecaster = function()
    served, bars = forecaster.bars(content)
    bundle = served.bundle
    names = _names(bundle, wanted)
    plan = forecaster.plan(bundle, names)
    values = plan({bundle.pair: bars}, {bundle.pair: bundle.fits}, threads=1)[bundle.pair][0]
    return {
        "pair": bundle.pair,
        "timestamp": sessions.timestamp(bars.minutes[-1]).isoformat(),
        "features": {
            name: number(value) for name, value in zip(names, values.tolist(), strict=True)
        },
        "columns_hash": bundle.columns_hash,
        "latency_ms": round(1e3 * (time.perf_counter() - started), 3),
    }


def _names(bundle: Bundle, wanted: Any) -> tuple[str, ...]:
    bundle_names = tuple(column.name for column in bundle.columns)
    fitted = bundle.fits.parameters
    catalog_names = [
        f.name for f in catalog.profile("full") if not f.fit_key or f.fit_key in fitted
    ]
    if wanted is None:
        return bundle_names
    if wanted == "all":
        return tuple(dict.fromkeys((*bundle_names, *catalog_names)))
    names = wanted if isinstance(wanted, list) else [wanted]
    computable = {*bundle_names, *catalog_names}
    unknown = [n for n in names if not isinstance(n, str) or n not in computable]
    if unknown or not names:
        got = str(unknown[0])[:40] if unknown else "none"
        raise RequestError(
            f"columns: unknown, got {got!r}; expected names of the catalog whose fits the bundle "
            "has, or 'all'."
        )
    return tuple(dict.fromkeys(names))


def _predict(content: Content) -> Content:
    started = time.perf_counter()
    if "bars" in content or "timestamp" in content:
        forecaster = function()
        served, bars = forecaster.bars(content)
        forecast = forecast_of(served.bundle, served.bundle.columns_of(bars), bars)
        captured.flush()
        return forecaster.answer(forecast, started)
    pair = PredictRequest.model_validate_json(json.dumps(content)).pair
    if FORECASTS.address:
        answer = _ahead(pair)
        milliseconds = 1e3 * (time.perf_counter() - started)
        return answer | {"latency_ms": round(milliseconds, 3)}
    forecaster = function()
    forecaster.served(pair)
    return forecaster.answer(forecaster.panel.newest(pair), started)


def _ahead(pair: str) -> Content:
    """What `precompute` wrote of a pair."""
    folder, name = FORECASTS.file
    content = folder.read_json(name)
    try:
        check_seal(content)
    except ValueError as error:
        raise ArtefactError(
            f"{FORECASTS.address}: damaged, got {error}; expected what precompute writes. Run it."
        ) from None
    if pair in content["faults"]:
        raise RequestError(content["faults"][pair])
    if pair not in content["forecasts"]:
        raise UnservedError(pair, sorted({**content["forecasts"], **content["faults"]}))
    answer = dict(content["forecasts"][pair])
    opened = int(datetime.fromisoformat(answer["timestamp"]).timestamp()) // 60
    # It has grown older since it was written.
    minute = int(sessions.market_minutes(np.array([opened]))[0])
    return answer | {"minutes_behind": sessions.market_age(minute, time.time())}


def _answered(event: Any, answer: Callable[[Content], Content]) -> Content:
    """The answer to an event, in the event's form."""
    proxied = isinstance(event, dict) and "requestContext" in event
    started = time.perf_counter()
    status, content = _tried(event, answer)
    if answer is _predict:
        captured.answer(int(status), started)
    if not proxied:
        return content
    return {
        "statusCode": int(status),
        "headers": {"content-type": "application/json", "access-control-allow-origin": "*"},
        "body": json.dumps(content, allow_nan=False),
    }


def _tried(event: Any, answer: Callable[[Content], Content]) -> tuple[HTTPStatus, Content]:
    try:
        return HTTPStatus.OK, answer(_content(event))
    except BodyError as error:
        return HTTPStatus.BAD_REQUEST, error_of("request", str(error))
    except UnservedError as error:
        return HTTPStatus.NOT_FOUND, error_of("pair", str(error))
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
        event = read(body)
    if not isinstance(event, dict):
        raise TypeError(type(event).__name__)
    return dict(event)


HANDLERS = (*lambda_places.READ, "retrain")


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
