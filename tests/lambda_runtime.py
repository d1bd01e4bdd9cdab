"""A stub of Lambda's runtime API, and the real runtime interface client run against it."""

import http.server
import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

needs_client = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None,
    reason="awslambdaric is not installed: make cloud",
)

SECONDS = 120
"""Longest time that an answer may take, the start of the process included."""


class Runtime:
    """Events in, what the client posts back out."""

    def __init__(self):
        self.events = queue.Queue()
        self.answers = queue.Queue()
        runtime, number = self, iter(range(1_000_000))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = SECONDS
            wbufsize = -1

            def do_GET(self):
                event = runtime.events.get()
                if event is None:
                    self.close_connection = True
                    return
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", str(next(number)))
                self.send_header("Lambda-Runtime-Deadline-Ms", "9999999999999")
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:x:1:f")
                self.send_header("Content-Type", "application/json")
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                runtime.answers.put((self.path.rsplit("/", 1)[1], body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.events.put(None)
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()


@contextmanager
def client(handler, printed, **environment):
    """Ask a handler that the runtime interface client runs."""
    runtime = Runtime()
    variables = (
        os.environ
        | environment
        | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "bqx",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_LOG_GROUP_NAME": "bqx",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bqx",
        }
    )
    command = [sys.executable, "-m", "bqx.serving", "lambda", handler]
    with printed.open("wb") as file:
        process = subprocess.Popen(command, env=variables, stdout=file, stderr=file)

    def ask(event):
        runtime.events.put(event)
        end = time.monotonic() + SECONDS
        while runtime.answers.empty():
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < end, f"no answer within {SECONDS} seconds"
            time.sleep(0.001)
        kind, body = runtime.answers.get()
        assert kind == "response", body
        return json.loads(body)

    try:
        yield ask
    finally:
        process.kill()
        process.wait(30)
        runtime.close()
