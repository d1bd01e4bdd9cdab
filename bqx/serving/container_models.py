"""What a container has loaded: models by name, within the memory that it may use."""

import ctypes
import gc
import os
import resource
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bqx.errors import ArtefactError, BqxError, ParameterError
from bqx.features.engine.newest_bars import NewestBars
from bqx.features.engine.requirements import walk
from bqx.learning.bundle import Bundle
from bqx.market import sessions
from bqx.market.bars import Panel
from bqx.market.pairs import PAIRS
from bqx.serving.models import Served, bundles

VARIABLE = "BQX_MEMORY_MB"
"""Variable that sets the memory that models may fill the process to."""
SHARE = 0.8
"""Of the container's memory, that models may fill it to; the rest is for requests."""


class LoadedError(BqxError):
    """A model of that name is there already."""


class FullError(BqxError):
    """No memory for another model."""


@dataclass(frozen=True)
class Loaded:
    """A model: ``url`` where its folder lies, ``served`` its bundles by pair."""

    url: str
    served: Mapping[str, Served]


class LoadedModels:
    """Models by name, the one that was used longest ago first.

    ``limit`` : bytes that the process may hold with them. ``evicting`` : whether a new one takes
    the place of those used longest ago; on a multi-model endpoint the platform decides that.
    """

    def __init__(self, limit: int, evicting: bool = False) -> None:
        self.limit = limit
        self.evicting = evicting
        self._models: OrderedDict[str, Loaded] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def names(self) -> dict[str, str]:
        """Where each model lies, by name."""
        return {name: loaded.url for name, loaded in sorted(self._models.items())}

    def get(self, name: str) -> Loaded | None:
        """A model that is used now; None where it is not loaded."""
        with self._lock:
            if name in self._models:
                self._models.move_to_end(name)
            return self._models.get(name)

    def load(self, name: str, folder: Path) -> None:
        """Read a folder of bundles, try each, and keep it.

        Raises
        ------
        LoadedError : there already. FullError : no memory; nothing was changed, but for models
        that made room. ArtefactError : no bundle, or one that gives no forecast.
        """
        if name in self._models:
            raise LoadedError(f"model: loaded already, got {name[:60]!r}; expected another.")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        self._make_room(size)
        loaded = Loaded(str(folder), bundles(folder))
        for served in loaded.served.values():
            check(served.bundle)
        while (used_bytes := held_bytes()) > self.limit and self._evict():
            pass
        if used_bytes > self.limit:
            del loaded, served
            reclaim()
            raise self._full(used_bytes)
        with self._lock:
            self._models[name] = loaded

    def unload(self, name: str) -> bool:
        """Forget a model and give its memory back; False where it is not loaded."""
        with self._lock:
            was_loaded = self._models.pop(name, None) is not None
        if was_loaded:
            reclaim()
        return was_loaded

    def _make_room(self, size: int) -> None:
        while (used_bytes := held_bytes()) + size > self.limit:
            if not self._evict():
                raise self._full(used_bytes)

    def _evict(self) -> bool:
        if not (self.evicting and self._models):
            return False
        return self.unload(next(iter(self._models)))

    def _full(self, held: int) -> FullError:
        return FullError(
            f"memory: full, got {held >> 20:,} MB; expected at most {self.limit >> 20:,} MB. "
            "Unload a model."
        )


def check(bundle: Bundle) -> None:
    """Make a bundle forecast on a random walk, which also readies its kernels.

    Raises ArtefactError where it cannot.
    """
    try:
        bundle.predict(_walked(bundle))
    except Exception as error:
        raise ArtefactError(
            f"{bundle.pair}: no forecast, got {type(error).__name__} {error}; expected one on any "
            "bars of its pairs. Train it again."
        ) from error


def _walked(bundle: Bundle) -> NewestBars:
    """As many bars of a random walk of all pairs as a bundle reads."""
    closes = walk(bundle.lookback)
    close = closes[:, PAIRS.index(bundle.pair)]
    opened = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    volume, spread = np.full(len(close), 10.0), np.full(len(close), 1e-4)
    minutes = sessions.open_minutes(np.arange(len(close)))
    return NewestBars(
        bundle.pair,
        np.stack((opened, high, low, close, volume, spread, np.zeros(len(close)))),
        float(close[0]),
        panel=Panel(closes, closes[0], wanted=1),
        minutes=minutes,
        market_minute=len(close) - 1,
    )


def memory_limit(environment: Mapping[str, str] = os.environ) -> int:
    """Bytes that models may fill the process to: of the variable, the container, or the machine.

    Raises ParameterError for a variable that is no number.
    """
    if text := environment.get(VARIABLE):
        if not text.isdecimal() or not int(text):
            raise ParameterError(f"{VARIABLE}: no memory, got {text!r:.40}; expected megabytes.")
        return int(text) << 20
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            total = min(total, int((Path("/sys/fs/cgroup") / name).read_text()))
    return int(SHARE * total)


def held_bytes() -> int:
    """Bytes of this process that lie in memory."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    unit = 1 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def reclaim() -> None:
    """Give memory that is free back to the system."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
