"""The backtest against vectorbt on the same signals in the same run: equal trades, and the time."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bqx.market import pairs, simulated
from bqx.market.bars import Bars, align
from bqx.params import Params
from bqx.trading import backtest, costs, performance
from bqx.trading.costs import Costs

pytestmark = [pytest.mark.benchmarks, pytest.mark.filterwarnings("ignore")]

HORIZON, PAIRS = 15, 8
CASH = 1e6
NOTIONAL = 1e4
GOAL = 10.0
"""How many times as fast as vectorbt the whole pass has to be; its single parts are shown."""

Series = NDArray[np.float64]


@pytest.fixture(scope="module")
def vectorbt() -> Any:
    return pytest.importorskip("vectorbt")


@pytest.fixture(scope="module")
def walk() -> Bars:
    """A year of simulated bars without a hole, since vectorbt does not wait for the next bar."""
    frame = simulated.simulate("null", pairs=("eurusd",), days=364).frames["eurusd"]
    grid = align({"eurusd": frame})["eurusd"]
    return Bars("eurusd", grid.frame.ffill().assign(filled=False), grid.baseline)


@pytest.fixture(scope="module")
def signals(walk: Bars) -> Series:
    """(T, pairs) sides and sizes, a third of the rows each; whole minutes of any week but its last
    hours, so that no entry is refused."""
    random = np.random.default_rng(0)
    made = random.choice([-1.0, 0.0, 1.0], (len(walk), PAIRS)) * random.uniform(
        0.5, 2.0, (len(walk), PAIRS)
    )
    whole = backtest.run(
        walk, np.ones(len(walk)), HORIZON, costs=costs.make(walk, Params())
    ).entered
    return made * (whole[:, None] != 0)


def orders(signal: Series, mid: Series) -> Series:
    """(T, pairs) units to buy at each open: in at t+1, out at t+1+horizon."""
    out = np.zeros_like(signal)
    units = NOTIONAL / HORIZON * signal[: -1 - HORIZON] / mid[1:-HORIZON, None]
    out[1:-HORIZON] += units
    out[1 + HORIZON :] -= units
    return out


def portfolio(vectorbt: Any, signal: Series, paid: Costs) -> Any:
    return vectorbt.Portfolio.from_orders(
        np.repeat(paid.mid[:, None], signal.shape[1], axis=1), size=orders(signal, paid.mid),
        fees=paid.fill[:, None], init_cash=CASH, freq="1min",
    )  # fmt: skip


def test_the_same_trades_and_the_same_equity(vectorbt: Any, walk: Bars, signals: Series) -> None:
    """Where the execution models agree: every minute has a bar, and no night costs interest."""
    free = Params(commission=0.2, markup=0, interest=dict.fromkeys(pairs.CURRENCIES, 0.0))
    rows = slice(0, 30_000)
    part, paid = walk.rows(rows.start, rows.stop), costs.make(walk, free).rows(0, rows.stop)
    side = signals[rows, :1].copy()
    side[-1 - HORIZON :] = 0.0
    found = backtest.run(part, side[:, 0], HORIZON, costs=paid)
    peer = portfolio(vectorbt, side, paid)
    bought = np.zeros(len(part))
    records = peer.orders.records
    sign = np.where(records["side"] == 0, 1.0, -1.0)
    bought[records["idx"]] = sign * records["size"] * records["price"]
    np.testing.assert_allclose(found.bought, bought / NOTIONAL, atol=1e-11)
    assert np.count_nonzero(found.bought) == len(records) > 15_000
    equity = np.concatenate(([0.0], np.cumsum(found.gross)[:-1])) - np.cumsum(found.cost)
    expected = (peer.value().to_numpy().ravel() - CASH) / NOTIONAL
    np.testing.assert_allclose(equity, expected, atol=1e-9)
    np.testing.assert_allclose(found.cost.sum(), records["fees"].sum() / NOTIONAL, rtol=1e-9)


Part = Callable[[Any], Any]


def seconds(parts: tuple[Part, ...], given: Any) -> Series:
    """CPU seconds of each part, which takes what the one before it made."""
    spent = []
    for part in parts:
        start = time.process_time()
        given = part(given)
        spent.append(time.process_time() - start)
    return np.array(spent)


def test_a_pass_is_ten_times_as_fast(
    vectorbt: Any, walk: Bars, signals: Series, results: dict[str, Any]
) -> None:
    paid = costs.make(walk, Params())
    ours: tuple[Part, ...] = (
        lambda signal: backtest.run(walk, signal, HORIZON, costs=paid),
        lambda made: made.daily(),
        performance.summary,
    )
    theirs: tuple[Part, ...] = (
        lambda signal: portfolio(vectorbt, signal, paid),
        lambda made: (made, made.returns())[0],
        lambda made: (made.sharpe_ratio(), made.sortino_ratio(), made.max_drawdown(),
                      made.total_return()),
    )  # fmt: skip
    columns = [np.ascontiguousarray(signals[:, k]) for k in range(PAIRS)]
    seconds(ours, columns[0])
    seconds(theirs, signals)
    own = np.min([sum(seconds(ours, one) for one in columns) for _ in range(5)], axis=0)
    other = np.min([seconds(theirs, signals) for _ in range(2)], axis=0)
    values = len(walk) * PAIRS
    ratio = other.sum() / own.sum()
    compared = zip(("fills", "returns", "metrics"), own, other, strict=True)
    parts = [(name, mine / values * 1e9, peer / values * 1e9) for name, mine, peer in compared]
    results |= {"parts": parts, "ratio": ratio}
    for name, mine, peer in parts:
        print(f"\n{name}: {mine:.1f} ns a bar and pair, vectorbt {peer:.1f}")
    print(f"whole pass: {ratio:.1f} times as fast as vectorbt")
    assert ratio > GOAL
