"""Layers of the networks, in PyTorch."""

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


class Layers(nn.Module):
    """Layers that forecast, and say by how much they miss."""

    def miss(self, forecast: Tensor, labels: Tensor) -> Tensor:
        """(n,) losses of forecasts against (n, H) standardised labels."""
        raise NotImplementedError

    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        """(n,) losses that the training reduces, of (n, C) columns against (n, K) targets."""
        return self.miss(self(x), targets)

    def aside(self, x: Tensor, targets: Tensor) -> dict[str, float]:
        """Scores of other heads than the forecast's, by name, on (n, C) columns."""
        return {}


class Shared(Layers):
    """Shared dense layers under one linear unit per horizon; ``shares`` of the loss add up to 1."""

    def __init__(
        self,
        columns: int,
        hidden: Sequence[int],
        horizons: int,
        dropout: float,
        shares: Sequence[float],
    ) -> None:
        super().__init__()
        self.trunk = _dense(columns, hidden, dropout)
        self.forecast = nn.Sequential(_silent(nn.Linear(hidden[-1], horizons)))
        self.register_buffer("shares", torch.tensor(shares), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, H) forecasts."""
        return self.forecast(self.trunk(x))

    def miss(self, forecast: Tensor, labels: Tensor) -> Tensor:
        """(n,) squared errors, weighed over the horizons."""
        return ((forecast - labels) ** 2) @ self.get_buffer("shares")


class Tasks(Shared):
    """Shared dense layers under a head for all horizons, and in training two more."""

    AUXILIARY = 0.3
    """Weight of each of the two losses beside that of the forecasts."""

    def __init__(
        self, columns: int, hidden: Sequence[int], horizons: int, dropout: float, regimes: int
    ) -> None:
        super().__init__(columns, hidden, horizons, dropout, [1.0 / horizons] * horizons)
        self.forecast = _head(hidden[-1], 64, horizons)
        _silent(self.forecast[-1])
        if regimes:
            self.volatility = _head(hidden[-1], 32, 1)
            self.regime = _head(hidden[-1], 32, regimes)

    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        """(n,) losses of the three heads; the last two targets are volatility and regime."""
        labels, size, regime = targets[:, :-2], targets[:, -2], targets[:, -1].long()
        shared = self.trunk(x)
        beside = (self.volatility(shared)[:, 0] - size) ** 2
        beside = beside + functional.cross_entropy(self.regime(shared), regime, reduction="none")
        return self.miss(self.forecast(shared), labels) + self.AUXILIARY * beside

    def aside(self, x: Tensor, targets: Tensor) -> dict[str, float]:
        """R² of the volatility beyond its training mean, 0 here, and shares of regimes hit: by the
        head, and by always naming the most frequent one."""
        size, regime, shared = targets[:, -2], targets[:, -1].long(), self.trunk(x)
        missed = ((self.volatility(shared)[:, 0] - size) ** 2).sum() / (size**2).sum()
        hit = (self.regime(shared).argmax(dim=1) == regime).float().mean()
        return {
            "volatility_r2": float(1.0 - missed),
            "regime_accuracy": float(hit),
            "regime_most_frequent": float(regime.bincount().max() / len(regime)),
        }


class Sizes(Protocol):
    """Steps of the past and units of the layers, see `transformer.Transformer`."""

    steps: int
    hidden: int
    heads: int
    continuous: int
    dropout: float


class Fusion(Layers):
    """pytorch-forecasting's temporal fusion transformer, fed by tensors instead of frames."""

    def __init__(
        self, columns: int, horizons: int, quantiles: Sequence[float], sizes: Sizes
    ) -> None:
        from pytorch_forecasting import TemporalFusionTransformer
        from pytorch_forecasting.metrics import QuantileLoss

        super().__init__()
        steps = sizes.steps
        self.steps, self.pinball = steps, QuantileLoss(list(quantiles))
        names = [str(number) for number in range(columns)]
        with warnings.catch_warnings():
            # Its own constructor keeps its loss and metrics twice, and is warned of it.
            warnings.filterwarnings("ignore", "Attribute '.*' is an instance of `nn.Module`")
            self.inner = TemporalFusionTransformer(
                hidden_size=sizes.hidden,
                attention_head_size=sizes.heads,
                hidden_continuous_size=sizes.continuous,
                dropout=sizes.dropout,
                output_size=len(quantiles),
                loss=self.pinball,
                logging_metrics=nn.ModuleList(),
                output_transformer=_as_is,
                max_encoder_length=steps,
                x_reals=[*names, "time"],
                time_varying_reals_encoder=[*names, "time"],
                time_varying_reals_decoder=["time"],
            )
        _silent(self.inner.output_layer)
        # What is known of the future is how far ahead it is.
        ahead = torch.zeros(horizons, columns + 1)
        ahead[:, -1] = torch.arange(1, horizons + 1) / horizons
        self.register_buffer("ahead", ahead, persistent=False)
        past = torch.arange(1 - steps, 1)[:, None] / steps
        self.register_buffer("past", past, persistent=False)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        # It asks itself where it lies, and as a part of other layers is not told that it moves.
        moved = super()._apply(fn, recurse)
        self.inner.to(self.get_buffer("ahead").device)
        return moved

    def forward(self, x: Tensor) -> Tensor:
        """(n, H, Q) quantiles of (n, steps * C) columns."""
        rows, ahead, past = len(x), self.get_buffer("ahead"), self.get_buffer("past")
        seen = x.view(rows, self.steps, -1)
        length = torch.full((rows,), self.steps, device=x.device)
        feed = {
            "encoder_cont": torch.cat([seen, past.expand(rows, -1, -1)], dim=2),
            "decoder_cont": ahead.expand(rows, -1, -1),
            "encoder_cat": x.new_zeros((rows, self.steps, 0), dtype=torch.long),
            "decoder_cat": x.new_zeros((rows, len(ahead), 0), dtype=torch.long),
            "encoder_lengths": length,
            "decoder_lengths": torch.full_like(length, len(ahead)),
            "target_scale": x.new_ones((rows, 2)),
        }
        return self.inner(feed)["prediction"]

    def miss(self, forecast: Tensor, labels: Tensor) -> Tensor:
        """(n,) pinball losses, mean over horizons and levels."""
        return self.pinball.loss(forecast, labels).mean(dim=(1, 2))


def _dense(columns: int, hidden: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((columns, *hidden[:-1]), hidden, strict=True):
        layers += [nn.Linear(before, after), nn.ReLU()]
        layers += [nn.BatchNorm1d(after), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


def _head(shared: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(shared, hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, outputs)
    )


def _silent(layer: nn.Module) -> nn.Module:
    """The last layer, forecasting 0 until it has learnt something."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _as_is(out: dict[str, Any]) -> Tensor:
    return out["prediction"]
