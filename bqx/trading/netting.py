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
        return pd.DataFrame(
            {
                "gross": self.gross_exposure.mean(axis=0),
                "net": np.abs(self.exposure).mean(axis=0),
            },
            index=pd.Index(pairs.CURRENCIES, name="currency"),
        )


def _incidence(names: list[str]) -> Series:
    """(pairs, 8) what one unit of each pair is in every currency."""
    out = np.zeros((len(names), len(pairs.CURRENCIES)))
    for row, pair in enumerate(names):
        out[row, pairs.CURRENCIES.index(pairs.base(pair))] = 1.0
        out[row, pairs.CURRENCIES.index(pairs.quote(pair))] = -1.0
    return out


def _tree(names: list[str], cost: Series) -> tuple[list[int], Series]:
    """Cheapest pairs that join the currencies, and (8, legs) those on each one's base side.

    What a leg trades is the sum of the changes of exposure on that side.
    """
    size = len(pairs.CURRENCIES)
    graph = np.zeros((size, size))
    ends = [
        (pairs.CURRENCIES.index(pairs.base(pair)), pairs.CURRENCIES.index(pairs.quote(pair)))
        for pair in names
    ]
    # A tree is cheapest by the order of the costs alone, and an order has no zeros.
    for rank, number in enumerate(np.argsort(cost, kind="stable")):
        graph[ends[number]] = 1 + rank
    kept = minimum_spanning_tree(graph).toarray() > 0
    legs = [number for number, end in enumerate(ends) if kept[end]]
    sides = np.zeros((size, len(legs)))
    for column, leg in enumerate(legs):
        cut = kept.copy()
        cut[ends[leg]] = False
        _, part = connected_components(cut, directed=False)
        sides[:, column] = part == part[ends[leg][0]]
    return legs, sides


def net(
    positions: Mapping[str, Series],
    trades: Mapping[str, Series],
    fill_cost: Mapping[str, Series],
) -> Netting:
    """Net the positions of several pairs on the same rows.

    Parameters
    ----------
    positions, trades : (T,) notionals of each pair held through a row and bought at its open,
        positive for the base currency.
    fill_cost : (T,) share lost on trading one notional of each pair (``Costs.fill``), NaN where
        there is no rate; the mean decides which pairs are cheap.
    """
    names = list(positions)
    held, bought, cost = (
        np.column_stack([series[pair] for pair in names])
        for series in (positions, trades, fill_cost)
    )
    incidence = _incidence(names)
    by_pair = (np.abs(bought) * np.nan_to_num(cost)).sum(axis=1)
    legs, sides = _tree(names, np.nanmean(cost, axis=0))
    # NaN where a leg has no rate: there the pairs' own orders are sent.
    through_legs = (np.abs(bought @ incidence @ sides) * cost[:, legs]).sum(axis=1)
    return Netting(
        exposure=held @ incidence,
        gross_exposure=np.abs(held) @ np.abs(incidence),
        by_pair=by_pair,
        by_currency=np.fmin(by_pair, through_legs),
        legs=tuple(names[leg] for leg in legs),
    )
