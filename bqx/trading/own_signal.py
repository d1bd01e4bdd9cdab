"""The rule that turns an expected move into a side: this package's, or a function of the user's."""

from collections.abc import Callable

import numpy as np

from bqx.errors import ParameterError
from bqx.identity import own_code
from bqx.params import Params, root
from bqx.params.rules import own_model
from bqx.trading import signals
from bqx.trading.signals import BUY, HOLD, SELL, Series, Side

Rule = Callable[[Series, Series, Series], Side]
"""(T,) sides of (T,) expected log moves and expected costs of a buy and of a sell."""

MOVES = np.linspace(-3e-4, 3e-4, 9)
COSTS = np.full(9, 1e-4)
"""Expected moves and costs on which a user's rule is tried."""


def rule_of(params: Params) -> Rule:
    """The rule by which a run trades.

    Raises ParameterError for a file or function that is not there, or gives no sides of a few rows.
    """
    if not params.signal:
        return signals.side
    relative, name = own_model(params.signal) or ("", "")
    path = (root() / relative).resolve()
    if not path.is_file():
        raise ParameterError(
            f"signal: not there, got {params.signal!r}; expected FILE.py:function with a file "
            f"below {root()}."
        )
    try:
        module, _ = own_code.known_by_content(path)
    except (Exception, SystemExit) as error:
        raise ParameterError(
            f"signal: {path} cannot be imported, got {type(error).__name__} {error}; expected a "
            f"module that defines {name}."
        ) from error
    rule = getattr(module, name, None)
    if not callable(rule):
        raise ParameterError(
            f"signal: no function in {path}, got {name} that is "
            f"{'absent' if rule is None else 'something else'}; expected one of expected move, "
            "cost of a buy and cost of a sell."
        )
    # A run reaches its first trade after minutes.
    _checked(rule, params.signal, MOVES, COSTS, COSTS)
    return lambda move, buy_cost, sell_cost: _checked(
        rule, params.signal, move, buy_cost, sell_cost
    )


def _checked(own: Rule, name: str, *series: Series) -> Side:
    """Sides of a user's rule, which decides on a row by that row alone, as a live one has to."""
    sides = _called(own, name, *series)
    half = len(sides) // 2
    back = _called(own, name, *(values[::-1].copy() for values in series))[::-1]
    early = _called(own, name, *(values[:half].copy() for values in series))
    if not (np.array_equal(sides, back) and np.array_equal(sides[:half], early)):
        raise ParameterError(
            f"signal: {name} decides by other rows, got other sides where these are left out or "
            "turned round; expected each row's side from that row's values alone. Take shifts, "
            "means and memory out of it."
        )
    return sides


def _called(own: Rule, name: str, *series: Series) -> Side:
    try:
        sides = np.asarray(own(*series))
    except (Exception, SystemExit) as error:
        raise ParameterError(
            f"signal: {name} failed, got {type(error).__name__} {error}; expected sides of "
            f"{len(series[0]):,} rows."
        ) from error
    if sides.shape != series[0].shape or not np.isin(sides, (BUY, HOLD, SELL)).all():
        raise ParameterError(
            f"signal: {name} gives no sides, got {sides.dtype} of shape {sides.shape}; expected "
            f"{BUY}, {HOLD} or {SELL} for each of {len(series[0]):,} rows."
        )
    return sides.astype(np.int8)
