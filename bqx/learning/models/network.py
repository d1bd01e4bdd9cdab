"""What networks have in common; PyTorch, an extra, is imported when one is made or asked."""

import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.learning.models.artefact import Parts
from bqx.learning.models.base import Input, Later, Model, Range, Vector, Weight
from bqx.learning.models.design import Matrix, design
from bqx.learning.models.scaler import Scaler

if TYPE_CHECKING:
    from bqx.learning.models.layers import Layers

Weights = dict[str, NDArray[Any]]

WEIGHTS = "weights.safetensors"
SCALES = "scales.json"


@dataclass
class Network(Model):
    """Layers trained by Adam on standardised columns and labels.

    Columns are scaled, cut off and filled as for the lines. Labels are divided by their root mean
    square, horizon by horizon. The last layer starts at 0 and the mean forecast of the training
    rows is taken off, so that no label drift is learnt. Sums run in one thread; training on
    ``cpu`` gives the same bytes every time, on ``cuda`` it need not. Forecasts are made on the CPU
    in any case, in blocks of one size, so that a served row is the batch's.

    ``epochs`` : most passes over the rows with validation rows, which replace it by the best
        number, 0 included; else the passes. ``drops`` : those after which the rate is halved,
        chosen likewise.
    ``batch_size`` : rows per step; ``learning_rate`` : Adam's step size; ``dropout`` : share of
        units left out.
    ``device`` : ``cpu`` or ``cuda``, of the training; ``precision`` : ``float32`` or ``bfloat16``,
        of its products.
    """

    EXTRA: ClassVar[tuple[str, ...]] = ("torch", "safetensors")
    RUN_KEYS: ClassVar[dict[str, str]] = Model.RUN_KEYS | {"device": "device"}
    # The documents' ranges.
    SPACE: ClassVar[dict[str, Range]] = {
        "learning_rate": Range(1e-4, 1e-2, log=True),
        "dropout": Range(0.1, 0.3),
        "batch_size": Range(128, 512, step=128),
    }
    PATIENCE: ClassVar[int] = 10
    """Epochs without progress on the validation rows that stop the training."""

    epochs: int = 100
    drops: tuple[int, ...] = ()
    batch_size: int = 512
    learning_rate: float = 1e-3
    dropout: float = 0.3
    device: str = "cpu"
    precision: str = "float32"
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

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns and (n, H) labels; validation rows choose the epochs.

        Raises
        ------
        ParameterError : a device that is not there, or columns that the network cannot read.
        """
        from bqx.learning.models import descent

        values = design(X).values
        share = np.ones(len(y)) if weight is None else weight / weight.mean()
        self.scaler = Scaler.fit(values, share)
        self.scale = np.sqrt((share[:, None] * y**2).mean(axis=0))
        self.scale[self.scale == 0] = 1.0
        self.layers = None
        rows = descent.Rows(self._scaled(X), self._targets(y / self.scale), share)
        later = None
        if validation:
            labels = validation[1] / self.scale
            later = descent.Later(self._scaled(validation[0]), labels, self._targets_of(labels))
        learnt = descent.descend(
            lambda: self._layers(values.shape[1], y.shape[1], training=True),
            rows,
            later,
            self,
        )
        self.epochs, self.drops = learnt.epochs, learnt.drops
        self.centre, self.weights = learnt.centre, self._kept(learnt.weights)
        self.aside = learnt.aside
        return self

    def predict(self, X: Input) -> Vector:
        """Forecasts (n, H) of (n, C) columns, or ascending quantiles (n, H, Q)."""
        from bqx.learning.models import descent

        if self.layers is None:
            self.layers = self._loaded()
        out = descent.forecasts(self.layers, self._scaled(X)).astype(np.float64)
        wide = (slice(None), *(None for _ in range(out.ndim - 2)))
        return np.asarray((out - self.centre[wide]) * self.scale[wide])

    def parts(self) -> Parts:
        """Weights as safetensors, scales as JSON, in which 64-bit floats survive."""
        from safetensors.numpy import save

        learnt = self.scaler.to_json()
        learnt |= {"scale": self.scale.tolist(), "centre": self.centre.tolist()}
        return {
            WEIGHTS: save(self.weights),
            SCALES: json.dumps(learnt, sort_keys=True, allow_nan=False).encode(),
        }

    def restore(self, parts: Parts) -> None:
        """Take over what ``parts`` gave."""
        from safetensors.numpy import load

        learnt = json.loads(parts[SCALES])
        self.scaler = Scaler.from_json(learnt)
        self.scale = np.array(learnt["scale"], np.float64)
        self.centre = np.array(learnt["centre"], np.float64)
        self.weights = load(parts[WEIGHTS])
        self.layers = self._loaded()

    def _loaded(self) -> "Layers":
        from bqx.learning.models import descent

        layers = self._layers(len(self.scaler.mean), len(self.scale), training=False)
        return descent.loaded(layers, self.weights)

    def _scaled(self, X: Input) -> Matrix:
        return self.scaler.apply(design(X).values).astype(np.float32)

    def _targets(self, labels: Vector) -> Vector:
        """(n, K) of what the layers learn, the (n, H) standardised labels first."""
        return self._targets_of(labels)

    def _targets_of(self, labels: Vector) -> Vector:
        """The same of other rows than the training's, by what those have set."""
        return labels

    def _kept(self, weights: Weights) -> Weights:
        """Weights that forecasts need."""
        return weights

    def _layers(self, columns: int, horizons: int, training: bool) -> "Layers":
        """Layers with random weights."""
        raise NotImplementedError
