"""A server under attack: no 5xx, no traceback, bounded memory, every connection ended."""

import json
import socket
import time
from contextlib import ExitStack, suppress

import pytest
from hostile_clients import (
    allow_files,
    answers,
    attack,
    serving,
    statuses,
    stop,
    storm,
    stubborn,
    trickling,
    wait_for,
)
from hostile_requests import KINDS, POST, encoded, get, good_request, post
from learned import PAIR, PARAMS, learn

from bqx.learning import bundle
from bqx.market import simulated
from bqx.serving import live
from bqx.serving.limits import CONNECTIONS, DRAIN, SECONDS

PACE = 0.1
"""Of the limits of time, for the tests that wait for one."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    learned = learn("strong", 1)
    folder = tmp_path_factory.mktemp("hostile")
    bundle.bundle(learned.bars, learned.result.fits[-1], PARAMS, {}).save(folder / PAIR)
    return folder


@pytest.fixture(scope="module")
def good(folder):
    """An answerable request."""
    need = bundle.load(folder / PAIR).lookback
    days = PARAMS.days
    frames = simulated.simulate("strong", (PAIR,), PARAMS.start, days=days, seed=1).frames
    request = live.payload(PAIR, frames[PAIR].iloc[-(need + 50) :])
    return json.loads(json.dumps(request))


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    with serving(folder, tmp_path_factory.mktemp("printed") / "printed.txt", pace=PACE) as server:
        yield server


def quiet(server):
    """Nothing was printed but what is served."""
    printed = server.printed.read_text()
    served = f"{PAIR}: unregistered, NOT approved\n"
    place = f"http://127.0.0.1:{server.port} answers until Ctrl-C\n"
    assert printed == served + place, printed[-3_000:]


def test_no_hostile_request_breaks_the_server(server, good):
    before = server.memory
    tally = storm(server, good, 600, threads=32, patience=30 * PACE + 20)
    assert tally.faults == []
    assert sum(tally.sent.values()) == 600
    assert set(tally.sent) == {kind.__name__ for kind in KINDS}
    assert {200, 400, 404, 405, 415, 422} <= set(tally.answered)
    assert tally.largest - before < 300e6
    wait_for(lambda: not server.connections, 2 * SECONDS["body"] * PACE + 5)
    assert statuses(_post(server, good)) == [200]
    quiet(server)


def received(connection, seconds):
    """What a server sent until it ended the connection, and how long that took."""
    start, chunks = time.monotonic(), b""
    connection.settimeout(seconds)
    try:
        while chunk := connection.recv(65_536):
            chunks += chunk
    except ConnectionResetError:
        pass
    return chunks, time.monotonic() - start


@pytest.mark.parametrize(
    ("start", "state", "said"),
    [
        (b"", "header", b""),
        (POST, "header", b"the whole header within"),
        (POST + b"host: x\r\ncontent-length: 999\r\n\r\n{", "body", b"the whole body within"),
        (get() + POST, "header", b"the whole header within"),
        (get(), "idle", b""),
        (post(b" ", length=10**9), "body", b"the whole body within"),
        (b"PUT /ping HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n", "rest", b"not answered"),
    ],
)
def test_a_connection_ends_after_the_time_of_its_state(server, start, state, said):
    limit = SECONDS[state] * PACE
    connections = [server.connect() for _ in range(2)]
    for connection in connections:
        connection.sendall(start)
    # The second sends a byte now and then, which gives it no more time.
    slow = [] if state == "idle" else connections[1:]
    with trickling(slow, pause=0.15):
        for connection in connections:
            chunks, seconds = received(connection, limit + 10)
            connection.close()
            assert seconds < limit + 3
            assert said in chunks
    quiet(server)


@pytest.mark.fuzz
def test_a_client_that_does_not_read_is_ended(server):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect(("127.0.0.1", server.port))
    connection.setblocking(False)
    start = time.monotonic()
    # Until megabytes of answers stand in the buffers of both sides.
    while server.connections and time.monotonic() - start < 60:
        with suppress(BlockingIOError, ConnectionError):
            connection.send(get() * 100)
        time.sleep(0.01)
    assert not server.connections
    connection.close()
    quiet(server)


def test_more_connections_than_the_limit_are_refused_and_do_not_harm(folder, tmp_path):
    allow_files(2_000)
    # At a tenth of the limits, a busy server ends the first before the last has come.
    with serving(folder, tmp_path / "printed.txt") as server, ExitStack() as opened:
        connections = [opened.enter_context(server.connect()) for _ in range(CONNECTIONS + 150)]
        last, _ = received(connections[-1], 5)
        assert statuses(last) == [429]
        assert b"connections: too many" in last
        wait_for(lambda: not server.connections, SECONDS["header"] + 10)
        assert answers(server)
        quiet(server)


def test_clients_that_hang_up_cost_no_forecast_and_leave_no_word(server, good):
    start = time.monotonic()
    for _ in range(100):
        attack(server, good_request(None, good), "reset", patience=5)
    assert statuses(_post(server, good)) == [200]
    assert time.monotonic() - start < 20
    quiet(server)


def _post(server, good):
    with server.connect() as connection:
        connection.sendall(post(encoded(good), b"connection: close"))
        return received(connection, 20)[0]


def test_a_signal_ends_the_server_whatever_clients_do(folder, good, tmp_path):
    allow_files(2_000)
    with serving(folder, tmp_path / "printed.txt") as server:
        connections = stubborn(server, good, CONNECTIONS - 20)
        with trickling(connections):
            time.sleep(0.5)
            assert stop(server) < DRAIN + 4
        assert server.process.returncode == -15
        for connection in connections:
            connection.close()
        quiet(server)


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_thousand_requests(folder, good, tmp_path, seed):
    with serving(folder, tmp_path / "printed.txt", pace=PACE) as server:
        attack(server, good_request(None, good), "wait", patience=20)
        before = server.memory
        start = time.monotonic()
        tally = storm(server, good, 17_500, threads=32, patience=60, seed=seed)
        assert tally.requests >= 25_000
        seconds = time.monotonic() - start
        print(
            f"{tally.requests} requests in {seconds:.0f} s, {before:,} to {tally.largest:,} bytes"
        )
        print(dict(tally.sent), dict(tally.answered))
        assert tally.faults == []
        assert tally.largest - before < 400e6
        wait_for(lambda: not server.connections, 10)
        assert statuses(_post(server, good)) == [200]
        quiet(server)


@pytest.mark.fuzz
def test_as_many_slow_clients_as_there_may_be_are_all_ended(folder, good, tmp_path):
    allow_files(4_000)
    with serving(folder, tmp_path / "printed.txt") as server:
        connections = stubborn(server, good, CONNECTIONS)
        with trickling(connections):
            # A connection may go through one state after the other.
            seconds = wait_for(lambda: not server.connections, sum(SECONDS.values()))
        print(f"{seconds:.0f} s to end them")
        assert answers(server)
        more = stubborn(server, good, 2 * CONNECTIONS)
        with trickling(more):
            time.sleep(1)
            seconds = stop(server)
        print(f"{seconds:.1f} s to stop")
        assert seconds < 10
        for connection in (*connections, *more):
            connection.close()
        quiet(server)
