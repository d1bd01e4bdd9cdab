"""Every figure draws what it is given and labels its axes."""

import inspect
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bqx import figures

PAIRS, HORIZONS = ("eurusd", "usdjpy"), (15, 30)
CELLS = pd.DataFrame(
    [
        {"pair": pair, "horizon": horizon, "r2": 0.52, "known_r2": 0.5, "skill": 0.02,
         "skill_lo": -0.01, "skill_hi": 0.05, "unshrunk_skill": -0.01, "attainable": None}
        for pair in PAIRS
        for horizon in HORIZONS
    ]
)  # fmt: skip
DAYS = pd.date_range("2024-01-08", periods=30, freq="D")
KNOWN = pd.DataFrame(
    [
        {"window": window, "horizon": horizon, "target": target, "theory": 0.4, "r2": 0.41}
        for window in (15, 60)
        for horizon in HORIZONS
        for target in ("level", "delta")
    ]
)
MATRIX = pd.DataFrame([[0.1, np.nan], [-0.2, 0.0]], index=PAIRS, columns=HORIZONS)

DRAWN: dict[str, Callable[[], Figure]] = {
    "rates": lambda: figures.rates(
        pd.DataFrame(np.full((30, 2), 100.0), index=DAYS, columns=list(PAIRS))
    ),
    "day_profile": lambda: figures.day_profile(
        pd.DataFrame({"volatility": [1.0, 2.0], "spread": [1.0, 3.0]})
    ),
    "mechanical_share": lambda: figures.mechanical_share(KNOWN),
    "warm_up": lambda: figures.warm_up(
        pd.DataFrame({"table": ["reg_idx", "time"], "lookback": [60, 0]})
    ),
    "counts": lambda: figures.counts(
        pd.DataFrame({"table": ["reg_idx"], "inventory": [90], "implemented": [90]})
    ),
    "columns_by_kind": lambda: figures.columns_by_kind(
        pd.DataFrame({0: [90, 20], 60: [90, 0]}, index=["reg_idx", "time"])
    ),
    "importance": lambda: figures.importance(
        pd.DataFrame({"pair": ["eurusd"] * 2, "rank": [1, 2], "cumulative": [0.6, 0.9]})
    ),
    "skill_by_horizon": lambda: figures.skill_by_horizon(CELLS),
    "matrix": lambda: figures.matrix(
        MATRIX.rename_axis(index="pair", columns="horizon (min)"), "skill", centre=0
    ),
    "benchmarks": lambda: figures.benchmarks(
        pd.DataFrame(
            {
                "family": ["moments", "clock"],
                "ns": [3.0, 9.0],
                "peer": ["pandas", None],
                "peer_ns": [20.0, np.nan],
            }
        )
    ),
    "equity": lambda: figures.equity(pd.DataFrame({"day": DAYS, "gross": 1.0, "net": -1.0})),
    "forecasts": lambda: figures.forecasts(
        pd.DataFrame({"horizon": [15, 30], "current": 1.0, "martingale": 0.0, "level": [2.0, 1.0]})
    ),
    "calibration": lambda: figures.calibration(np.zeros((0, 2))),
}


def test_every_figure_is_drawn_here() -> None:
    public = {
        name
        for name, value in inspect.getmembers(figures, inspect.isfunction)
        if value.__module__ == figures.__name__ and not name.startswith("_")
    }
    assert public == set(DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_axes_are_labelled(name: str) -> None:
    figure = DRAWN[name]()
    figure.canvas.draw()
    for axes in figure.axes:
        if axes.get_label() == "<colorbar>":
            assert axes.get_ylabel()
            continue
        assert axes.get_xlabel()
        named = axes.get_ylabel() or [label.get_text() for label in axes.get_yticklabels()]
        assert named


def test_every_cell_of_the_skill_figure_has_its_interval() -> None:
    figure = figures.skill_by_horizon(CELLS)
    lower = figure.axes[1]
    drawn = sum(len(bars.lines[2][0].get_segments()) for bars in lower.containers)
    assert drawn == len(CELLS)


def test_a_matrix_writes_the_values_that_exist() -> None:
    figure = figures.matrix(MATRIX, "skill")
    assert len(figure.axes[0].texts) == 3
