"""A pair's forecast at all horizons with its signals, and how an answer shows it."""

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import RequestError
from bqx.learning.bundle import Bundle, Prediction
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.serving import captured
from bqx.trading.newest_signal import Costs, Signal

TRADING = Params()
"""What a trade costs, by which signals are decided: the defaults of a run. Bars that bring a spread
are charged that."""


@dataclass(frozen=True)
class Forecast:
    """Predictions and signals of one bar by horizon; ``minute`` is its open's epoch minute."""

    bundle: Bundle
    minute: int
    market_minute: int
    predictions: dict[int, Prediction]
    signals: dict[int, Signal]

    @property
    def timestamp(self) -> str:
        """ISO time of the bar's open."""
        return sessions.timestamp(self.minute).isoformat()

    @property
    def minutes_behind(self) -> int:
        """Whole minutes of an open market since its bar ended, by this machine's clock."""
        return sessions.market_age(self.market_minute, time.time())

    def content(self) -> dict[str, Any]:
        """What an answer to ``/invocations`` says of it."""
        return {
            "pair": self.bundle.pair,
            "timestamp": self.timestamp,
            "window": self.bundle.window,
            "predictions": {
                str(horizon): {
                    **{name: number(value) for name, value in asdict(prediction).items()},
                    "signal": self.signals[horizon].side,
                    "signal_strength": self.signals[horizon].strength,
                }
                for horizon, prediction in self.predictions.items()
            },
            "columns_hash": self.bundle.columns_hash,
            "trained_until": self.bundle.trained_until.isoformat(),
        }


def forecast_of(bundle: Bundle, x: NDArray[np.float32] | None, bars: Bars) -> Forecast:
    """Forecast for the last of some bars, given its (1, C) columns, see `Bundle.forecasts`.

    Raises RequestError where the bars do not suffice.
    """
    try:
        predictions = bundle.forecasts(x, bars)
    except RequestError:
        # A pair that is back after a hole has bars long before it has a forecast again.
        captured.forecast(bundle, x, bars, {})
        raise
    captured.forecast(bundle, x, bars, predictions)
    costs = Costs(bars, TRADING)
    signals = {
        horizon: costs.signal(
            window=prediction.window,
            horizon=horizon,
            innovation=prediction.level - prediction.martingale,
            half_width=(prediction.high - prediction.low) / 2,
        )
        for horizon, prediction in predictions.items()
    }
    return Forecast(
        bundle=bundle,
        minute=int(bars.minutes[-1]),
        market_minute=bars.first_market_minute + len(bars) - 1,
        predictions=predictions,
        signals=signals,
    )


def number(value: float) -> float | None:
    """A number as JSON has it; None for NaN."""
    return None if math.isnan(value) else value
