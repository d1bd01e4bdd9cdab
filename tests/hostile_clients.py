"""Clients that send hostile requests to a server of their own, and count what it does."""

import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from hostile_requests import KINDS, LARGE, PIPELINED, POST, encoded, get, post

ROOT = Path(__file__).parents[1]
CODE = """
import sys
from pathlib import Path
from bqx.serving import app, limits
times = {state: seconds * float(sys.argv[3]) for state, seconds in limits.SECONDS.items()}
# A busy machine may need the whole of it.
limits.SECONDS.update(times | {"answer": limits.SECONDS["answer"]})
app.serve(Path(sys.argv[1]), int(sys.argv[2]), unapproved=True)
"""


@dataclass
class Server:
    """A server process, its address, and what it printed so far."""

    process: subprocess.Popen
    port: int
    printed: Path

    @property
    def connections(self):
        """Connections that it holds."""
        inodes = psutil.Process(self.process.pid).net_connections("tcp")
        return [c for c in inodes if c.status in ("ESTABLISHED", "CLOSE_WAIT")]

    @property
    def memory(self):
        """Bytes that it has in memory."""
        return psutil.Process(self.process.pid).memory_info().rss

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


@contextmanager
def serving(folder, printed, *, pace=1.0, arguments=()):
    """A server of bundles; its limits of time, but for an answer, are multiplied by the pace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", CODE, str(folder), str(port), str(pace), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with printed.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    server = Server(process, port, printed)
    try:
        wait_for(lambda: answers(server), 120)
        yield server
    finally:
        process.kill()
        process.wait()


def answers(server):
    """Whether the server answers a ping."""
    assert server.process.poll() is None, server.printed.read_text()
    with suppress(OSError), server.connect() as connection:
        connection.sendall(get())
        return connection.recv(100).startswith(b"HTTP/1.1 200")
    return False


def wait_for(condition, seconds):
    """Seconds until a condition holds, at most so many."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not within {seconds} seconds"
        time.sleep(0.05)
    return time.monotonic() - start


def statuses(received):
    """Statuses of the answers in what a client received."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


ENDINGS = ("close", "half", "reset", "wait", "read")
"""What a client does after its bytes: hang up, say that it sends no more, reset, wait for an answer
and hang up, or read until the server ends the connection."""


def attack(server, sent, ending, *, patience):
    """Statuses of what came back before the connection ended."""
    received = b""
    try:
        with server.connect() as connection:
            connection.settimeout(patience)
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(sent)
            if ending == "close":
                return []
            if ending == "reset":
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return []
            if ending == "half":
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65_536):
                received += chunk
                if ending == "wait":
                    break
    except ConnectionResetError:
        pass
    return statuses(received)


@dataclass
class Tally:
    """What came of an attack."""

    sent: Counter = field(default_factory=Counter)
    answered: Counter = field(default_factory=Counter)
    faults: list = field(default_factory=list)
    largest: int = 0

    @property
    def requests(self):
        """Number of requests, many of which may have come on one connection."""
        return sum(self.sent.values()) + (PIPELINED - 1) * self.sent["pipelined"]


def storm(server, good, count, *, threads, patience, seed=0, large=0.002):
    """Many requests of every kind by some clients at a time."""
    tally, lock = Tally(), threading.Lock()
    left = iter(range(count))
    cheap = [kind for kind in KINDS if kind not in LARGE]

    def client(number):
        rng = random.Random(f"{seed} {number}")
        while True:
            with lock:
                turn = next(left, None)
            if turn is None:
                return
            # Each kind a number of times, however few there are.
            if turn < len(KINDS):
                kind = KINDS[turn]
            else:
                kind = rng.choice(LARGE if rng.random() < large else cheap)
            ending = rng.choices(ENDINGS, (8, 8, 4, 80, 0.2))[0]
            sent = kind(rng, good)
            try:
                codes = attack(server, sent, ending, patience=patience)
            except Exception as error:
                with lock:
                    tally.faults.append((kind.__name__, ending, repr(error), sent[:300]))
                continue
            with lock:
                tally.sent[kind.__name__] += 1
                tally.answered.update(codes)
                if any(code >= 500 for code in codes):
                    tally.faults.append((kind.__name__, ending, codes, sent[:300]))
                if turn % 50 == 0:
                    tally.largest = max(tally.largest, server.memory)
                if turn % 2_000 == 0:
                    print(turn, tally.largest, tally.faults, dict(tally.answered), flush=True)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(threads)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return tally


def stubborn(server, good, count):
    """Connections of clients that end nothing: a part of a header or body, many requests whose
    answers they do not read, a good request, or nothing at all. Most are left to the server."""
    whole = post(encoded(good))
    endless = POST + b"host: x\r\ncontent-length: 5999999\r\n\r\n"
    starts = (b"", POST, endless, endless + b" " * 900_000, whole[:-1], whole, get() * 200)
    connections = []
    for number in range(count):
        connection = server.connect()
        connection.setblocking(False)
        with suppress(BlockingIOError, ConnectionError):
            connection.send(starts[number % len(starts)])
        connections.append(connection)
    return connections


@contextmanager
def trickling(connections, pause=0.2):
    """A byte to each connection again and again, as of a client that is slow on purpose."""
    stop = threading.Event()

    def trickle():
        while not stop.wait(pause):
            for connection in connections:
                with suppress(OSError):
                    connection.send(b"a")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def stop(server):
    """Seconds from SIGTERM to the end of the process."""
    start = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=30)
    return time.monotonic() - start


def allow_files(count):
    """Let this process have so many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
