"""A live server in a process of its own, fed and asked minute by minute."""

import http.client
import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bqx.market import sessions
from bqx.monitoring.capture import lot

SERVED = Path(__file__).with_name("served_then.py")
PATIENCE = 60.0
"""Seconds after which something that is waited for will not come."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(registry, capture, share):
    """A server of a registry with a feed and a capture, which is ended in any case."""
    port, feed = free_port(), free_port()
    command = [
        *(sys.executable, str(SERVED), "serve", str(registry), "--port", str(port)),
        *("--live", f"tcp://127.0.0.1:{feed}", "--capture", str(capture)),
        *("--capture-share", str(share)),
    ]
    with ExitStack() as stack:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait, 10)
        stack.callback(process.kill)
        server = LiveServer(port, share)
        stack.callback(server.close)
        server.connect(feed, process)
        yield server


class LiveServer:
    """What a feed and a client know of a server."""

    def __init__(self, port, share):
        self.client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.share = share
        self.feed = None
        self.sent = None

    def connect(self, feed, process):
        """Wait until it answers, then write to its feed."""
        give_up = time.monotonic() + PATIENCE
        while self.feed is None:
            assert process.poll() is None
            assert time.monotonic() < give_up
            try:
                self.client.request("GET", "/ping")
                self.client.getresponse().read()
                self.feed = socket.create_connection(("127.0.0.1", feed), PATIENCE)
            except OSError:
                self.client.close()
                time.sleep(0.2)

    def close(self):
        self.client.close()
        if self.feed is not None:
            self.feed.close()

    def send(self, pair, frame):
        """Send bars that were not sent yet."""
        fresh = frame if self.sent is None else frame.loc[frame.index > self.sent]
        if len(fresh):
            rows = zip(fresh.index, fresh.to_dict("records"), strict=True)
            lines = [
                json.dumps({"pair": pair, "ts_utc": ts.isoformat()}
                           | {k: v for k, v in bar.items() if v == v})
                for ts, bar in rows
            ]  # fmt: skip
            self.feed.sendall("".join(f"{line}\n" for line in lines).encode())
            self.sent = fresh.index[-1]

    def answer(self, pair, until=lambda answer: True):
        """The newest forecast, once it is what is waited for."""
        return self._asked(until, "POST", "/predict", json.dumps({"pair": pair}))

    def forecast(self, pair, frame):
        """Have a forecast made of every minute of some bars that the capture writes."""
        minutes = sessions.epoch_minutes(frame.index).tolist()
        for minute in minutes:
            if lot(minute) < self.share or minute == minutes[-1]:
                self.send(pair, frame.loc[: sessions.timestamp(minute)])
                # Before it reads more of its feed the server forecasts what it has.
                newest = self.sent.isoformat()
                self._asked(lambda told, at=newest: told["newest"] == at, "GET", "/live")

    def _asked(self, until, *request):
        give_up = time.monotonic() + PATIENCE
        while True:
            self.client.request(*request)
            response = self.client.getresponse()
            answer = json.loads(response.read())
            if response.status == 200 and until(answer):
                return answer
            assert time.monotonic() < give_up, answer
            # Not there yet, or too often asked for.
            time.sleep(0.01)
