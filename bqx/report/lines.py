"""The verdict in a sentence and in three lines: is there information, can it be traded, is anything
promoted.

Each answer stands in ``verdict.json`` and presupposes the one before, so that no two of them
contradict each other; a sentence says an answer and the numbers beside it, and decides nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

NAMED = 6
"""Most cells that a sentence names; all of them stand in the table."""


def decide(
    information: Record, trading: Record, cells: Sequence[Record]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The three answers with the numbers that they rest on.

    It can be traded where information is claimed and some profit after costs lies above 0, of all
    cells together or of one, in an interval that allows for all; or where a cell is promoted.

    Parameters
    ----------
    information : claimed, and what else `information` says.
    trading : of all cells together: net_sharpe with the ends of its interval, and what else
        `tradable` says.
    cells : pair, horizon, net_sharpe_lo, promoted, reasons (records of the rules not passed).
    """
    promoted = [_name(cell) for cell in cells if information["claimed"] and cell["promoted"]]
    paid = [_name(cell) for cell in cells if (cell["net_sharpe_lo"] or 0.0) > 0 or cell["promoted"]]
    together = (trading["net_sharpe_lo"] or 0.0) > 0
    against = Counter(reason["rule"] for cell in cells for reason in cell["reasons"])
    can_trade = bool(information["claimed"] and (together or paid))
    return (
        dict(information),
        {**trading, "tradable": can_trade, "cells": paid if can_trade else []},
        {"cells": promoted, "of": len(cells), "against": dict(against.most_common())},
    )


def _name(cell: Record) -> str:
    return f"{cell['pair']} {cell['horizon']} min"


def headline(verdict: Record) -> str:
    """The verdict in one sentence: the three answers, and which pairs are approved.

    ``verdict`` : the three answers and ``registry`` (pair and status of each version).
    """
    cells = len(verdict["promoted"]["cells"])
    known = "There is information"
    if _may_not_last(verdict["information"]):
        known += " (how much of it lasts is not certain)"
    if not verdict["information"]["claimed"]:
        sentence = "No information was found: hold"
    elif not verdict["tradable"]["tradable"]:
        sentence = f"{known}, but not enough to pay for its costs: hold"
    elif not cells:
        sentence = f"{known} that paid for its costs, but none of it is proven well enough"
    else:
        sentence = f"{known} that paid for its costs, and {cells} of "
        sentence += f"{verdict['promoted']['of']} cells are promoted"
    pairs = approved(verdict)
    return f"{sentence}; {'approved: ' + _named(pairs) if pairs else 'no model is approved'}."


def approved(verdict: Record) -> list[str]:
    """Pairs whose version of this run is approved."""
    return [row["pair"] for row in verdict["registry"] if row["status"] == "approved"]


def lines(verdict: Record) -> tuple[str, str, str]:
    """The three sentences of a verdict, see `decide`."""
    return (
        information(verdict["information"]),
        tradable(verdict["tradable"], verdict["information"]["claimed"]),
        promoted(verdict["promoted"], verdict["tradable"]["tradable"]),
    )


def information(answer: Record) -> str:
    """Whether the run claims that its forecasts know anything, and how much of that is kept.

    ``answer`` : claimed, t, bound, folds, folds_claimed; skill with the ends of its interval;
    ic; smallest_skill and power.
    """
    test = f"t = {answer['t']:.2f} against a bound of {answer['bound']:.2f}"
    if answer["claimed"]:
        sentence = (
            f"Information: yes. Forecasts and labels go together beyond chance ({test}; "
            f"{answer['folds_claimed']} of {answer['folds']} folds by themselves)"
        )
    elif answer["smallest_skill"] is None:
        sentence = f"Information: none claimed ({test}); on these rows nothing could have been"
    else:
        sentence = (
            f"Information: none claimed ({test}); a skill of {basis(answer['smallest_skill'])} or "
            f"more would have been, {answer['power']:.0%} of the time"
        )
    correlation = "" if answer["ic"] is None else f", rank correlation {answer['ic']:+.4f}"
    return f"{sentence}. {_kept(answer)}{correlation}."


def _kept(answer: Record) -> str:
    low, high = answer["skill_lo"], answer["skill_hi"]
    if answer["skill"] == low == high == 0:
        return "No part of any forecast was kept, skill 0"
    span = "" if low is None else f", interval {basis(low)} to {basis(high)}"
    doubt = ""
    if _may_not_last(answer):
        doubt = ", how much of it lasts is not certain"
    elif low is not None and not answer["claimed"] and low > 0:
        doubt = ", which by itself is no claim"
    return f"What was kept of them has a skill of {basis(answer['skill'])}{span}{doubt}"


def _may_not_last(answer: Record) -> bool:
    """Whether information is claimed of which perhaps no skill is left."""
    low = answer["skill_lo"]
    return bool(answer["claimed"] and low is not None and low <= 0)


def tradable(answer: Record, claimed: bool) -> str:
    """Whether it pays for its costs, and up to which cost it would.

    ``answer`` : tradable, cells; net_sharpe with the ends of its interval; in bp expected_move,
    round_trip and break_even_cost.
    """
    sharpe = (
        "nothing was traded, or on too few days"
        if answer["net_sharpe"] is None
        else f"net Sharpe ratio {answer['net_sharpe']:+.1f}, interval "
        f"{answer['net_sharpe_lo']:+.1f} to {answer['net_sharpe_hi']:+.1f}"
    )
    if answer["tradable"]:
        alone = _named(answer["cells"]) if answer["cells"] else "no cell"
        sentence = f"Tradable: yes (all cells together: {sharpe}; by itself: {alone})"
    elif not claimed:
        sentence = f"Tradable: no, since no information is claimed ({sharpe})"
    else:
        sentence = f"Tradable: no, profit after costs is not beyond chance ({sharpe})"
    return f"{sentence}. {_paid(answer)}."


def _paid(answer: Record) -> str:
    if answer["expected_move"] is None or answer["break_even_cost"] is None:
        return f"No forecast expects a move; entry and exit cost {answer['round_trip']:.2f} bp"
    return (
        f"A forecast expects {answer['expected_move']:.2f} bp on average where entry and exit "
        f"cost {answer['round_trip']:.2f} bp; {paying(answer['break_even_cost'])}"
    )


def paying(break_even_cost: float) -> str:
    """Up to which cost of a round trip, in bp, trading every forecast would have paid."""
    if break_even_cost <= 0:
        return "trading every forecast would have lost at no cost at all"
    # Else a cost beyond what a forecast expects would contradict it.
    return (
        "since a position lasts for many forecasts, trading every one would have paid up to a "
        f"cost of {break_even_cost:.2f} bp"
    )


def promoted(answer: Record, can_trade: bool) -> str:
    """Which cells are promoted, or what stands against them.

    ``answer`` : cells, of, against (cells by the rule that they did not pass).
    """
    if answer["cells"]:
        return (
            f"Promoted: {len(answer['cells'])} of {answer['of']} cells: {_named(answer['cells'])}."
        )
    against = ", ".join(f"{rule} {cells}" for rule, cells in answer["against"].items())
    why = f" (cells by what stands against them: {against})" if against else ""
    also = "" if can_trade else ", since nothing is tradable"
    return f"Promoted: none of {answer['of']} cells{also}{why}."


def _named(names: Sequence[str]) -> str:
    """Some cells or pairs by name, the first of many."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def basis(share: float) -> str:
    """A share of the innovation's variance in basis points.

    >>> basis(0.0005), basis(-0.000012)
    ('+5.0 bp', '-0.1 bp')
    """
    return f"{1e4 * share + 0.0:+.1f} bp"
