"""The thread that takes bars from a feed and keeps forecasts new."""

import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from bqx.errors import ArtefactError
from bqx.learning.bundle import Bundle
from bqx.market import sessions
from bqx.market.bars import COLUMNS
from bqx.serving import live_state
from bqx.serving.feeds import Feed, parsed
from bqx.serving.live_panel import LivePanel
from bqx.serving.models import Models, Served

QUIET = 0.2
"""Seconds without a line after which what has come is forecast, though pairs are still awaited."""
SAVED = 900.0
"""Seconds from one saved state to the next; one is saved at the start, and one at the end."""


class LiveFeed:
    """Feed, panel and models of a live server.

    ``panel`` forecasts with what the models serve at the moment: an approval or rejection is
    noticed within a second.

    Parameters
    ----------
    state : file of the panel's state, read at the start where it is there, None for none.

    Attributes
    ----------
    fault : what is wrong with the registry, "" while nothing is. Until it is restored nobody knows
        whether what is served is still approved.
    ended : what ended the thread before `stop`, "" while nothing has. No forecast is given then,
        since the bars would grow old.
    """

    def __init__(self, feed: Feed, models: Models, state: Path | None = None) -> None:
        self.feed, self.models, self.state = feed, models, state
        self._ready: Mapping[str, Served] = models.ready
        self._standing = _by_bundle(models.ready)
        self._following = threading.Lock()
        self.fault = self.ended = ""
        self.panel = LivePanel(_bundles(models.ready))
        if state is not None and state.exists():
            live_state.restore(self.panel, state)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bqx live feed", daemon=True)

    def begin_with(self, history: Path) -> None:
        """Start after the bars of a folder or file, in any format of `readers`.

        Raises BarError when there are none of the served pairs.
        """
        # The only part of a server that reads files of bars, with all that takes.
        from bqx.market import readers

        frames = readers.read_folder(history)
        self.panel.start(
            {
                pair: (sessions.epoch_minutes(frame.index), frame[list(COLUMNS)].to_numpy().T)
                for pair, frame in frames.items()
            }
        )

    def start(self) -> None:
        """Begin to read."""
        self.panel.refresh()
        # What came from a history is kept too should the server be killed.
        self._try_to_save()
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(5.0)
        self.feed.close()

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:
            self.ended = (
                f"live feed: ended, got {type(error).__name__} {error}; expected bars until the "
                "server stops. Start it again."
            )
            traceback.print_exc()
            print(self.ended, file=sys.stderr)

    def _read(self) -> None:
        checked = saved = time.monotonic()
        while not self._stop.is_set():
            try:
                lines = self.feed.lines(QUIET)
            except OSError as error:
                print(f"live feed: not read, got {error.strerror}.", file=sys.stderr)
                self._stop.wait(1.0)
                continue
            self._take(lines)
            now = time.monotonic()
            if now > checked + 1.0:
                checked = now
                self._look()
            if now > saved + SAVED:
                saved = now
                self._try_to_save()
            if not lines:
                # A file's feed does not wait.
                self._stop.wait(QUIET / 4)

    def _look(self) -> None:
        """Follow the registry; a damaged one is told here, once, and to all who ask."""
        before = self.fault
        try:
            self.follow()
            self.fault = ""
        except ArtefactError as error:
            self.fault = str(error)
        if self.fault != before:
            print(f"live feed: {self.fault or 'the registry is whole again'}", file=sys.stderr)

    def _take(self, lines: list[bytes]) -> None:
        if lines:
            bars = [parsed(line) for line in lines]
            self.panel.counts["no_bar"] += sum(bar is None for bar in bars)
            self.panel.feed(bar for bar in bars if bar is not None)
        if self.panel.stale and (not lines or self.panel.complete):
            self.panel.refresh()

    def follow(self) -> Mapping[str, Served]:
        """What the models serve now, with which the panel forecasts from here on.

        Raises ArtefactError as `Models.current` does; the last good models then stay.
        """
        with self._following:
            ready = self.models.current()
            if ready is not self._ready:
                # Both, until no forecast of those before is left.
                self._standing |= _by_bundle(ready)
                self.panel.serve(_bundles(ready))
                self._ready, self._standing = ready, _by_bundle(ready)
        return ready

    def served(self, bundle: Bundle) -> Served:
        """A bundle of a forecast with its standing."""
        return self._standing.get(id(bundle)) or Served(bundle)

    def save(self) -> None:
        """Save the panel's state, where there is a file for it.

        Raises OSError where it cannot be written.
        """
        if self.state is not None:
            live_state.save(self.panel, self.state)

    def _try_to_save(self) -> None:
        # What is served meanwhile does not depend on it.
        try:
            self.save()
        except OSError as error:
            print(f"{self.state}: not saved, got {error.strerror}.", file=sys.stderr)


def _bundles(served: Mapping[str, Served]) -> dict[str, Bundle]:
    return {pair: of.bundle for pair, of in served.items()}


def _by_bundle(served: Mapping[str, Served]) -> dict[int, Served]:
    return {id(of.bundle): of for of in served.values()}
