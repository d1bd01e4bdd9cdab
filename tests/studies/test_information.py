"""The gate's t, its sizes and the family error of claims, on null forecasts and labels."""

from typing import Any

import numpy as np
import pytest
from null_sums import coverage, daily_products, market

from bqx.evaluation import claims

pytestmark = pytest.mark.studies

MEMORIES = (30, 120, 480, 1_440)
SIZES = (0.05, 0.01, 0.001)
DAYS = 26
"""Of a part, as long as the test part of a year's fold."""
PARTS, AT_ONCE = 60_000, 500
MARKETS = 400


def rejections(memory: int) -> tuple[float, dict[str, float]]:
    """Standard deviation of t over the parts, and shares rejected by nominal size."""
    rng = np.random.default_rng(memory)
    ts, ranks = [], []
    for _ in range(PARTS // AT_ONCE):
        sums = daily_products(DAYS * AT_ONCE, memory, rng, volatility=0.3)
        scaled = claims._scaled(sums.reshape(AT_ONCE, DAYS).T)
        signs = 2.0 * rng.integers(0, 2, (claims.FLIPS, DAYS)) - 1.0
        t = scaled.sum(axis=0)
        ranks.append((1 + (signs @ scaled >= t).sum(axis=0)) / (1 + claims.FLIPS))
        ts.append(t)
    p = np.concatenate(ranks)
    return float(np.concatenate(ts).std()), {
        f"{size:g}": float((p <= size).mean()) for size in SIZES
    }


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_t_of_the_gate(memory: int, studied: dict[str, Any]) -> None:
    deviation, rejected = rejections(memory)
    studied.setdefault("claims", {}).setdefault("gate", {})[str(memory)] = {
        "sd": deviation
    } | rejected
    print(memory, deviation, rejected)
    assert 0.97 <= deviation <= 1.04
    for size, share in rejected.items():
        assert 0.8 <= share / float(size) <= 1.2


@pytest.mark.parametrize("memory", [30, 1_440])
def test_the_family_error(memory: int, studied: dict[str, Any]) -> None:
    rng = np.random.default_rng(1_000 + memory)
    claimed = 0
    for seed in range(MARKETS):
        null = market(DAYS, 2, rng, memory=memory)
        claimed += claims.claim(null, seed)["claimed"].any()
    studied.setdefault("claims", {}).setdefault("family", {})[str(memory)] = {
        "markets": MARKETS,
        "claimed": int(claimed),
    }
    print(memory, claimed)
    assert 0.03 <= claimed / MARKETS <= 0.07


@pytest.mark.parametrize("memory", [30, 1_440])
@pytest.mark.parametrize("days", [14, 26, 60])
@pytest.mark.parametrize("planted", [False, True])
def test_intervals_cover_the_skill(
    planted: bool, days: int, memory: int, studied: dict[str, Any]
) -> None:
    rng = np.random.default_rng(2_000 + days)
    share = float(coverage(1_200, days, memory, rng, planted=planted))
    name = f"{'planted' if planted else 'null'}, {days} days, {memory} minutes"
    studied.setdefault("claims", {}).setdefault("coverage", {})[name] = share
    print(name, share)
    assert 0.93 <= share <= 0.97
