"""What a challenger is worth after a market has turned: learnt from six months, and since then."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rounds as made

from bqx.learning import targets
from bqx.market import planted, simulated
from bqx.market.bars import Bars
from bqx.retraining import bars, challengers, forecasts, judgement, training

pytestmark = pytest.mark.studies

PAIR, SEED, DAYS = made.PAIRS[0], 3, 290
BEGUN, TURN = datetime(2024, 4, 29, 2, tzinfo=UTC), datetime(2024, 5, 27, tzinfo=UTC)
WEEKS = (4, 6, 8, 12, 16)
FOLLOWED = timedelta(weeks=4)
"""Time after a training over which its challenger is measured."""


def oracle() -> tuple[pd.Series, pd.Series]:
    """What is expected of the next return once the market has turned, and its decay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted, "STRONG", made.OPPOSITE)
        market = simulated.simulate("strong", made.PAIRS, made.START, days=DAYS, seed=SEED + 1)
    assert market.planted is not None
    return market.planted[PAIR], market.planted["decay"]


def attainable(own: Bars, rows: np.ndarray, drift: pd.Series, decay: pd.Series) -> float:
    """Mean skill over the horizons of one who knows what was planted."""
    series = drift.reindex(own.ts).fillna(0.0).to_numpy()
    factor = decay.reindex(own.ts).ffill().bfill().to_numpy()
    skills = []
    for horizon in made.PARAMS.horizons:
        target = targets.make(own, 15, horizon)
        known = planted.oracle(series, factor, window=15, horizon=horizon) / target.sigma
        label = target.label("innovation")[rows]
        error = label - known[rows]
        whole = np.isfinite(error)
        skills.append(1.0 - (error[whole] ** 2).sum() / (label[whole] ** 2).sum())
    return float(np.mean(skills))


def challenger(
    folder: Path, own: Bars, champion: tuple[int, Any] | None, row: int
) -> training.Trained:
    """A challenger of the rows from one on."""
    recent = own.rows(row, len(own))
    fold = training.fold_of({PAIR: recent}, made.PARAMS)
    training.train(recent, fold, folder, champion=champion, params=made.PARAMS)
    return training.read(folder)


def worth(
    frames: dict[str, pd.DataFrame], trained: training.Trained, now: datetime
) -> dict[str, float]:
    """Skill of a challenger in the weeks after its training, and what was attainable in them."""
    later = bars.known(frames, now + FOLLOWED)
    own = bars.grids(later, made.PARAMS, pd.Timestamp(now - timedelta(days=14)))[PAIR]
    rows = np.flatnonzero(own.minutes > int(now.timestamp()) // 60)
    table = forecasts.compared(
        own, rows, challenger=trained.bundle, champion=None, params=made.PARAMS
    )
    return {
        "skill": judgement.scores_of(table)["challenger"]["skill"],
        "attainable": attainable(own, rows, *oracle()),
    }


@pytest.fixture(scope="module")
def recovery(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("recovery")
    frames = {PAIR: made.turned((str(TURN.date()),), DAYS, SEED)[PAIR]}
    before = bars.latest(bars.known(frames, BEGUN), made.PARAMS, BEGUN)[PAIR]
    champion = (1, challenger(folder / "champion", before, None, 0).bundle)
    found = []
    for weeks in WEEKS:
        now = TURN + timedelta(weeks=weeks, hours=2)
        own = bars.latest(bars.known(frames, now), made.PARAMS, now)[PAIR]
        since, row = challengers._changed(own, champion[1], made.PARAMS)
        for name, first in (("six months", 0), ("since the change", row)):
            if name != "six months" and not since:
                continue
            done = challenger(folder / f"{name}-{weeks}", own, champion, first)
            passed = not judgement.judge({PAIR: done}, 0)[PAIR].reasons
            line = {"weeks": weeks, "learnt": name, "passed": passed, **worth(frames, done, now)}
            print(line, since)
            found.append(line)
    return found


def test_six_months_do_not_recover_and_what_came_since_does(
    recovery: list[dict[str, Any]],
) -> None:
    by_name = {
        name: {own["weeks"]: own for own in recovery if own["learnt"] == name}
        for name in ("six months", "since the change")
    }
    assert not any(own["passed"] for own in by_name["six months"].values())
    late = [own for weeks, own in by_name["since the change"].items() if weeks >= 8]
    assert all(own["passed"] for own in late)
    assert np.mean([own["skill"] / own["attainable"] for own in late]) > 0.8
