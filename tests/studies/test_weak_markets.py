"""Weak signals in markets of a year or three: how much is recovered, and in which folds claimed.

Recovered is the squared error that forecasts save, of that which an oracle saves, over all pairs,
horizons and folds, in sigma. Splits and settings are those of ``params/real.yaml``, without lags.
Momentum is learned by a pooled ridge; signals that lines see badly also by pooled boosting, and
pairs that follow others with features across pairs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bqx.evaluation import claims
from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.learning import samples, screening, split, training
from bqx.learning.training import PairResult
from bqx.market import bars, planted, sessions, simulated
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY
from bqx.params import Params

pytestmark = pytest.mark.studies

MAJORS = ("eurusd", "usdjpy", "gbpusd", "audusd", "usdcad", "usdchf")
GIVEN = Params(
    workers=1, days=364, start="2023-01-08", lags=(), stride=15, selected=40,
    train_days=0, validation_days=0, test_days=0, step_days=0,
)  # fmt: skip
STRENGTHS = {
    0.05: 0.13,
    0.1: 0.165,
    0.15: 0.193,
    0.2: 0.225,
    0.43: 0.32,
    1.0: 0.43,
    2.0: 0.52,
    5.0: 0.66,
}
"""Next return as a share of the mean past one, by about the skill in percent that it makes."""
SETTING = ("pairs", "years", "percent")
CELLS = [(6, 1, percent, seed) for percent in (0.0, *STRENGTHS) for seed in (1, 2)]
CELLS += [(6, 1, percent, 3) for percent in (0.15, 0.43)]
CELLS += [(28, 1, 0.15, 1), (6, 3, 0.05, 1), (6, 3, 0.15, 1), (28, 1, 0.05, 1), (28, 1, 0.43, 1)]
"""Pairs, years, attainable skill in percent, and seed."""


KINDS = {
    "threshold": ("STRONG", {0.5: 0.25, 0.3: 0.1}),
    "lead": ("LED", {0.9: 0.05, 0.3: -0.01, 0.15: -0.01}),
}
"""What sets the strength of a signal, and its values here with the share that is recovered."""
LEARNERS = ("pooled_ridge", "pooled_xgboost")


def study(pairs: int, years: int, percent: float, seed: int) -> dict[str, Any]:
    """A market of weak momentum learned as a run does it, and scored."""
    given = GIVEN.model_copy(update={"days": GIVEN.days * years})
    names = MAJORS if pairs == len(MAJORS) else tuple(LIQUIDITY)
    market = simulated_with("planted", "WEAK", STRENGTHS.get(percent, 0.0), names, given, seed)
    panel = bars.align(market.frames)
    results = learn(panel, given)
    scores = scored(panel, results, market.planted, given, seed)
    return {"pairs": pairs, "years": years, "percent": percent, "seed": seed} | scores


def study_of_kind(kind: str, value: float, seed: int = 1) -> list[dict[str, Any]]:
    """Six pairs and a year of another kind of signal, learned by each of `LEARNERS`, and scored."""
    market = simulated_with(kind, KINDS[kind][0], value, MAJORS, GIVEN, seed)
    panel = bars.align(market.frames)
    out = []
    for name in LEARNERS:
        results = learn(panel, GIVEN, name, across=kind == "lead")
        scores = scored(panel, results, market.planted, GIVEN, seed)
        out.append({"kind": kind, "learner": name} | scores)
    return out


def simulated_with(
    kind: str, strength: str, value: float, names: Sequence[str], given: Params, seed: int
) -> simulated.Market:
    """A market of a kind of signal at another strength; without one where that is 0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted, strength, value)
        mode = kind if value else "null"
        return simulated.simulate(mode, names, given.start, days=given.days, seed=seed)


def scored(
    panel: dict[str, Bars],
    results: dict[str, PairResult],
    drift: pd.DataFrame | None,
    given: Params,
    seed: int,
) -> dict[str, Any]:
    """What is saved by each forecast, and the folds in which it is claimed."""
    parts = [forecasts_of(panel[pair], result, drift, given) for pair, result in results.items()]
    saved = pd.concat(sums for sums, _ in parts).sum()
    products = pd.concat(daily for _, daily in parts)
    out: dict[str, Any] = {
        name: float(saved[name] / saved["power"]) for name in ("raw", "kept", "oracle")
    }
    for name, daily in products.groupby("forecast"):
        found = claims.claim(daily.drop(columns="forecast"), seed)
        folds = found[found["level"] == claims.FOLD]
        out |= {f"{name}_claimed": int(folds["claimed"].sum()), "folds": len(folds)}
    return out


