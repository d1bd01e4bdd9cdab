"""Training of layers by Adam, the same every time, and forecasts that no other row touches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

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

    epochs: int
    drops: tuple[int, ...]
    batch: int
    rate: float
    device: str
    precision: str
    seed: int


@dataclass(frozen=True)
class Learnt:
    """Epochs and drops that were chosen, mean forecast (H,) of the training rows, weights."""

    epochs: int
    drops: tuple[int, ...]
    centre: Vector
    weights: dict[str, NDArray[Any]]


def descend(
    make: Callable[[], Layers],
    x: Matrix,
    targets: Vector,
    share: Vector,
    later: tuple[Matrix, Vector] | None,
    given: Settings,
    patience: int,
) -> Learnt:
    """Train layers; everything lies on the device from the first step on, batches by index.

    Parameters
    ----------
    make : the layers, with random weights.
    x, targets, share : (n, C) columns, (n, K) targets, (n,) weights of mean 1.
    later : columns and (m, H) labels that choose the epochs and drops; else those given are kept.
    patience : epochs without progress that stop the training.

    Raises
    ------
    ParameterError : the device is not there.
    """
    if given.device == "cuda" and not torch.cuda.is_available():
        raise ParameterError(
            "device: not there, got 'cuda'; expected 'cpu', or a machine with a GPU and a PyTorch "
            "built for it. Set device to cpu."
        )
    device = torch.device(given.device)
    with _alone(device, given.seed):
        layers = make().to(device)
        rows, known, weight = (_on(device, each) for each in (x, targets, share))
        ahead = None if later is None else (_on(device, later[0]), _on(device, later[1]))
        adam = torch.optim.Adam(layers.parameters(), lr=given.rate)
        halving = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, factor=0.5, patience=PLATEAU)
        drops = [] if ahead else list(given.drops)
        best, least, kept = 0, np.inf, _state(layers)
        if ahead:
            least = _judge(layers, *ahead, given.batch)
        for epoch in range(1, given.epochs + 1):
            _pass(layers, rows, known, weight, adam, given)
            if ahead:
                found, before = _judge(layers, *ahead, given.batch), adam.param_groups[0]["lr"]
                halving.step(found)
                drops += [epoch] if adam.param_groups[0]["lr"] < before else []
                if found < least:
                    best, least, kept = epoch, found, _state(layers)
                elif epoch - best >= patience:
                    break
            else:
                best = epoch
                if epoch in drops:
                    adam.param_groups[0]["lr"] *= 0.5
        if ahead:
            layers.load_state_dict(kept)
        centre = _mean(layers, rows, weight, given.batch)
    weights = {name: each.cpu().numpy().copy() for name, each in layers.state_dict().items()}
    return Learnt(best, tuple(d for d in drops if d < best), centre, weights)


def loaded(layers: Layers, weights: dict[str, NDArray[Any]]) -> Layers:
    """Layers that forecast with some weights."""
    layers.load_state_dict({name: torch.from_numpy(each) for name, each in weights.items()})
    return layers.eval()


def forecasts(layers: Layers, x: Matrix) -> Matrix:
    """Forecasts of (n, C) columns, the last block filled up with zeros.

    A product's order of summation depends on how many rows there are: here always `BLOCK`.
    """
    blocks = -(-len(x) // BLOCK)
    padded = np.zeros((blocks * BLOCK, x.shape[1]), np.float32)
    padded[: len(x)] = x
    with _threads(), torch.inference_mode():
        made = [layers(part) for part in torch.from_numpy(padded).split(BLOCK)]
        return np.asarray(torch.cat(made)[: len(x)].numpy())


def _pass(
    layers: Layers,
    rows: Tensor,
    known: Tensor,
    weight: Tensor,
    adam: torch.optim.Optimizer,
    given: Settings,
) -> None:
    layers.train()
    order = torch.randperm(len(rows)).to(rows.device)
    # Even parts: batch norm has nothing to say of a last row alone.
    for part in torch.tensor_split(order, max(1, round(len(rows) / given.batch))):
        lower = given.precision == "bfloat16"
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=lower):
            losses = layers.loss(rows[part], known[part])
        adam.zero_grad()
        (losses.float() * weight[part]).mean().backward()
        adam.step()


@torch.no_grad()
def _judge(layers: Layers, rows: Tensor, labels: Tensor, batch: int) -> float:
    layers.eval()
    both = zip(rows.split(batch), labels.split(batch), strict=True)
    return float(torch.stack([layers.miss(layers(a), b).sum() for a, b in both]).sum() / len(rows))


@torch.no_grad()
def _mean(layers: Layers, rows: Tensor, weight: Tensor, batch: int) -> Vector:
    """(H,) weighed mean of the forecasts, of the middle quantile where there are several."""
    layers.eval()
    total: Tensor | float = 0.0
    for part, share in zip(rows.split(batch), weight.split(batch), strict=True):
        made = layers(part)
        made = made if made.ndim == 2 else made[:, :, made.shape[2] // 2]
        total = total + (made * share[:, None]).sum(dim=0)
    return np.asarray((total / weight.sum()).cpu().numpy(), np.float64)


def _state(layers: Layers) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in layers.state_dict().items()}


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
def _alone(device: torch.device, seed: int) -> Iterator[None]:
    """One thread, and random numbers of its own."""
    own = [torch.cuda.current_device()] if device.type == "cuda" else []
    with _threads(), torch.random.fork_rng(devices=own):
        torch.manual_seed(seed)
        yield
