"""Signals that need no model, traded beside every forecast at the same costs on the same rows.

What a model adds is what it earns beyond them. They trade on every row, since none of them
expects a move of any size that could be weighed against a cost.
"""

import numpy as np

from bqx.learning.targets import Target
from bqx.market.bars import Bars
from bqx.trading import signals
from bqx.trading.signals import Side

HELD = "buy and hold"
NAMES = ("martingale", "known part only", "momentum sign", "zero", HELD)


def sides(bars: Bars, target: Target, kind: str) -> dict[str, Side]:
    """(T,) sides of every comparator at the target's horizon, 0 where unknown.

    The martingale forecast expects no move and so takes no position. *Known part only* reads the
    target's martingale forecast, which moves because of what has already happened, as if it were
    a view of the rate: a forecast that BQX will rise sells. *Momentum sign* follows the move over
    the last ``horizon`` minutes. *Zero* never trades, *buy and hold* always buys one notional.
    """
    zero, close, horizon = np.zeros(len(bars)), bars.close, target.horizon
    expected = signals.expected_move(zero, target.window, horizon)
    momentum = np.full(len(close), np.nan)
    momentum[horizon:] = close[horizon:] - close[:-horizon]
    by_name = (
        signals.side(expected, zero, zero),
        _sign(-target.martingale_of(kind)),
        _sign(momentum),
        zero.astype(np.int8),
        np.full(len(bars), signals.BUY, np.int8),
    )
    return dict(zip(NAMES, by_name, strict=True))


def _sign(view: signals.Series) -> Side:
    return np.nan_to_num(np.sign(view)).astype(np.int8)
