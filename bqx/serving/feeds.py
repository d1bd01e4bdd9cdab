"""Where a live server's bars come from: a file, a folder that grows, or a socket, as JSON lines.

A line is ``{"pair", "ts_utc", "open", "high", "low", "close"}``, maybe with ``"volume"`` and
``"spread"``; ``ts_utc`` is the bar's open as ISO text with its offset. Whole lines alone are read:
what a writer has not finished waits.
"""

import os
import selectors
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from bqx.errors import ParameterError
from bqx.files import open_regular
from bqx.serving.live_panel import FedBar
from bqx.serving.sent import LARGEST, BodyError, read

LONGEST = 4_096
"""Bytes of a line; longer ones are none of bars."""
AT_ONCE = 1 << 20
"""Bytes that are read at one time from one file or connection."""
WRITERS = 16
"""Connections of a socket's feed."""
_NUMBERS = ("open", "high", "low", "close", "volume", "spread")
_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class Feed(Protocol):
    """What gives lines until it is closed."""

    def lines(self, seconds: float) -> list[bytes]:
        """Whole lines that have come, none where none came for so long."""

    def close(self) -> None:
        """End it."""


def opened(name: str) -> Feed:
    """The feed of a name: ``tcp://127.0.0.1:PORT``, which listens there, a file, or a folder whose
    ``*.jsonl`` files are read as they grow, in the order of their names.

    Raises ParameterError for what is none.
    """
    if name.startswith("tcp://"):
        return SocketFeed(*_address(name))
    path = Path(name).expanduser()
    if not path.is_file() and not path.is_dir():
        raise ParameterError(
            f"--live: no feed, got {name}; expected a file or folder of JSON lines, or "
            "tcp://127.0.0.1:PORT."
        )
    return FileFeed(path)


def parsed(line: bytes) -> FedBar | None:
    """The bar of a line, None where it is none."""
    try:
        content = read(line)
        stamp = datetime.fromisoformat(content["ts_utc"])
        seconds = stamp.timestamp() if stamp.tzinfo is not None else 0.5
        bar = {name: float(content[name]) for name in _NUMBERS if content.get(name) is not None}
        good = seconds % 60 == 0 and isinstance(content["pair"], str)
        kinds = {type(content[name]) for name in bar}
    except (BodyError, ValueError, TypeError, LookupError, AttributeError, OverflowError,
            RecursionError):  # fmt: skip
        return None
    if not good or not kinds <= {int, float} or max(bar.values(), default=0.0) >= LARGEST:
        return None
    return FedBar(content["pair"], int(seconds) // 60, bar)


class _Lines:
    """Lines of a stream that comes piece by piece."""

    def __init__(self) -> None:
        self._rest = b""
        self._skips = False

    def of(self, chunk: bytes) -> Iterator[bytes]:
        """Lines that a piece completes; of one too long its start, which is no bar."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            skipped, self._skips = self._skips, False
            if not skipped and line.strip():
                yield line[:LONGEST]
        if len(self._rest) > LONGEST:
            if not self._skips:
                yield self._rest[:LONGEST]
            self._rest, self._skips = b"", True


class FileFeed:
    """Lines of a file, or of all files of a folder, from their start on and as they grow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: dict[Path, tuple[int, _Lines]] = {}

    def lines(self, seconds: float) -> list[bytes]:
        """Whole lines that have been written."""
        out: list[bytes] = []
        paths = sorted(self._path.glob("*.jsonl")) if self._path.is_dir() else [self._path]
        for path in paths:
            place, lines = self._read.get(path, (0, _Lines()))
            try:
                with open_regular(path) as file:
                    if os.fstat(file.fileno()).st_size < place:
                        # Another file under the same name.
                        place, lines = 0, _Lines()
                    file.seek(place)
                    chunk = file.read(AT_ONCE)
            except OSError:
                # A file that was taken away, or that cannot be read yet.
                continue
            self._read[path] = place + len(chunk), lines
            out.extend(lines.of(chunk))
            if len(chunk) == AT_ONCE:
                # Those after it wait for its rest, with which the next call goes on.
                break
        return out

    def close(self) -> None:
        """Nothing is kept open."""


class SocketFeed:
    """Lines that programs of this machine write to a port."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.socket(family)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listening.bind((host, port))
        except OSError as error:
            self._listening.close()
            raise ParameterError(
                f"--live: port cannot be used, got {port} ({error.strerror}); expected a free one. "
                "Name another, or stop what listens there."
            ) from None
        self._listening.listen(WRITERS)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)

    def lines(self, seconds: float) -> list[bytes]:
        """Whole lines that have come, waiting at most so long for the first."""
        out: list[bytes] = []
        ready = [key for key, _ in self._selector.select(seconds)]
        for key in ready:
            if key.fileobj is not self._listening:
                out.extend(self._receive(key))
        # Last, when those that have left are gone.
        if any(key.fileobj is self._listening for key in ready):
            self._accept()
        return out

    def close(self) -> None:
        """End it and its connections."""
        for key in list(self._selector.get_map().values()):
            self._drop(key)
        self._selector.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            # The writer is gone again, or no more files may be open.
            return
        connection.setblocking(False)
        if len(self._selector.get_map()) > WRITERS:
            connection.close()
            return
        self._selector.register(connection, selectors.EVENT_READ, _Lines())

    def _receive(self, key: selectors.SelectorKey) -> list[bytes]:
        connection: Any = key.fileobj
        try:
            chunk = connection.recv(AT_ONCE)
        except OSError:
            chunk = b""
        if not chunk:
            self._drop(key)
            # A last line needs no end.
            chunk = b"\n"
        return list(key.data.of(chunk))

    def _drop(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fileobj)
        connection: Any = key.fileobj
        connection.close()


def _address(name: str) -> tuple[str, int]:
    host, _, port = name.removeprefix("tcp://").rpartition(":")
    if host not in _HOSTS or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ParameterError(
            f"--live: no address, got {name[:60]}; expected tcp://127.0.0.1:PORT. A feed of "
            "another machine needs a tunnel."
        )
    return host.strip("[]"), int(port)
