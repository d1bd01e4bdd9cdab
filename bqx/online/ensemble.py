"""The ensemble of one pair and horizon: forecasts of all members, and what a label teaches them."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bqx.learning.samples import EXTREME
from bqx.online import river_state
from bqx.online.adwin import Adwin
from bqx.online.learners import fresh
from bqx.online.scale import Scale
from bqx.online.settings import LEARNERS, MARTINGALE, MEMBERS, STATIC, Settings
from bqx.online.weights import RecentErrors, softmax

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answer:
    """Forecasts of a row, all innovations in sigma.

    ``members`` : (K,) in the order of `MEMBERS`; ``weights`` : (K,); ``forecast`` : what the
    weights make of them; ``fallen`` : whether the static forecast stands in for it.
    """

    members: Vector
    weights: Vector
    forecast: float
    fallen: bool = False


class Ensemble:
    """Members of one pair and horizon.

    ``columns`` : names of the (C,) features; ``horizon`` : minutes, over whose labels errors are
    averaged before ADWIN sees them, since labels that overlap err alike.
    """

    def __init__(self, columns: tuple[str, ...], horizon: int, settings: Settings) -> None:
        self.columns = columns
        self.horizon = horizon
        self.settings = settings
        self.learnt = 0
        self.last = -1
        self.resets = 0
        self.scale = Scale(len(columns))
        self.spread = Scale(1)
        self.errors = RecentErrors(len(MEMBERS), settings.memory)
        self.learners = {name: fresh(name, settings) for name in LEARNERS}
        self.detectors = {name: Adwin(settings.drift) for name in self._watched}
        self.block: list[Any] = [-1, 0, [0.0] * len(self.detectors)]

    @property
    def _watched(self) -> tuple[str, ...]:
        """Members that are begun anew by the ensemble; the forest does so tree by tree."""
        return tuple(name for name in LEARNERS if name != "forest")

    @property
    def weights(self) -> Vector:
        """(K,) present weights; all on the static forecast until enough was learnt."""
        if self.learnt < self.settings.run_in:
            return np.array([float(name == STATIC) for name in MEMBERS])
        return softmax(self.errors.mean(), self.settings.temperature)

    def forecast(self, static: float, features: Vector) -> Answer:
        """Forecast a row, of what has been learnt so far; nothing is changed by it.

        Parameters
        ----------
        static : the champion's forecast of the innovation, in sigma.
        features : (C,) as the champion read them; NaN where absent.
        """
        x = self._row(features)
        by_member = {STATIC: static, MARTINGALE: 0.0}
        by_member |= {name: float(member.predict_one(x)) for name, member in self.learners.items()}
        members = np.array([by_member[name] for name in MEMBERS])
        weights = self.weights
        combined = float(np.sum(weights * members))
        fallen = not np.isfinite(combined)
        return Answer(members, weights, static if fallen else combined, fallen)

    def learn(self, minute: int, features: Vector, members: Vector, label: float) -> None:
        """Learn the label of a forecast.

        Parameters
        ----------
        minute : of the forecast, later than that of the last one learnt.
        features : (C,) as they were stored with the forecast.
        members : (K,) forecasts as they were made then.
        label : innovation in sigma.
        """
        self.errors.add(np.abs(label - np.nan_to_num(members)))
        self._watch(minute, members, label)
        self.scale.learn(features)
        self.spread.learn(np.array([label]))
        most = EXTREME * float(self.spread.deviation[0])
        y = float(np.clip(label, -most, most)) if most > 0.0 else float(label)
        x = self._row(features)
        for member in self.learners.values():
            member.learn_one(x, y)
        self.learnt += 1
        self.last = minute

    def _row(self, features: Vector) -> dict[str, float]:
        return dict(zip(self.columns, self.scale.standardised(features).tolist(), strict=True))

    def _watch(self, minute: int, members: Vector, label: float) -> None:
        """Begin a member anew whose loss has risen, or whose forecast is no number."""
        number = minute // max(self.horizon, 1)
        if number != self.block[0] and self.block[1]:
            for (name, detector), total in zip(self.detectors.items(), self.block[2], strict=True):
                before = detector.total / max(detector.width, 1)
                detector.update(total / self.block[1])
                if detector.drift_detected and detector.total / detector.width > before:
                    self._begin(name)
        if number != self.block[0]:
            self.block = [number, 0, [0.0] * len(self.detectors)]
        self.block[1] += 1
        for place, name in enumerate(self.detectors):
            forecast = float(members[MEMBERS.index(name)])
            if np.isfinite(forecast):
                self.block[2][place] += (label - forecast) ** 2 - label**2
        for name in LEARNERS:
            if not np.isfinite(members[MEMBERS.index(name)]):
                self._begin(name)

    def _begin(self, name: str) -> None:
        self.learners[name] = fresh(name, self.settings)
        if name in self.detectors:
            self.detectors[name] = Adwin(self.settings.drift)
        self.resets += 1

    def state(self) -> dict[str, Any]:
        """All that was learnt, as JSON to the last bit."""
        number, rows, sums = self.block
        return {
            "columns": list(self.columns),
            "horizon": self.horizon,
            "settings": asdict(self.settings),
            "learnt": self.learnt,
            "last": self.last,
            "resets": self.resets,
            "scale": self.scale.state(),
            "spread": self.spread.state(),
            "errors": self.errors.state(),
            "block": [number, rows, [float(value).hex() for value in sums]],
            "learners": {k: river_state.dump(v) for k, v in self.learners.items()},
            "detectors": {k: river_state.dump(v) for k, v in self.detectors.items()},
        }

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """The ensemble of a `state`.

        Raises ArtefactError for a state that cannot be read.
        """
        ensemble = cls(
            tuple(state["columns"]), int(state["horizon"]), Settings(**state["settings"])
        )
        ensemble.learnt, ensemble.last = int(state["learnt"]), int(state["last"])
        ensemble.resets = int(state["resets"])
        ensemble.scale, ensemble.spread = Scale.of(state["scale"]), Scale.of(state["spread"])
        ensemble.errors = RecentErrors.of(state["errors"], len(MEMBERS))
        number, rows, sums = state["block"]
        ensemble.block = [number, rows, [float.fromhex(value) for value in sums]]
        for name, nodes in state["learners"].items():
            ensemble.learners[name] = river_state.load(nodes)
        for name, nodes in state["detectors"].items():
            ensemble.detectors[name] = river_state.load(nodes)
        return ensemble
