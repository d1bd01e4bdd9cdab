"""Pairs, triangles and sisters hold together, and agree with the design page's lists."""

from itertools import combinations, permutations

import numpy as np
import pytest

from bqx.errors import ParameterError
from bqx.market import pairs

THROUGH_EURO = ("gbpusd", "nzdusd", "usdcad", "usdchf", "usdjpy")


def test_every_two_currencies_make_one_pair():
    made = {pairs.join(*two) for two in combinations(pairs.CURRENCIES, 2)}
    assert made == set(pairs.PAIRS) == set(pairs.LIQUIDITY)
    assert len(pairs.PAIRS) == len(pairs.LIQUIDITY) == 28
    assert list(pairs.PAIRS) == sorted(pairs.PAIRS)


@pytest.mark.parametrize("pair", pairs.PAIRS)
def test_a_pair_knows_its_currencies(pair):
    assert pairs.join(pairs.base(pair), pairs.quote(pair)) == pair
    assert pairs.join(pairs.quote(pair), pairs.base(pair)) == pair
    assert pairs.pip(pair) == (0.01 if pair.endswith("jpy") else 0.0001)
    assert pairs.check(pair) == pair


@pytest.mark.parametrize("name", ["usdeur", "EURUSD", "eurxxx", ""])
def test_an_unknown_pair(name):
    with pytest.raises(ParameterError, match=f"^pair: unknown pair, got '{name}'; expected"):
        pairs.check(name)


def test_all_56_triangles_close_in_the_rates():
    worth = dict(zip(pairs.CURRENCIES, np.random.default_rng(2).uniform(0.5, 2.0, 8), strict=True))
    rate = {pair: worth[pairs.base(pair)] / worth[pairs.quote(pair)] for pair in pairs.PAIRS}
    assert len(set(pairs.TRIANGLES)) == 56
    for triangle in pairs.TRIANGLES:
        legs = (triangle.direct, triangle.first, triangle.second)
        assert len({currency for leg in legs for currency in (leg[:3], leg[3:])}) == 3
        assert rate[triangle.direct] == pytest.approx(rate[triangle.first] * rate[triangle.second])


def test_the_56_triangles_are_all_there_are():
    found = {frozenset((t.direct, t.first, t.second)) for t in pairs.TRIANGLES}
    loops = {
        frozenset(three)
        for three in combinations(pairs.PAIRS, 3)
        if len({c for pair in three for c in (pair[:3], pair[3:])}) == 3
    }
    assert found == loops


@pytest.mark.parametrize("pair", pairs.PAIRS)
def test_the_triangle_runs_through_the_designed_currency(pair):
    if "usd" not in pair:
        third = "USD"
    elif pair in THROUGH_EURO:
        third = "EUR"
    else:
        third = {"eurusd": "GBP", "audusd": "JPY"}[pair]
    assert pairs.third_currency(pair) == third
    triangle = pairs.triangle(pair)
    assert triangle in pairs.TRIANGLES
    assert pair in (triangle.direct, triangle.first, triangle.second)


@pytest.mark.parametrize("pair", pairs.PAIRS)
def test_five_sisters_share_a_currency(pair):
    sisters = pairs.SISTERS[pair]
    assert len(set(sisters)) == 5
    assert set(sisters) <= set(pairs.PAIRS) - {pair}
    for sister in sisters:
        assert {pair[:3], pair[3:]} & {sister[:3], sister[3:]}


def test_each_pair_shares_a_currency_with_twelve():
    assert set(pairs.SISTERS) == set(pairs.PAIRS)
    sharing = {
        pair: sum(bool({pair[:3], pair[3:]} & {o[:3], o[3:]}) for o in pairs.PAIRS) - 1
        for pair in pairs.PAIRS
    }
    assert set(sharing.values()) == {12}


def test_join_ignores_the_order():
    for one, other in permutations(pairs.CURRENCIES, 2):
        assert pairs.join(one, other) == pairs.join(other, one)
