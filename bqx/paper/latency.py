"""How long orders take, and at what rate they are filled then."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bqx.errors import ParameterError
from bqx.market.pairs import PAIRS

LONGEST = 59.0
"""Seconds after which an order of a minute is filled at the latest."""
_TAIL = float(stats.norm.ppf(0.99))


@dataclass(frozen=True)
class Latency:
    """Seconds from a decision to its fill: lognormal, by its median and 99th percentile.

    Both 0 fill at the open, as the backtest does.
    """

    median: float = 0.0
    p99: float = 0.0

    @classmethod
    def of(cls, text: str) -> "Latency":
        """Of milliseconds ``MEDIAN,P99``; empty for none.

        Raises ParameterError for another text.

        >>> Latency.of("150,500")
        Latency(median=0.15, p99=0.5)
        """
        if not text:
            return cls()
        try:
            median, p99 = (float(number) / 1e3 for number in text.split(","))
        except ValueError:
            median, p99 = -1.0, -1.0
        if not 0.0 < median <= p99 <= LONGEST:
            raise ParameterError(
                f"--latency: no distribution, got {text[:40]!r}; expected MEDIAN,P99 in "
                f"milliseconds up to {LONGEST * 1e3:,.0f}, such as 150,500."
            )
        return cls(median, p99)

    def seconds(self, pair: str, minute: int) -> float:
        """Seconds that the orders of a pair and minute take, the same whenever it is asked."""
        if self.median == 0.0:
            return 0.0
        drawn = np.random.default_rng((PAIRS.index(pair), minute)).standard_normal()
        spread = np.log(self.p99 / self.median) / _TAIL
        return float(min(self.median * np.exp(spread * drawn), LONGEST))


def rate(opened: float, closed: float, seconds: float) -> float:
    """Rate so many seconds into a minute, on the straight way from its open to its close: what
    bars say of it on average.

    >>> rate(1.0, 1.6, 15.0)
    1.15
    """
    return opened + (closed - opened) * seconds / 60.0 if seconds else opened
