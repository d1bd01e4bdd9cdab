"""Receivers of alerts on this machine: a webhook and a mail server, each on a thread that ends."""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Webhook(ThreadingHTTPServer):
    """Keeps what was posted; ``status`` is what it answers, ``silent`` that it does not answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Posted)
        self.posted: list[dict] = []
        self.status, self.silent = 200, False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/T0/B0/x"


class _Posted(BaseHTTPRequestHandler):
    timeout = 20.0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) < int(self.headers["Content-Length"]):
            return  # cut off
        self.server.posted.append(json.loads(body))
        if self.server.silent:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        answer = b"ok" if self.server.status == 200 else b"invalid_payload"
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps the mails that were handed over whole; ``farewell`` is what it answers to QUIT."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.mails: list[bytes] = []
        self.refuses, self.farewell = b"", b"221 bye"

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Mail(socketserver.StreamRequestHandler):
    timeout = 20.0

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"QUIT":
                self.wfile.write(self.server.farewell + b"\r\n")
                return
            if self.server.refuses and line.upper().startswith(self.server.refuses):
                self.wfile.write(b"550 not here\r\n")
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                content = []
                while (own := self.rfile.readline()) not in (b".\r\n", b""):
                    content.append(own)
                if own:
                    self.server.mails.append(b"".join(content))
                    self.wfile.write(b"250 taken\r\n")
            else:
                self.wfile.write(b"250 ok\r\n")


@contextmanager
def listening(server: socketserver.BaseServer) -> Iterator[socketserver.BaseServer]:
    """A server that answers while the block runs."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
