"""Limits of a connection in time and number, around uvicorn's own protocol of HTTP/1.1.

uvicorn parses, answers and keeps connections alive, and knows no limit for a header, a body or a
client that does not read. Every state of a connection has a time here, after which it is ended.
"""

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = {"header": 10.0, "body": 20.0, "answer": 20.0, "rest": 5.0, "idle": 30.0, "closing": 1.0}
"""Longest time of each state: a header, a body, the answer until the client has read it, what a
client still sends of a body that was answered before its end, between requests, and the close."""

CONNECTIONS = 200
"""Most at a time; a process may open 256 files on macOS."""

DRAIN = 4.0
"""Seconds from the signal to stop until the last connection is cut."""

_REASONS = {400: "Bad Request", 408: "Request Timeout", 429: "Too Many Requests"}


def error_of(kind: str, message: str) -> dict[str, Any]:
    """Content of every answer that is none."""
    # A lone surrogate of the request is no text that an answer could hold.
    text = message.encode("utf-8", "backslashreplace").decode("utf-8")
    return {"error": {"type": kind, "message": text}}


class LimitedProtocol(H11Protocol):
    """A connection that ends after the time of the state that it is in."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._state: tuple[str, object] = ("", None)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or refuse one too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(429, "busy", f"connections: too many, got over {CONNECTIONS}. Try later.")
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, unless it was refused."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._follow()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the form of every other error."""
        self._refuse(400, "http", "request: no HTTP/1.1, got something else.")

    def shutdown(self) -> None:
        """End the connection when its answer is sent, and in any case after a while."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False
        self.loop.call_later(DRAIN, self.transport.abort)

    def _follow(self) -> None:
        """Start the time of the state that the connection has come to."""
        # A request is known by its cycle: one that follows another has its own time.
        state = self._now(), self.cycle
        if state != self._state:
            self._state = state
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_later(SECONDS[state[0]], self._expire)

    def _now(self) -> str:
        if self.transport.is_closing():
            return "closing"
        if self.cycle is not None and not self.cycle.response_complete:
            return "body" if self.cycle.more_body else "answer"
        if self.conn.their_state is h11.SEND_BODY:
            return "rest"
        return "header" if self.cycle is None or self.conn.trailing_data[0] else "idle"

    def _expire(self) -> None:
        state = self._state[0]
        if state == "body" or (state == "header" and self.conn.trailing_data[0]):
            rule = f"expected the whole {state} within {SECONDS[state]:.0f} seconds"
            self._refuse(408, "time", f"request: too slow, got a part; {rule}.")
            self._follow()
        elif state in ("header", "idle"):
            self.transport.close()
            self._follow()
        else:
            self.transport.abort()

    def _refuse(self, status: int, kind: str, message: str) -> None:
        """Answer past h11, which knows no answer in the middle of a request, and close."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = json.dumps(error_of(kind, message)).encode()
            head = (
                f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
