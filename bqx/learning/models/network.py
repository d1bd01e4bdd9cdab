"""What networks have in common; PyTorch, an extra, is imported when one is made or asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.learning.models import artefact
from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.scaler import Scaler
from bqx.learning.models.xgb import settings_of

if TYPE_CHECKING:
    from bqx.learning.models.layers import Layers

Vector = NDArray[np.float64]
Weights = dict[str, NDArray[Any]]

WEIGHTS = "weights.safetensors"
SCALES = "scales.json"


@dataclass
class Network:
    """Layers trained by Adam on standardised columns and labels.

    Columns are scaled, cut off and filled as for the lines. Labels are divided by their root mean
    square, horizon by horizon. The last layer starts at 0 and the mean forecast of the training
    rows is taken off, so that no label drift is learnt. Sums run in one thread; training on
    ``cpu`` gives the same bytes every time, on ``cuda`` it need not. Forecasts are made on the CPU
    in any case, in blocks of one size, so that a served row is the batch's.

    ``epochs`` : most passes over the rows with a validation part, which replaces it by the best
        number, 0 included; else the passes. ``drops`` : those after which the rate is halved,
        chosen likewise.
    ``batch`` : rows a step; ``rate`` : Adam's step size; ``dropout`` : share of units left out.
    ``device`` : ``cpu`` or ``cuda``, of the training; ``precision`` : ``float32`` or ``bfloat16``,
        of its products.
    """

    NAME: ClassVar[str]
    EXTRA: ClassVar[tuple[str, ...]] = ("torch", "safetensors")
    PATIENCE: ClassVar[int] = 10
    """Epochs without progress on the validation rows that stop the training."""

    epochs: int = 100
    drops: tuple[int, ...] = ()
    batch: int = 512
    rate: float = 1e-3
    dropout: float = 0.3
    device: str = "cpu"
    precision: str = "float32"
    seed: int = 0
    scaler: Scaler = field(init=False, repr=False)
    scale: Vector = field(init=False, repr=False)
    centre: Vector = field(init=False, repr=False)
    weights: Weights = field(init=False, repr=False)
    layers: "Layers | None" = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in self.EXTRA:
            if find_spec(name) is None:
                raise ParameterError(
                    f"models: {self.NAME} needs a package that is not installed, got no {name}; "
                    "expected the extra 'torch'. Run `make torch`, or leave the model out."
                )
        self.drops = tuple(self.drops)

    def __getstate__(self) -> dict[str, Any]:
        # The weights say it all, and travel to another process by themselves.
        return vars(self) | {"layers": None}

    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: tuple[Matrix | Design, Vector] | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n, H) labels; later rows, where given, choose the epochs.

        Raises
        ------
        ParameterError : a device that is not there, or columns that the network cannot read.
        """
        from bqx.learning.models import descent

        values = design(x).values
        share = np.ones(len(y)) if weight is None else weight / weight.mean()
        self.scaler = Scaler.fit(values, share)
        self.scale = np.sqrt((share[:, None] * y**2).mean(axis=0))
        self.scale[self.scale == 0] = 1.0
        later = None
        if validation is not None:
            later = (self._scaled(validation[0]), validation[1] / self.scale)
        self.layers = None
        learnt = descent.descend(
            lambda: self._made(values.shape[1], y.shape[1], True),
            self._scaled(x), self._targets(y / self.scale), share, later, self, self.PATIENCE,
        )  # fmt: skip
        self.epochs, self.drops = learnt.epochs, learnt.drops
        self.centre, self.weights = learnt.centre, self._kept(learnt.weights)
        return self

    def predict(self, x: Matrix | Design) -> Vector:
        """Forecasts (n, H) of (n, C) columns, or ascending quantiles (n, H, Q)."""
        from bqx.learning.models import descent

        if self.layers is None:
            self.layers = self._loaded()
        out = descent.forecasts(self.layers, self._scaled(x)).astype(np.float64)
        wide = (slice(None), *(None for _ in range(out.ndim - 2)))
        return np.asarray((out - self.centre[wide]) * self.scale[wide])

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        artefact.save(self, folder)

    def settings(self) -> dict[str, Any]:
        """Settings of the training."""
        return settings_of(self) | {"drops": list(self.drops)}

    def parts(self) -> artefact.Parts:
        """Weights as safetensors, scales as JSON, in which 64-bit floats survive."""
        from safetensors.numpy import save

        held = self.scaler.to_json()
        held |= {"scale": self.scale.tolist(), "centre": self.centre.tolist()}
        return {
            WEIGHTS: save(self.weights),
            SCALES: json.dumps(held, sort_keys=True, allow_nan=False).encode(),
        }

    @classmethod
    def restore(cls, settings: Mapping[str, Any], parts: artefact.Parts) -> Self:
        """The model of some settings and parts."""
        from safetensors.numpy import load

        model = cls(**settings)

        held = json.loads(parts[SCALES])
        model.scaler = Scaler.from_json(held)
        model.scale = np.array(held["scale"], np.float64)
        model.centre = np.array(held["centre"], np.float64)
        model.weights = load(parts[WEIGHTS])
        model.layers = model._loaded()
        return model

    def _loaded(self) -> "Layers":
        from bqx.learning.models import descent

        made = self._made(len(self.scaler.mean), len(self.scale), False)
        return descent.loaded(made, self.weights)

    def _scaled(self, x: Matrix | Design) -> Matrix:
        return self.scaler.apply(design(x).values).astype(np.float32)

    def _targets(self, labels: Vector) -> Vector:
        """(n, K) of what the layers learn, the (n, H) standardised labels first."""
        return labels

    def _kept(self, weights: Weights) -> Weights:
        """Weights that forecasts need."""
        return weights

    def _made(self, columns: int, horizons: int, training: bool) -> "Layers":
        """Layers with random weights."""
        raise NotImplementedError
