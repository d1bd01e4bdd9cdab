"""Bodies of requests, and refusals of them."""

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from bqx.serving.limits import error_of

LARGEST = 6_000_000
"""Bytes of a request, the limit of the endpoints this stands in for."""

IN_FLIGHT = 48_000_000
"""Most bytes of all requests that are being received or wait for their answer."""


def refusal(status: int, kind: str, message: str, **headers: str) -> JSONResponse:
    """An answer that is none."""
    return JSONResponse(error_of(kind, message), status, headers)


async def receive(request: Request, body: bytearray, largest: int = LARGEST) -> Response | None:
    """Receive a request's JSON; what refuses it instead, None where nothing does.

    ``body`` is filled; its bytes are in flight until `release`.
    """
    kind = request.headers.get("content-type", "application/json")
    if kind.partition(";")[0].strip().lower() != "application/json":
        return refusal(415, "type", f"request: no JSON, got {kind[:40]!r}; expected such a type.")
    state = request.app.state
    try:
        async for chunk in request.stream():
            body += chunk
            state.in_flight += len(chunk)
            if len(body) > largest:
                message = f"request: too large, got more than {largest:,} bytes. Send less."
                return refusal(413, "size", message)
            if state.in_flight > IN_FLIGHT:
                return refusal(429, "busy", "requests: too many bytes at a time. Try later.")
    except ClientDisconnect:
        # Nobody reads it.
        return Response(status_code=400)
    return None


def release(request: Request, body: bytearray) -> None:
    """Say that a body is in flight no more."""
    request.app.state.in_flight -= len(body)
