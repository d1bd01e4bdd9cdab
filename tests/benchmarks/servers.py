"""Servers that benchmarks ask, a bare one beside them, and what is kept of their times."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import psutil

PORT = "PORT"
"""Stands in a command for the server's port."""

BARE = """
import sys
import uvicorn
ANSWER = open(sys.argv[2], "rb").read()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", http="h11", lifespan="off")
"""
"""An application that answers every request with the content of a file."""


def megabytes(process: subprocess.Popen[Any]) -> float:
    """Memory that a process holds."""
    return float(psutil.Process(process.pid).memory_info().rss) / 1e6


@contextmanager
def running(
    *command: object, seconds: float = 240.0
) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """A client of a server that a command of this interpreter starts, and its process, which ends
    with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = [port if word == PORT else str(word) for word in command]
    process = subprocess.Popen([sys.executable, *words])
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            end = time.monotonic() + seconds
            while True:
                try:
                    client.get("/ping")
                    break
                except httpx.TransportError:
                    assert process.poll() is None
                    assert time.monotonic() < end
                    time.sleep(0.1)
            yield client, process
    finally:
        process.kill()
        process.wait(30)


def percentiles(spent: list[float]) -> tuple[float, float]:
    """Median and 99th percentile, ms."""
    middle, late = np.percentile(spent, (50, 99))
    return 1e3 * float(middle), 1e3 * float(late)


def keep(results: dict[str, Any], what: str, value: float, unit: str) -> None:
    """Among the times of the book's page."""
    results.setdefault("times", []).append((what, value, unit))
    print(f"\n{what}: {value:.4g} {unit}")
