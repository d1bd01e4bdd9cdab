"""The capture of this process: every server's forecasts and answers go through here.

The environment says where, so that ``bqx serve``, the container and Lambda do it alike; without the
variable nothing is written down.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bqx.errors import ParameterError
from bqx.features.engine.newest_bars import NewestBars
from bqx.learning.bundle import Bundle, Prediction
from bqx.market.bars import Bars

if TYPE_CHECKING:
    from bqx.monitoring.capture import Capture

PLACE, SHARE = "BQX_CAPTURE", "BQX_CAPTURE_SHARE"
"""Environment variables: folder or s3:// address, and the share of the minutes (default 0.2)."""

_captures: dict[tuple[str, str], "Capture"] = {}


def current() -> "Capture | None":
    """The capture that the environment names, None for none.

    Raises ParameterError where its share is none.
    """
    key = os.environ.get(PLACE, ""), os.environ.get(SHARE, "")
    if not key[0]:
        return None
    if key not in _captures:
        # With pyarrow, which a server that captures nothing does without.
        from bqx.monitoring import capture

        try:
            share = float(key[1] or capture.SHARE)
        except ValueError:
            raise ParameterError(
                f"{SHARE}: no number, got {key[1]!r:.40}; expected a share above 0, at most 1."
            ) from None
        _captures[key] = capture.Capture(key[0], share)
    return _captures[key]


def forecast(
    bundle: Bundle,
    x: NDArray[np.float32] | None,
    bars: Bars,
    predictions: Mapping[int, Prediction],
) -> None:
    """Write down a forecast, see `Capture.forecast`."""
    own = current()
    if own is not None and isinstance(bars, NewestBars):
        own.forecast(bundle, x, bars, predictions)


def answer(status: int, started: float) -> None:
    """Write down an answer to a request that came at a time of ``perf_counter``."""
    own = current()
    if own is not None:
        own.answer(status, 1e3 * (time.perf_counter() - started))


def flush() -> None:
    """Write what is open, where a process may be frozen before its next call."""
    own = current()
    if own is not None:
        own.flush()


@contextmanager
def running(application: ASGIApp) -> Iterator[ASGIApp]:
    """An application whose answers are written down as long as it runs."""
    own = current()
    if own is None:
        yield application
        return
    from bqx.monitoring.capture import Turning

    turning = Turning(own)
    try:
        yield _Timed(application)
    finally:
        turning.stop()


class _Timed:
    """An application and the time of its answers; pings are none."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/ping":
            await self._application(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._application(scope, receive, sent)
        finally:
            answer(status, started)
