"""Weak planted momentum in markets of a year: how much of it a pooled ridge recovers and keeps.

Recovered is the squared error that forecasts save, of that which an oracle saves, over all pairs,
horizons and folds, in sigma. Splits and settings are those of ``params/real.yaml``, without lags.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.learning import samples, screening, split, training
from bqx.learning.training import PairResult
from bqx.market import bars, planted, simulated
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY
from bqx.params import Params

pytestmark = pytest.mark.studies

MAJORS = ("eurusd", "usdjpy", "gbpusd", "audusd", "usdcad", "usdchf")
SEEDS = (1, 2, 3)
NAME = "pooled_ridge"
GIVEN = Params(
    workers=1, days=364, start="2023-01-08", lags=(), stride=15, selected=40,
    train_days=0, validation_days=0, test_days=0, step_days=0,
)  # fmt: skip
STRENGTHS = (0.0, 0.193, 0.32, 0.52)
"""Next return as a share of the mean past one: about 0.15, 0.4 and 2 % of attainable skill."""


@dataclass(frozen=True)
class Saved:
    """Squared errors in sigma: those of the martingale, and what each forecast saves of them."""

    power: float
    raw: float
    kept: float
    oracle: float

    def __add__(self, more: "Saved") -> "Saved":
        return Saved(
            self.power + more.power,
            self.raw + more.raw,
            self.kept + more.kept,
            self.oracle + more.oracle,
        )


NOTHING = Saved(0.0, 0.0, 0.0, 0.0)


def market(strength: float, pairs: tuple[str, ...], seed: int) -> Saved:
    """A market learned as a run does it, with a strength of its momentum."""
    mode = "planted" if strength else "null"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted, "WEAK", strength)
        made = simulated.simulate(mode, pairs, GIVEN.start, days=GIVEN.days, seed=seed)
    panel = bars.align(made.frames)
    histories = {pair: History(own) for pair, own in panel.items()}
    columns = tuple(c for c in lags.grid(catalog.profile("core"), ()) if not c.suffix)
    folds = split.make(GIVEN, panel[pairs[0]].minutes, columns).folds
    screens = screening.screen_all(histories, columns, folds, GIVEN)
    results: dict[str, PairResult] = {}
    training.fit_all(
        histories, columns, folds, selections={}, screens=screens, params=GIVEN,
        write=results.__setitem__, name=NAME,
    )  # fmt: skip
    total = NOTHING
    for pair, result in results.items():
        total = total + _saved(panel[pair], result, made.planted)
    return total


def _saved(own: Bars, result: PairResult, known: Any) -> Saved:
    total = NOTHING
    made = samples.targets_of(own, GIVEN)
    for horizon, part in result.forecasts.groupby("horizon"):
        target = made[int(str(horizon))]
        rows = own.ts.get_indexer(part["ts_utc"])
        best = np.zeros(len(own))
        if known is not None:
            drift, decay = known[[own.pair, "decay"]].reindex(own.ts).to_numpy().T
            best = planted.oracle(drift, decay, window=15, horizon=target.horizon) / target.sigma
        y = target.label("innovation")[rows]
        raw, kept = part["raw"].to_numpy(), part["forecast"].to_numpy()
        finite = np.isfinite(y) & np.isfinite(raw) & np.isfinite(best[rows])
        power = float((y[finite] ** 2).sum())
        saved = [
            power - float(((y - forecast)[finite] ** 2).sum())
            for forecast in (raw, kept, best[rows])
        ]
        total = total + Saved(power, *saved)
    return total


@pytest.fixture(scope="module")
def recovered(studied: dict[str, Any]) -> dict[tuple[float, int], Saved]:
    """Sums over the seeds by strength and number of pairs."""
    out: dict[tuple[float, int], Saved] = {}
    tasks = [(strength, MAJORS) for strength in STRENGTHS] + [(0.193, LIQUIDITY)]
    for strength, pairs in tasks:
        seeds = SEEDS if pairs == MAJORS else SEEDS[:1]
        cells = [market(strength, tuple(pairs), seed) for seed in seeds]
        out[strength, len(pairs)] = sum(cells, NOTHING)
    studied["weak"] = [
        {
            "pairs": pairs,
            "attainable": own.oracle / own.power,
            "raw": own.raw / own.power,
            "kept": own.kept / own.power,
        }
        for (_, pairs), own in out.items()
    ]
    return out


@pytest.mark.parametrize(
    ("strength", "pairs", "least"),
    [(0.193, 6, 0.3), (0.32, 6, 0.55), (0.52, 6, 0.7), (0.193, 28, 0.5)],
)
def test_weak_momentum_is_recovered(
    recovered: dict[tuple[float, int], Saved], strength: float, pairs: int, least: float
) -> None:
    own = recovered[strength, pairs]
    assert own.kept >= least * own.oracle


def test_without_a_signal_keeping_costs_next_to_nothing(
    recovered: dict[tuple[float, int], Saved],
) -> None:
    own = recovered[0.0, 6]
    assert own.kept > -5e-5 * own.power
