"""Load: so many requests a second at a server for so long, each sent when it is due.

Requests go out by the clock, whether or not earlier ones were answered, and their time counts from
the moment they were due: a server that falls behind shows it.
"""

import http.client
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult

import numpy as np

from bqx.errors import ParameterError
from bqx.files import write_json
from bqx.params import addresses

RECORD = "load.json"
PEAK = 100.0 / 3.0
"""Requests a second at the documents' peak: their load test is three times as many."""
TIMES = 3.0
MINUTES = 10.0
WORKERS = 32
"""Connections that are kept open."""
TIMEOUT = 10.0
"""Seconds after which a request counts as failed."""
MOST = 10_000_000
"""Requests of a test, of which each one's time is kept."""
NEVER = 1e9
"""Milliseconds that stand for no answer at all."""


@dataclass(frozen=True)
class Load:
    """What a load test found.

    ``rate`` : requests a second that were due; ``sent``, ``failed`` : requests, and those without
    an answer of status 200; ``p50``, ``p95``, ``p99`` : milliseconds from when they were due;
    ``reached`` : requests a second that were answered.
    """

    rate: float
    seconds: float
    sent: int
    failed: int
    p50: float
    p95: float
    p99: float
    reached: float

    def write(self, records: Path) -> None:
        """Keep the findings for the checklist."""
        write_json(records / RECORD, asdict(self) | {"at": time.time()})


def press(
    url: str,
    bodies: Sequence[bytes],
    rate: float = PEAK * TIMES,
    *,
    seconds: float = MINUTES * 60.0,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Send requests to a server, the bodies in turn (none: GET), and measure its answers.

    Raises ParameterError for an address, a rate, a time or a header that is none.
    """
    place = addresses.http("URL", url)
    if not 1.0 <= rate * seconds <= MOST:
        what = "too much" if rate * seconds > MOST else "nothing"
        raise ParameterError(
            f"--rate: {what} to send, got {rate:g} for {seconds:g} s; expected 1 to {MOST:,} "
            "requests."
        )
    count = int(rate * seconds)
    for name, value in (headers or {}).items():
        if not (value.isascii() and value.isprintable()):
            raise ParameterError(f"{name}: no header, got {value!r:.60}; expected plain text.")
    spent, stop = np.full(count, np.nan), threading.Event()
    start = time.perf_counter() + 0.1
    workers = min(WORKERS, count)

    def work(first: int) -> None:
        with _Line(place, headers or {}) as line:
            for number in range(first, count, workers):
                due = start + number / rate
                if stop.wait(max(due - time.perf_counter(), 0.0)):
                    return
                if line.ask(bodies[number % len(bodies)] if bodies else None):
                    spent[number] = time.perf_counter() - due

    _run([partial(work, number) for number in range(workers)], stop, start + seconds + TIMEOUT)
    lasted = max(time.perf_counter() - start, seconds)
    answered = spent[np.isfinite(spent)] * 1e3
    p50, p95, p99 = np.percentile(answered, (50, 95, 99)) if len(answered) else (NEVER,) * 3
    return Load(
        rate=rate,
        seconds=seconds,
        sent=count,
        failed=count - len(answered),
        p50=float(p50),
        p95=float(p95),
        p99=float(p99),
        reached=len(answered) / lasted,
    )


def _run(works: Sequence[Callable[[], None]], stop: threading.Event, end: float) -> None:
    """Run works in threads until a time; what is unsent then stays so, and counts as failed."""
    threads = [threading.Thread(target=task, daemon=True) for task in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(end - time.perf_counter(), 0.0))
    stop.set()
    for thread in threads:
        thread.join(TIMEOUT)


class _Line:
    """A connection that is kept open, and opened anew after a fault."""

    def __init__(self, place: SplitResult, headers: Mapping[str, str]) -> None:
        secure = place.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self.connection = kind(str(place.hostname), place.port, timeout=TIMEOUT)
        self.path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        self.headers = dict(headers)

    def ask(self, body: bytes | None) -> bool:
        """Whether a request is answered with status 200."""
        try:
            self.connection.request(
                "GET" if body is None else "POST", self.path, body, self.headers
            )
            answer = self.connection.getresponse()
            answer.read()
            return answer.status == http.client.OK
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()
