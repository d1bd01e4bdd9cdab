"""What retraining promotes where nothing is, and what it is worth after a market has turned."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rounds as made
from scipy import stats

from bqx.learning import targets
from bqx.market import planted, simulated
from bqx.market.bars import Bars
from bqx.retraining import bars, challengers, forecasts, judgement, training
from bqx.retraining.rounds import JUDGED, Round

pytestmark = pytest.mark.studies

NULLS = 200
"""Markets without any information, each with a first round."""
SEEDS = (3, 13, 23, 33, 43, 53)
"""Markets that turn, each into its opposite and into one without information."""
PAIR, DAYS = made.PAIRS[0], 360
BEGUN, TURN = datetime(2024, 4, 29, 2, tzinfo=UTC), datetime(2024, 5, 27, tzinfo=UTC)
WEEKS = (4, 6, 8, 12, 16, 20, 26)
"""After the turn; the documents retrain on the latest six months, which is the last of them."""
FOLLOWED = timedelta(weeks=4)
"""Time after a training over which its challenger is measured."""
LEARNT = ("six months", "since the change")

Rows = list[dict[str, Any]]
Frames = dict[str, pd.DataFrame]


def oracle(seed: int) -> tuple[pd.Series, pd.Series]:
    """What is expected of the next return once the market has turned, and its decay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted, "STRONG", made.OPPOSITE)
        market = simulated.simulate("strong", made.PAIRS, made.START, days=DAYS, seed=seed + 1)
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
    frames: dict[str, pd.DataFrame], trained: training.Trained, now: datetime, seed: int
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
        "attainable": attainable(own, rows, *oracle(seed)),
    }


def after_the_turn(folder: Path, frames: dict[str, pd.DataFrame]) -> Rows:
    """Challengers at some weeks after the turn: what they learnt from, and whether they pass."""
    before = bars.latest(bars.known(frames, BEGUN), made.PARAMS, BEGUN)[PAIR]
    champion = (1, challenger(folder / "champion", before, None, 0).bundle)
    rows = []
    for weeks in WEEKS:
        now = TURN + timedelta(weeks=weeks, hours=2)
        own = bars.latest(bars.known(frames, now), made.PARAMS, now)[PAIR]
        since, row = challengers._changed(own, champion[1], made.PARAMS)
        for name, first in zip(LEARNT, (0, row), strict=True):
            if name != LEARNT[0] and not since:
                continue
            trained = challenger(folder / f"{name}-{weeks}", own, champion, first)
            passed = not judgement.judge({PAIR: trained}, 0)[PAIR].reasons
            rows.append({"weeks": weeks, "learnt": name, "passed": passed, "trained": trained})
    return rows


@pytest.fixture(scope="module")
def nulls(tmp_path_factory: pytest.TempPathFactory, studied: dict[str, Any]) -> dict[str, int]:
    folder = tmp_path_factory.mktemp("nulls")
    counts = dict.fromkeys(("markets", "passed", "above", "within"), 0)
    for seed in range(NULLS):
        own = folder / str(seed)
        made.loop(own).step(made.market("null", 72, 1_000 + seed), made.FIRST)
        made.market.cache_clear()
        (place,) = (own / "place" / "rounds").iterdir()
        judged = Round(place).read(JUDGED)["pairs"].values()
        counts["markets"] += 1
        counts["passed"] += any(not pair["reasons"] for pair in judged)
        for name, rule in (("above", "R² better"), ("within", "R² better or within 2 %")):
            counts[name] += any(pair["documents"][rule] == "promote" for pair in judged)
        shutil.rmtree(own)
        print(seed, counts, flush=True)
    studied["nulls"] = counts
    return counts


def challengers_after(
    factory: pytest.TempPathFactory, later: Callable[[int], Frames]
) -> Iterator[tuple[int, Frames, dict[str, Any]]]:
    """Seed, bars and challenger, one after the other, of strong markets that turn into others."""
    for seed in SEEDS:
        regimes = made.market("strong", DAYS, seed), later(seed + 1)
        frames = {PAIR: made.spliced(regimes, (str(TURN.date()),))[PAIR]}
        for row in after_the_turn(factory.mktemp(f"turned-{seed}"), frames):
            yield seed, frames, row
        made.market.cache_clear()
        made.opposite.cache_clear()


@pytest.fixture(scope="module")
def into_nothing(tmp_path_factory: pytest.TempPathFactory, studied: dict[str, Any]) -> Rows:
    rows = []
    for seed, _, row in challengers_after(
        tmp_path_factory, lambda seed: made.market("null", DAYS, seed)
    ):
        del row["trained"]
        rows.append(row | {"seed": seed})
        print(rows[-1], flush=True)
    studied["into_nothing"] = rows
    return rows


@pytest.fixture(scope="module")
def recovery(tmp_path_factory: pytest.TempPathFactory, studied: dict[str, Any]) -> Rows:
    rows = []
    for seed, frames, row in challengers_after(
        tmp_path_factory, lambda seed: made.opposite(DAYS, seed)
    ):
        trained, now = row.pop("trained"), TURN + timedelta(weeks=row["weeks"], hours=2)
        rows.append(row | {"seed": seed, **worth(frames, trained, now, seed)})
        print(rows[-1], flush=True)
    studied["recovery"] = rows
    return rows


def test_at_most_five_of_a_hundred_retrainings_promote_without_information(
    nulls: dict[str, int],
) -> None:
    # A count that 5 % would give but once in a thousand times.
    assert nulls["passed"] <= stats.binom.ppf(0.999, nulls["markets"], 0.05)


def test_at_most_five_of_a_hundred_challengers_pass_where_the_signal_has_gone(
    into_nothing: Rows,
) -> None:
    passed = sum(row["passed"] for row in into_nothing)
    assert passed <= stats.binom.ppf(0.999, len(into_nothing), 0.05)


def test_what_came_since_the_turn_recovers(recovery: Rows) -> None:
    since = [row for row in recovery if row["learnt"] == LEARNT[1]]
    settled = [row for row in recovery if row["learnt"] == LEARNT[0] and row["weeks"] == WEEKS[-1]]
    assert np.mean([row["passed"] for row in since]) > 0.8
    recovered, whole = (
        float(np.mean([row["skill"] / row["attainable"] for row in rows]))
        for rows in (since, settled)
    )
    assert recovered > 0.7
    # Of what the same learner has from six months of nothing but the new market.
    assert recovered / whole > 0.8
    held_up = [row for row in recovery if row["learnt"] == LEARNT[0] and row["weeks"] <= 8]
    assert not any(row["passed"] for row in held_up)
