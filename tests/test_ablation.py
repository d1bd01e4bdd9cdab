"""What groups of columns add, where it is known."""

import numpy as np
import pytest

from bqx.evaluation import ablation
from bqx.evaluation.ablation import ALL, SELECTED, PairRows
from bqx.learning.models.ridge import Ridge


def fit(x: np.ndarray, y: np.ndarray, later: np.ndarray) -> np.ndarray:
    return Ridge(alpha=1e-3).fit(x, y).predict(later)


def pair(seed: int, *, gap: bool = False) -> PairRows:
    """Column 0 carries 0.3 of the label, column 1 another 0.2, the others nothing."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(6_000, 6)).astype(np.float32)
    y = np.column_stack([0.3 * x[:, 0] + 0.2 * x[:, 1] + draw.normal(size=6_000)] * 2)
    if gap:
        y[3_100:3_200, 1] = np.nan
    selected = np.array([True, True, False, False, False, False])
    day = np.arange(3_000) // 100 + 400
    return PairRows(x[:3_000], y[:3_000], x[3_000:], y[3_000:], day, selected)


def test_a_group_adds_what_its_columns_carry() -> None:
    names = ("first", "second", "noise")
    groups = {name: np.arange(6) == number for number, name in enumerate(names[:2])}
    groups["noise"] = np.arange(6) >= 2
    table = ablation.ablate({"a": pair(1), "b": pair(2, gap=True)}, groups, fit).set_index("set")
    power = 1.0 + 0.09 + 0.04
    assert list(table.index) == [ALL, SELECTED, *names]
    assert table.loc[ALL, "skill"] == pytest.approx(0.13 / power, abs=0.02)
    assert table.loc["first", "adds"] == pytest.approx(0.09 / power, abs=0.02)
    assert table.loc["second", "skill"] == pytest.approx(0.04 / power, abs=0.02)
    assert table.loc["first", "adds_lo"] > 0.0
    assert table.loc["noise", "adds_lo"] < 0.0 < table.loc["noise", "adds_hi"] + 0.001
    assert table.loc[SELECTED, "skill"] >= 0.95 * table.loc[ALL, "skill"]
    assert table.loc[SELECTED, "columns"] == 2


def test_an_absent_forecast_is_no_perfect_one() -> None:
    every = np.ones(6, np.bool_)
    known = ablation.losses({"a": pair(1)}, lambda rows: ~every, fit)
    absent = ablation.losses(
        {"a": pair(1)}, lambda rows: every, lambda *_: np.full((3_000, 2), np.nan)
    )
    assert np.isfinite(known).all()
    assert np.isnan(absent).all()


def test_without_columns_the_forecast_is_the_martingales() -> None:
    rows = {"a": pair(1)}
    nothing = ablation.losses(rows, lambda own: np.zeros(6, np.bool_), fit)
    by_day = (rows["a"].later_y ** 2).sum(axis=1).reshape(30, 100).sum(axis=1)
    np.testing.assert_allclose(nothing, by_day)
