"""Exposures and netted costs against plain arithmetic and a linear program."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from bqx.market import pairs
from bqx.market.simulated import AVERAGE_SPREAD
from bqx.trading import netting

FILL = {pair: AVERAGE_SPREAD[pair] * 1e-4 for pair in pairs.PAIRS}


def net(trades: dict[str, np.ndarray], fill: dict[str, float] = FILL) -> netting.Netting:
    rows = len(next(iter(trades.values())))
    held = {pair: np.cumsum(bought) for pair, bought in trades.items()}
    return netting.net(held, trades, {pair: np.full(rows, fill[pair]) for pair in trades})


def test_a_triangle_leaves_no_exposure_and_costs_nothing_to_net() -> None:
    one = np.array([1.0, 0.0, -1.0])
    found = net({"eurusd": one, "gbpusd": -one, "eurgbp": -one})
    np.testing.assert_array_equal(found.exposure, 0.0)
    np.testing.assert_allclose(found.by_currency, 0.0, atol=1e-18)
    paid = FILL["eurusd"] + FILL["gbpusd"] + FILL["eurgbp"]
    np.testing.assert_allclose(found.by_pair, paid * np.array([1.0, 0.0, 1.0]))
    exposures = found.exposures()
    assert exposures.loc["EUR", "gross"] == pytest.approx(4 / 3)
    assert exposures.loc["JPY"].tolist() == [0.0, 0.0]


def test_one_pair_alone_has_nothing_to_net() -> None:
    found = net({"usdjpy": np.array([0.5, -1.0])})
    np.testing.assert_allclose(found.exposure[:, pairs.CURRENCIES.index("USD")], [0.5, -0.5])
    np.testing.assert_allclose(found.exposure[:, pairs.CURRENCIES.index("JPY")], [-0.5, 0.5])
    np.testing.assert_allclose(found.by_currency, found.by_pair)


def test_all_pairs_are_traded_through_the_seven_cheapest_that_join_them() -> None:
    random = np.random.default_rng(0)
    found = net({pair: random.normal(size=5) for pair in pairs.PAIRS})
    assert len(found.legs) == 7
    assert {"eurusd", "usdjpy", "gbpusd", "audusd", "usdchf", "nzdusd", "usdcad"} == set(found.legs)
    assert (found.by_currency < found.by_pair).all()


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(pairs.PAIRS), min_size=1, max_size=28, unique=True),
    st.integers(0, 2**31),
)
def test_exposures_add_up_and_netting_lies_between_the_best_and_none(
    names: list[str], seed: int
) -> None:
    random = np.random.default_rng(seed)
    fill = {pair: float(random.uniform(1e-5, 1e-3)) for pair in names}
    trades = {pair: random.normal(size=3) for pair in names}
    found = net(trades, fill)
    np.testing.assert_allclose(found.exposure.sum(axis=1), 0.0, atol=1e-12)
    assert (np.abs(found.exposure) <= found.gross_exposure + 1e-12).all()
    assert (found.by_currency <= found.by_pair).all()
    # The cheapest of all ways to trade the same change of exposures.
    sides = np.array(
        [
            [(pairs.base(pair) == name) - (pairs.quote(pair) == name) for pair in names]
            for name in pairs.CURRENCIES
        ],
        float,
    )
    wanted = sides @ np.array([trades[pair][0] for pair in names])
    weights = [fill[pair] for pair in names]
    best = linprog(
        weights * 2, A_eq=np.hstack([sides, -sides]), b_eq=wanted, bounds=(0, None), method="highs"
    )
    assert best.status == 0
    assert found.by_currency[0] >= best.fun - 1e-9


def test_without_a_rate_the_pairs_own_orders_are_sent() -> None:
    trades = {"eurusd": np.array([1.0, 1.0]), "gbpusd": np.zeros(2), "eurgbp": -np.ones(2)}
    fill = {pair: np.full(2, FILL[pair]) for pair in trades}
    fill["gbpusd"][1] = np.nan
    found = netting.net(trades, trades, fill)
    assert found.by_currency[0] == pytest.approx(FILL["gbpusd"])
    assert (
        found.by_currency[1] == found.by_pair[1] == pytest.approx(FILL["eurusd"] + FILL["eurgbp"])
    )


def test_free_pairs_still_join_their_currencies() -> None:
    found = net({"eurusd": np.ones(2), "eurgbp": np.ones(2)}, {"eurusd": 0.0, "eurgbp": 0.0})
    assert set(found.legs) == {"eurusd", "eurgbp"}
    np.testing.assert_array_equal(found.by_currency, 0.0)
