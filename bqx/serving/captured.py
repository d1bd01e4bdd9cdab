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
    current_capture = current()
    if current_capture is not None and isinstance(bars, NewestBars):
        current_capture.forecast(bundle, x, bars, predictions)


def answer(status: int, started: float) -> None:
    """Write down an answer to a request that came at a time of ``perf_counter``."""
    current_capture = current()
    if current_capture is not None:
        current_capture.answer(status, 1e3 * (time.perf_counter() - started))


def flush() -> None:
    """Write what is open, where a process may be frozen before its next call."""
    current_capture = current()
    if current_capture is not None:
        current_capture.flush()


@contextmanager
def turning() -> Iterator[None]:
    """Write the minutes as they pass, and what is open at the end."""
    current_capture = current()
    if current_capture is None:
        yield
        return
    from bqx.monitoring.capture import Turning

    turned = Turning(current_capture)
    try:
        yield
    finally:
        turned.stop()
