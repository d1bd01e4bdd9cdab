"""Positions of many pairs as exposures to their currencies, and what trading only the net saves.

A pair is long its base and short its quote currency, so that 28 pairs are seven independent
positions. A change of exposure can be traded through the few pairs that join all currencies most
cheaply; where that is dearer than the pairs' own orders, those are sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from bqx.market import pairs

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Netting:
    """Exposures of a portfolio and the cost of its trades, in notionals and shares of one.

    ``exposure`` : (T, 8) net position in each currency, in the order of ``pairs.CURRENCIES``.
    ``gross_exposure`` : (T, 8) sum of the absolute positions in it.
    ``by_pair`` : (T,) cost of trading every pair's own change of position.
    ``by_currency`` : (T,) cost of trading the changes of exposure, never more.
    ``legs`` : the pairs through which exposures are traded.
    """

    exposure: Series
    gross_exposure: Series
    by_pair: Series
    by_currency: Series
    legs: tuple[str, ...]

    def exposures(self) -> pd.DataFrame:
        """Mean absolute exposure by currency: columns gross and net, notionals."""
        currency = pd.Index(pairs.CURRENCIES, name="currency")
        gross, net = self.gross_exposure, np.abs(self.exposure)
        return pd.DataFrame({"gross": gross.mean(axis=0), "net": net.mean(axis=0)}, currency)


def _currencies(names: list[str]) -> list[tuple[int, int]]:
    """Places of each pair's base and quote among the currencies."""
    index = pairs.CURRENCIES.index
    return [(index(pairs.base(pair)), index(pairs.quote(pair))) for pair in names]


def _tree(ends: list[tuple[int, int]], cost: Series) -> tuple[list[int], Series]:
    """Cheapest pairs that join the currencies, and (8, legs) the currencies on their base side.

    What a leg trades is the sum of the changes of exposure on that side.
    """
    size = len(pairs.CURRENCIES)
    graph = np.zeros((size, size))
    # A tree is cheapest by the order of the costs alone, and an order has no zeros.
    for rank, number in enumerate(np.argsort(cost, kind="stable")):
        graph[ends[number]] = 1 + rank
    tree = minimum_spanning_tree(graph).toarray() > 0
    legs = [number for number, end in enumerate(ends) if tree[end]]
    sides = np.zeros((size, len(legs)))
    for column, leg in enumerate(legs):
        cut = tree.copy()
        cut[ends[leg]] = False
        _, component = connected_components(cut, directed=False)
        sides[:, column] = component == component[ends[leg][0]]
    return legs, sides


def net(
    positions: Mapping[str, Series],
    trades: Mapping[str, Series],
    fill_cost: Mapping[str, Series],
) -> Netting:
    """Net the positions of several pairs on the same rows.

    Parameters
    ----------
    positions, trades : (T,) position in each pair through a row, and what is bought at its open,
        notionals, positive for the base currency.
    fill_cost : (T,) share lost on trading one notional of each pair (``Costs.fill``), NaN where
        there is no rate; the mean decides which pairs are cheap.
    """
    names = list(positions)
    position, bought, cost = (
        np.column_stack([series[pair] for pair in names])
        for series in (positions, trades, fill_cost)
    )
    ends, unit = _currencies(names), np.eye(len(pairs.CURRENCIES))
    incidence = np.array([unit[base] - unit[quote] for base, quote in ends])
    by_pair = (np.abs(bought) * np.nan_to_num(cost)).sum(axis=1)
    legs, sides = _tree(ends, np.nanmean(cost, axis=0))
    # NaN where a leg has no rate: there the pairs' own orders are sent.
    through_legs = (np.abs(bought @ incidence @ sides) * cost[:, legs]).sum(axis=1)
    return Netting(
        exposure=position @ incidence,
        gross_exposure=np.abs(position) @ np.abs(incidence),
        by_pair=by_pair,
        by_currency=np.fmin(by_pair, through_legs),
        legs=tuple(names[leg] for leg in legs),
    )
