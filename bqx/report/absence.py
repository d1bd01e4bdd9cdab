"""Why a value of a cell does not exist, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from bqx.evaluation.overfitting import FEWEST_DAYS, NO_TRADES

NEVER = "the same net profit on all days at this spread"
"""Why a Sharpe ratio lacks where the account at the spread itself has one."""
SILENT = "every forecast is the martingale's"


def why(cell: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Reason by name of each absent value of a cell.

    ``cell`` : values by name, and ``reason`` of its account.
    """
    absent = [name for name in names if cell[name] is None]
    return {name: _reason(name, cell) for name in absent}


def _reason(name: str, cell: Mapping[str, Any]) -> str:
    idle = not cell["turnover"]
    if "sharpe" in name or name == "turnover":
        return cell["reason"] or NEVER
    if name == "martingale_direction":
        return "the martingale forecast of this target is 0 everywhere"
    if name == "deflated":
        return NO_TRADES if idle else f"fewer than {FEWEST_DAYS} days, or always the same profit"
    if name == "pbo" and cell["configurations"] == 1:
        return "a single configuration was tried: nothing was chosen"
    if name == "pbo":
        return f"fewer than {FEWEST_DAYS} days that all configurations share"
    if name == "capacity":
        return NO_TRADES
    if name in ("expected_move", "break_even_cost", "unshrunk_ic"):
        return SILENT
    return "not defined on these rows"
