"""Training of an autoencoder; what it has learnt runs without the library that trained it.

Inputs to 512, 256, 128 and a code of 64, and back: each hidden layer cut off at 0, then batch
normalised, then with a fifth of its units dropped in the encoder. Mean squared error, Adam, and
the epoch that is best on the last training rows. Batch normalisation is folded into the layer
that follows it.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BqxError, ParameterError
from bqx.features.families.learned import network
from bqx.features.families.learned.network import Network, Scale
from bqx.features.spec import Array

CODE = 64
"""Units of the code."""

ENCODER = (512, 256, 128)
"""Units of the encoder's hidden layers."""

DECODER = (128, 256, 512)
"""Units of the decoder's."""

HELD_OUT = 0.2
"""Last share of the training rows, by which the epoch is chosen."""


@dataclass(frozen=True)
class Settings:
    """Settings of a training.

    ``code`` : whether the code is cut off at 0; ``patience`` : epochs without a gain on the held
    out rows after which it ends; ``threads`` : of the processor, another number sums in another
    order.
    """

    code: Literal["linear", "relu"] = "linear"
    hidden: tuple[int, ...] = ENCODER
    back: tuple[int, ...] = DECODER
    epochs: int = 50
    batch: int = 1_024
    patience: int = 5
    rate: float = 1e-3
    drop: float = 0.2
    seed: int = 0
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Trained:
    """``encoder`` : raw inputs to code; ``decoder`` : code to standardised inputs.

    ``losses`` : mean squared error on the held-out rows after each epoch; the least of them is
    that of what is kept.
    """

    encoder: Network
    decoder: Network
    losses: tuple[float, ...]


def split(rows: NDArray[np.int64], reach: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows that train, and the last ones, none of whose bars a training row has read.

    >>> [mask.tolist() for mask in split(np.arange(10), 3)]
    [[True, True, True, True, True, True, False, False, False, False], \
[False, False, False, False, False, False, False, False, True, True]]
    """
    first = rows[min(int(len(rows) * (1.0 - HELD_OUT)), len(rows) - 1)]
    return rows <= first - reach, rows >= first


def train(
    parts: Sequence[Array], rows: NDArray[np.int64], reach: int, settings: Settings
) -> Trained | None:
    """Train on the rows of all pairs, one (n, C) a pair at the same n rows of the grid.

    None where fewer rows than a batch train, or none is held out.

    Raises
    ------
    BqxError : PyTorch is not installed.
    """
    early, late = split(rows, reach)
    # Of all training rows, as the principal components': their errors are in the same units.
    scale = network.scale(parts)
    x, held = (network.complete(scale, [part[mask] for part in parts]) for mask in (early, late))
    if x.shape[1] == 0 or len(x) < settings.batch or len(held) == 0:
        return None
    torch = _torch()
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model, losses = _minimise(torch, x, held, settings)
        return _folded(model, scale, settings, losses)
    finally:
        torch.set_num_threads(threads)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise BqxError(
            f"autoencoder: PyTorch is not installed, got {error}; expected torch. Install the "
            "extra that holds it, or leave the autoencoder's features out: those of the PCA do "
            "without."
        ) from error


def _stack(torch: Any, sizes: Sequence[int], drop: float) -> list[Any]:
    nn = torch.nn
    made: list[Any] = []
    for size, following in pairwise(sizes):
        made += [nn.Linear(size, following), nn.ReLU(), nn.BatchNorm1d(following)]
        made += [nn.Dropout(drop)] if drop else []
    return made


def model_of(torch: Any, inputs: int, settings: Settings) -> tuple[Any, Any]:
    """Encoder and decoder, not yet trained."""
    nn = torch.nn
    sizes, back = (inputs, *settings.hidden), (CODE, *settings.back)
    code = [nn.Linear(sizes[-1], CODE)] + ([nn.ReLU()] if settings.code == "relu" else [])
    encoder = nn.Sequential(*_stack(torch, sizes, settings.drop), *code)
    decoder = nn.Sequential(*_stack(torch, back, 0.0), nn.Linear(back[-1], inputs))
    return encoder, decoder


def _minimise(
    torch: Any, x: Array, held: Array, settings: Settings
) -> tuple[Any, tuple[float, ...]]:
    model = torch.nn.Sequential(*model_of(torch, x.shape[1], settings)).to(settings.device)
    rows, later = (
        torch.as_tensor(part, dtype=torch.float32, device=settings.device) for part in (x, held)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.rate)
    losses: list[float] = []
    best: dict[str, Any] = {}
    for _ in range(settings.epochs):
        model.train()
        for batch in torch.randperm(len(rows)).split(settings.batch):
            if len(batch) < settings.batch:
                continue  # a few rows left over are a poor normalisation
            part = rows[batch.to(settings.device)]
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(model(part), part).backward()
            optimiser.step()
        losses.append(_loss(torch, model, later, settings.batch))
        if not np.isfinite(losses[-1]):
            raise ParameterError(
                f"autoencoder: diverged, got a loss of {losses[-1]} after {len(losses)} epochs; "
                "expected a finite one. Lower the rate."
            )
        if losses[-1] <= min(losses):
            best = {name: each.clone() for name, each in model.state_dict().items()}
        if len(losses) - 1 - int(np.argmin(losses)) >= settings.patience:
            break
    model.load_state_dict(best)
    return model, tuple(losses)


def _loss(torch: Any, model: Any, later: Any, batch: int) -> float:
    model.eval()
    with torch.no_grad():
        total = sum(
            float(torch.nn.functional.mse_loss(model(part), part, reduction="sum"))
            for part in later.split(batch)
        )
    return total / later.numel()


def _folded(model: Any, scale: Scale, settings: Settings, losses: tuple[float, ...]) -> Trained:
    encoder, decoder = model
    # What the decoder gives stays in deviations, and what it is given is a code.
    plain = Scale(*np.array([[-np.inf], [np.inf], [0.0], [1.0]]).repeat(CODE, axis=1))
    coded = Network(scale, *folded(encoder), relu=settings.code == "relu")
    return Trained(coded, Network(plain, *folded(decoder)), losses)


def folded(layers: Any) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Weights and biases of the linear layers, each with the normalisation before it."""
    weights, biases = [], []
    factor, shift = np.ones(1), np.zeros(1)
    for each in layers:
        kind = type(each).__name__
        if kind == "Linear":
            own, bias = _array(each.weight).T, _array(each.bias)
            biases.append(bias + np.broadcast_to(shift, len(own)) @ own)
            weights.append(np.ascontiguousarray(own * np.broadcast_to(factor, len(own))[:, None]))
            factor, shift = np.ones(1), np.zeros(1)
        elif kind == "BatchNorm1d":
            factor = _array(each.weight) / np.sqrt(_array(each.running_var) + each.eps)
            shift = _array(each.bias) - _array(each.running_mean) * factor
    return tuple(weights), tuple(biases)


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float64)
