"""The time and status of every answer, told to who counts them and to who writes them down."""

import time
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bqx.serving import captured

if TYPE_CHECKING:
    from bqx.serving.metered import Meter

LEFT = 499
"""Status of a client that left before its answer, as web servers say it."""
WATCHING = ("/ping", "/metrics")
"""Paths of those who watch the server, whose answers are not written down."""


class Timed:
    """An application whose answers are timed, from the request to their last byte.

    ``meter`` : counts them, None for none; where this process captures they are written down too.
    """

    def __init__(self, inner: ASGIApp, meter: "Meter | None" = None) -> None:
        self.inner, self.meter = inner, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        started, code, left = time.perf_counter(), LEFT, False

        async def watch() -> Message:
            nonlocal left
            message = await receive()
            left = left or message["type"] == "http.disconnect"
            return message

        async def note(message: Message) -> None:
            nonlocal code
            # What is sent to who has left is no answer.
            if message["type"] == "http.response.start" and not left:
                code = message["status"]
            await send(message)

        try:
            await self.inner(scope, watch, note)
        except Exception:
            code = 500
            raise
        finally:
            if self.meter is not None:
                self.meter.count(scope["path"], code, time.perf_counter() - started)
            if scope["path"] not in WATCHING:
                captured.answer(code, started)
