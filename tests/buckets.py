"""A bucket in S3 for tests, on a server of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import boto3
import pytest

PATIENCE = 20
"""Seconds until the server must listen, and until it must have ended."""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Address of a place in a bucket; the module's environment leads to its server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patch.setenv(name, "testing")
            # A session keeps the credentials that it has found, for whoever comes later.
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
            _wait(port)
            boto3.client("s3").create_bucket(Bucket="bqx-ml-features")
            yield "s3://bqx-ml-features/store"
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(PATIENCE)


def _wait(port: int) -> None:
    for _ in range(10 * PATIENCE):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"no server at port {port} after {PATIENCE} s")
