"""The OpenAPI 3.1 document of the server, made of the types of its answers."""

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from bqx.serving.answers import (
    ErrorResponse,
    ForecastsResponse,
    LiveResponse,
    PredictRequest,
    PredictResponse,
)

_SCHEMA = "#/components/schemas/{model}"
_KEYED = {
    400: "No request, or no JSON",
    403: "A wrong or no key",
    404: "A pair that is not served, a bar that is not there, or no live feed",
    408: "Too slow",
    413: "Too large",
    415: "A body that says it is no JSON",
    409: "Bars that cannot be answered yet",
    429: "Too much is asked, see the header Retry-After",
    503: "A registry that is damaged, or a feed that is read no more",
}
"""What else than an answer may come."""


@cache
def document() -> dict[str, Any]:
    """The document; not to be changed."""
    modes: list[tuple[Any, Any]] = [
        (PredictRequest, "validation"),
        (PredictResponse, "serialization"),
        (ForecastsResponse, "serialization"),
        (LiveResponse, "serialization"),
        (ErrorResponse, "serialization"),
    ]
    _, schemas = models_json_schema(modes, ref_template=_SCHEMA)
    key: list[dict[str, list[str]]] = [{"key": []}, {}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bqx",
            "version": version("bqx"),
            "description": "Forecasts of BQX, with what of them is known in advance beside them.",
        },
        "paths": {
            "/ping": {"get": _operation("Whether the server answers", None, {})},
            "/predict": {
                "post": _operation("Forecast of a pair at all horizons", PredictResponse, _KEYED)
                | {"security": key, "requestBody": _body(PredictRequest)}
            },
            "/forecasts": {
                "get": _operation("Newest forecasts of all pairs", ForecastsResponse, _KEYED)
                | {"security": key}
            },
            "/live": {
                "get": _operation("What became of the bars of the feed", LiveResponse, _KEYED)
                | {"security": key}
            },
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
    }


def _operation(summary: str, answer: type[Any] | None, errors: dict[int, str]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": summary}
    if answer is not None:
        good["content"] = _content(answer)
    others = {
        str(status): {"description": text, "content": _content(ErrorResponse)}
        for status, text in errors.items()
    }
    return {"summary": summary, "responses": {"200": good, **others}}


def _body(of: type[Any]) -> dict[str, Any]:
    return {"required": True, "content": _content(of)}


def _content(of: type[Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMA.format(model=of.__name__)}}}
