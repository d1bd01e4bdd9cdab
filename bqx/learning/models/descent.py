"""Training of layers by Adam, the same every time, and forecasts that no other row touches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bqx.errors import ParameterError
from bqx.learning.models.layers import Layers

Vector = NDArray[np.float64]
Matrix = NDArray[np.float32]

PLATEAU = 5
"""Epochs without progress on the validation rows that halve the rate."""
BLOCK = 48
"""Rows forecast at a time: rows of any tile that products are cut into fill it."""


class Settings(Protocol):
    """Settings of the training."""

    PATIENCE: ClassVar[int]

    epochs: int
    drops: tuple[int, ...]
    batch_size: int
    learning_rate: float
    device: str
    precision: str
    random_state: int


@dataclass(frozen=True)
class Rows:
    """(n, C) columns, (n, K) targets, and (n,) weights of mean 1."""

    x: Matrix
    targets: Vector
    share: Vector


@dataclass(frozen=True)
class Later:
    """(m, C) columns, (m, H) labels and (m, K) targets of the rows that choose the epochs."""

    x: Matrix
    labels: Vector
    targets: Vector


@dataclass(frozen=True)
class Learnt:
    """Epochs and drops that were chosen, mean forecast (H,) of the training rows, weights.

    ``aside`` : scores of other heads than the forecast's on the later rows.
    """

    epochs: int
    drops: tuple[int, ...]
    centre: Vector
    weights: dict[str, NDArray[Any]]
    aside: dict[str, float]


@dataclass
class _Training:
    """Layers on their device, with the rows that they learn from."""

    layers: Layers
    rows: Tensor
    targets: Tensor
    share: Tensor
    settings: Settings

    def __post_init__(self) -> None:
        self.adam = torch.optim.Adam(self.layers.parameters(), lr=self.settings.learning_rate)
        self.halving = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.adam, factor=0.5, patience=PLATEAU
        )

    @property
    def rate(self) -> float:
        return float(self.adam.param_groups[0]["lr"])

    def step(self) -> None:
        """One pass over all rows, in a random order."""
        self.layers.train()
        order = torch.randperm(len(self.rows)).to(self.rows.device)
        batches = max(1, round(len(self.rows) / self.settings.batch_size))
        lower = self.settings.precision == "bfloat16"
        # Even batches: batch norm has nothing to say of a last row alone.
        for batch in torch.tensor_split(order, batches):
            with torch.autocast(self.rows.device.type, torch.bfloat16, enabled=lower):
                losses = self.layers.loss(self.rows[batch], self.targets[batch])
            self.adam.zero_grad()
            (losses.float() * self.share[batch]).mean().backward()
            self.adam.step()

    def repeat(self) -> tuple[int, tuple[int, ...]]:
        """As many passes as the settings say, the rate halved after the drops."""
        for epoch in range(1, self.settings.epochs + 1):
            self.step()
            if epoch in self.settings.drops:
                self.adam.param_groups[0]["lr"] *= 0.5
        return self.settings.epochs, self.settings.drops

    def stop_early(self, rows: Tensor, labels: Tensor) -> tuple[int, tuple[int, ...]]:
        """Passes until later rows see no progress; the best weights stay. Epochs and drops."""
        size = self.settings.batch_size
        best, kept, drops = 0, _state(self.layers), list[int]()
        least = _loss(self.layers, rows, labels, size)
        for epoch in range(1, self.settings.epochs + 1):
            self.step()
            loss, rate = _loss(self.layers, rows, labels, size), self.rate
            self.halving.step(loss)
            drops += [epoch] if self.rate < rate else []
            if loss < least:
                best, least, kept = epoch, loss, _state(self.layers)
            elif epoch - best >= self.settings.PATIENCE:
                break
        self.layers.load_state_dict(kept)
        return best, tuple(drops)


def descend(
    make: Callable[[], Layers], rows: Rows, later: Later | None, settings: Settings
) -> Learnt:
    """Train layers; everything lies on the device from the first step on, batches by index.

    Parameters
    ----------
    make : the layers, with random weights.
    rows : to learn from.
    later : rows that choose the epochs and drops; else those of the settings are kept.

    Raises
    ------
    ParameterError : the device is not there.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ParameterError(
            "device: not there, got 'cuda'; expected 'cpu', or a machine with a GPU and a PyTorch "
            "built for it. Set device to cpu."
        )
    device = torch.device(settings.device)
    with _seeded(device, settings.random_state):
        layers = make().to(device)
        training = _Training(
            layers,
            _on(device, rows.x),
            _on(device, rows.targets),
            _on(device, rows.share),
            settings,
        )
        aside: dict[str, float] = {}
        if later is None:
            epochs, drops = training.repeat()
        else:
            seen = _on(device, later.x)
            epochs, drops = training.stop_early(seen, _on(device, later.labels))
            aside = _aside(layers, seen, _on(device, later.targets))
        centre = _mean(layers, training.rows, training.share, settings.batch_size)
    weights = {name: w.cpu().numpy().copy() for name, w in layers.state_dict().items()}
    return Learnt(epochs, tuple(drop for drop in drops if drop < epochs), centre, weights, aside)


def loaded(layers: Layers, weights: dict[str, NDArray[Any]]) -> Layers:
    """Layers that forecast with some weights."""
    layers.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    return layers.eval()


def forecasts(layers: Layers, x: Matrix) -> Matrix:
    """Forecasts of (n, C) columns, the last block filled up with zeros.

    A product's order of summation depends on how many rows there are: here always `BLOCK`.
    """
    blocks = -(-len(x) // BLOCK)
    padded = np.zeros((blocks * BLOCK, x.shape[1]), np.float32)
    padded[: len(x)] = x
    with _threads(), torch.inference_mode():
        out = [layers(block) for block in torch.from_numpy(padded).split(BLOCK)]
        return np.asarray(torch.cat(out)[: len(x)].numpy())


@torch.no_grad()
def _loss(layers: Layers, rows: Tensor, labels: Tensor, batch: int) -> float:
    layers.eval()
    batches = zip(rows.split(batch), labels.split(batch), strict=True)
    losses = [layers.miss(layers(x), y).sum() for x, y in batches]
    return float(torch.stack(losses).sum() / len(rows))


@torch.no_grad()
def _aside(layers: Layers, rows: Tensor, targets: Tensor) -> dict[str, float]:
    layers.eval()
    return layers.aside(rows, targets)


@torch.no_grad()
def _mean(layers: Layers, rows: Tensor, weight: Tensor, batch: int) -> Vector:
    """(H,) weighed mean of the forecasts, of the middle quantile where there are several."""
    layers.eval()
    total: Tensor | float = 0.0
    for x, share in zip(rows.split(batch), weight.split(batch), strict=True):
        forecast = layers(x)
        forecast = forecast if forecast.ndim == 2 else forecast[:, :, forecast.shape[2] // 2]
        total = total + (forecast * share[:, None]).sum(dim=0)
    return np.asarray((total / weight.sum()).cpu().numpy(), np.float64)


def _state(layers: Layers) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in layers.state_dict().items()}


def _on(device: torch.device, values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)


@contextmanager
def _threads() -> Iterator[None]:
    # Sums depend on the number of threads.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """One thread, and random numbers of its own."""
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    with _threads(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
