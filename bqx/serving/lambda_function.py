"""What the handlers of one process of Lambda share: models, bars, and plans of columns."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from bqx.errors import RequestError
from bqx.feature_store.object_store import Folder
from bqx.features import catalog
from bqx.features.engine.newest_bars import NewestBars
from bqx.features.lags import Column
from bqx.features.newest_columns import NewestColumns
from bqx.learning.bundle import Bundle
from bqx.serving import lambda_places, live, live_state
from bqx.serving.answers import PredictRequest, PredictResponse
from bqx.serving.feeds import parsed
from bqx.serving.forecast import Forecast
from bqx.serving.lambda_places import FEED, STATE
from bqx.serving.live_panel import LivePanel
from bqx.serving.models import Models, Served, opened

OVERLAP = 600 * 1_000_000_000
"""Nanoseconds before the state for which the feed is read once more: longer than a run, in which
bars may come unseen. A bar that is there already changes nothing."""


class UnservedError(RequestError):
    """A pair that is not served."""

    def __init__(self, pair: str, served: Iterable[str]) -> None:
        pairs = ", ".join(served) or "none at present"
        super().__init__(f"pair: not served, got {pair[:20]!r}; expected one of {pairs}.")


class Function:
    """What the handlers of one process share: models, bars, and plans of columns."""

    def __init__(self) -> None:
        self._bundles = lambda_places.Bundles()
        self.models: Models = opened(self._bundles.folder)
        self._ready: Mapping[str, Served] = self.models.current()
        self.panel = LivePanel({pair: of.bundle for pair, of in self._ready.items()})
        self._mark = 0
        self._plans: dict[tuple[str, tuple[str, ...]], NewestColumns] = {}

    def refresh(self, *, following: bool = False) -> None:
        """Take over newer models and bars, and forecast what they change.

        ``following`` : bars of the feed too, which need no state before them.
        """
        self._bundles.renew()
        ready = self.models.current()
        if ready is not self._ready:
            self._ready = ready
            self.panel.serve({pair: of.bundle for pair, of in ready.items()})
        if STATE.address:
            folder, name = STATE.file
            mark = folder.listed().get(name, 0)
            if mark != self._mark if mark else not following:
                live_state.take(self.panel, folder.read(name), STATE.address)
            self._mark = mark
        if following:
            folder = Folder(FEED.address)
            # As they were written, so that a corrected bar stays corrected.
            for path, written in sorted(folder.listed().items(), key=lambda item: item[::-1]):
                if path.endswith(".jsonl") and written > self._mark - OVERLAP:
                    bars = map(parsed, folder.read(path).splitlines())
                    self.panel.feed(bar for bar in bars if bar is not None)
        self.panel.refresh()

    def served(self, pair: str) -> Served:
        """A pair's bundle; UnservedError where it is not served."""
        if pair not in self._ready:
            raise UnservedError(pair, self._ready)
        return self._ready[pair]

    def answer(self, forecast: Forecast, started: float) -> dict[str, Any]:
        """The answer of a forecast."""
        served = self._ready[forecast.bundle.pair]
        milliseconds = 1e3 * (time.perf_counter() - started)
        answer = PredictResponse.of(forecast, served, milliseconds=milliseconds)
        return answer.model_dump()

    def bars(self, content: dict[str, Any]) -> tuple[Served, NewestBars]:
        """The bars that a request means: its own, or those of the state."""
        if "bars" in content:
            pair, sent, panel = live.parse(content)
            served = self.served(pair)
            return served, live.newest(served.bundle, sent, panel)
        request = PredictRequest.model_validate_json(json.dumps(content))
        served = self.served(request.pair)
        if served.bundle.pair not in self.panel.bundles:
            # Says why it is not forecast beside the others.
            self.panel.newest(served.bundle.pair)
        return served, self.panel.bars(served.bundle.pair, request.minute)

    def plan(self, bundle: Bundle, names: tuple[str, ...]) -> NewestColumns:
        """What has to run for columns; made once."""
        key = bundle.columns_hash, names
        if key not in self._plans:
            by_name = {column.name: column for column in bundle.columns}
            columns = [by_name.get(name) or Column(catalog.FEATURES[name]) for name in names]
            self._plans[key] = NewestColumns({bundle.pair: columns})
        return self._plans[key]


_functions: dict[str, Function] = {}


def function(*, following: bool = False) -> Function:
    """The process's function with the newest bars, made at the first request, whose models are
    then kept; ``following`` as to `Function.refresh`."""
    key = lambda_places.BUNDLES.address
    if key not in _functions:
        _functions[key] = Function()
    _functions[key].refresh(following=following)
    return _functions[key]