def learn(
    panel: dict[str, Bars], given: Params, name: str = "pooled_ridge", *, across: bool = False
) -> dict[str, PairResult]:
    """Forecasts of a pooled estimator by pair, out of sample over all folds.

    ``across`` : whether features across pairs are among the candidates.
    """
    histories = {pair: History(own) for pair, own in panel.items()}
    others = [f for f in catalog.profile("full") if across and f.table.startswith("cross_pair")]
    grid = lags.grid((*catalog.profile("core"), *others), ())
    columns = tuple(column for column in grid if not column.suffix)
    folds = split.make(given, next(iter(panel.values())).minutes, columns).folds
    screens = screening.screen_all(histories, columns, folds, given)
    results: dict[str, PairResult] = {}
    training.fit_all(
        histories, columns, folds, selections={}, screens=screens, params=given,
        write=results.__setitem__, name=name,
    )  # fmt: skip
    return results


def forecasts_of(
    own: Bars, result: PairResult, drift: pd.DataFrame | None, given: Params
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Squared errors saved by forecast, one row per horizon; and daily products of two of them."""
    labels, day = samples.targets_of(own, given), sessions.trading_days(own.minutes)
    saved, products = [], []
    for horizon, part in result.forecasts.groupby("horizon"):
        target = labels[int(str(horizon))]
        rows = own.ts.get_indexer(part["ts_utc"])
        y = target.label("innovation")[rows]
        views = {
            "raw": part["raw"].to_numpy(),
            "kept": part["forecast"].to_numpy(),
            "oracle": known(own, drift, target.horizon)[rows] / target.sigma[rows],
        }
        finite = np.isfinite(y) & np.all([np.isfinite(view) for view in views.values()], axis=0)
        power = float((y[finite] ** 2).sum())
        losses = {name: float(((y - view)[finite] ** 2).sum()) for name, view in views.items()}
        saved.append({"power": power} | {name: power - loss for name, loss in losses.items()})
        for name in ("raw", "oracle"):
            daily = claims.daily_products(
                y, views[name], fold=part["fold"].to_numpy(), day=day[rows]
            )
            products.append(daily.assign(pair=own.pair, horizon=target.horizon, forecast=name))
    return pd.DataFrame(saved), pd.concat(products)


def known(own: Bars, drift: pd.DataFrame | None, horizon: int) -> NDArray[np.float64]:
    """(T,) what an oracle forecasts; 0 of a market without a signal."""
    if drift is None:
        return np.zeros(len(own))
    series, decay = drift[[own.pair, "decay"]].reindex(own.ts).to_numpy().T
    return planted.oracle(series, decay, window=15, horizon=horizon)


@pytest.fixture(scope="module")
def recovered(studied: dict[str, Any]) -> pd.DataFrame:
    """Sums over the seeds by `SETTING`."""
    studied["weak"] = found = []
    for cell in CELLS:
        found.append(study(*cell))
        print(found[-1])
    return pd.DataFrame(found).groupby(list(SETTING)).sum()


@pytest.mark.parametrize(
    ("setting", "least", "claimed"),
    [
        ((6, 1, 0.15), 0.3, 0.5),
        ((6, 1, 0.43), 0.55, 0.95),
        ((6, 1, 2.0), 0.75, 0.95),
        ((28, 1, 0.15), 0.5, 0.9),
    ],
)
def test_weak_momentum_is_recovered_and_claimed(
    recovered: pd.DataFrame, setting: tuple[int, int, float], least: float, claimed: float
) -> None:
    own = recovered.loc[setting]
    assert own["kept"] >= least * own["oracle"]
    assert own["raw_claimed"] >= claimed * own["folds"]


def test_without_a_signal_nothing_is_claimed_and_keeping_costs_next_to_nothing(
    recovered: pd.DataFrame,
) -> None:
    own = recovered.loc[(6, 1, 0.0)]
    assert own["kept"] > -5e-5 * 2
    assert own["raw_claimed"] == 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_other_weak_signals_are_recovered_in_part(kind: str, studied: dict[str, Any]) -> None:
    for value, least in KINDS[kind][1].items():
        rows = study_of_kind(kind, value)
        print(rows)
        studied.setdefault("kinds", []).extend(rows)
        assert max(row["kept"] for row in rows) > least * rows[0]["oracle"]
