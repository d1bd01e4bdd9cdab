"""Information in real minutes of the majors by session, the hour after the rollover apart.

A pooled ridge learns all hours together, as a run does; its forecasts out of sample are then tested
on the hours of each part alone, all pairs, horizons and folds at once.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from simulated import DATA
from test_weak_markets import GIVEN, learn

from bqx.evaluation import claims, conditions
from bqx.learning import samples
from bqx.learning.training import PairResult
from bqx.market import bars, readers, sessions
from bqx.market.bars import Bars

pytestmark = pytest.mark.studies

M1 = DATA / "m1"
ROLLOVER = 17
"""Hour of New York in which the banking day begins, and spreads are widest."""


def parts_of(own: Bars) -> dict[str, NDArray[np.bool_]]:
    """(T,) rows of each part of the day."""
    opened = conditions.session(own.minutes)
    hour = sessions.local_minutes(own.minutes, "America/New_York") // 60 % 24
    return {
        "all hours": np.ones(len(own), dtype=np.bool_),
        **{f"session: {name}": opened == name for name in conditions.SESSIONS},
        "the hour after the rollover": hour == ROLLOVER,
        "all but this hour": hour != ROLLOVER,
    }


def judged(panel: dict[str, Bars], results: dict[str, PairResult]) -> list[dict[str, Any]]:
    """Skill before shrinkage, information coefficient and claim of each part, over all cells."""
    products: dict[str, list[pd.DataFrame]] = {}
    errors: dict[str, list[tuple[float, float]]] = {}
    for pair, result in results.items():
        own = panel[pair]
        day, labels = sessions.trading_days(own.minutes), samples.targets_of(own, GIVEN)
        rows_of = parts_of(own)
        for horizon, forecasts in result.forecasts.groupby("horizon"):
            target = labels[int(str(horizon))]
            rows = own.ts.get_indexer(forecasts["ts_utc"])
            y, forecast = target.label("innovation")[rows], forecasts["raw"].to_numpy()
            fold = forecasts["fold"].to_numpy()
            for name, inside in rows_of.items():
                chosen = inside[rows] & np.isfinite(y) & np.isfinite(forecast)
                of, view = y[chosen], forecast[chosen]
                daily = claims.daily_products(of, view, fold=fold[chosen], day=day[rows[chosen]])
                products.setdefault(name, []).append(daily.assign(pair=pair, horizon=horizon))
                saved = (of**2).sum() - ((of - view) ** 2).sum()
                errors.setdefault(name, []).append((float(saved), float((of**2).sum())))
    return [
        {"part": name} | claimed(pd.concat(daily)) | {"skill": np.divide(*np.sum(errors[name], 0))}
        for name, daily in products.items()
    ]


def claimed(products: pd.DataFrame) -> dict[str, Any]:
    """The claims of a run, and its information coefficient."""
    found = claims.claim(products, seed=1)
    whole, folds = found[found["level"] == claims.RUN].iloc[0], found[found["level"] == claims.FOLD]
    sums = products[["product", "power", "label"]].sum()
    return {
        "rows": int(products["rows"].sum()),
        "ic": float(sums["product"] / np.sqrt(sums["power"] * sums["label"])),
        "t": float(whole["t"]),
        "bound": float(whole["bound"]),
        "claimed": bool(whole["claimed"]),
        "folds_claimed": int(folds["claimed"].sum()),
        "folds": len(folds),
    }


@pytest.fixture(scope="module")
def by_part(studied: dict[str, Any]) -> list[dict[str, Any]]:
    if not M1.exists():
        pytest.skip(f"no real bars in {M1}")
    panel = bars.align(readers.read_folder(M1))
    found = judged(panel, learn(panel, GIVEN))
    studied["sessions"] = found
    studied["pairs"] = list(panel)
    studied["until"] = str(next(iter(panel.values())).ts[-1].date())
    print(*found, sep="\n")
    return found


def test_the_sessions_add_up_to_all_hours(by_part: list[dict[str, Any]]) -> None:
    rows = {row["part"]: row["rows"] for row in by_part}
    assert sum(n for name, n in rows.items() if name.startswith("session")) == rows["all hours"]
    assert rows["the hour after the rollover"] + rows["all but this hour"] == rows["all hours"]
    assert all(abs(row["ic"]) < 0.2 for row in by_part)
