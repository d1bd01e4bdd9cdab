"""Every figure draws what it is given and labels its axes."""

import inspect
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from bqx.operations.panels import SIX
from bqx.report import figures

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
RATIOS = {"sharpe_60": [np.nan] * 9 + [1.0] * 21, "sharpe_60_2x": [np.nan] * 9 + [0.5] * 21}
KNOWN = pd.DataFrame(
    [
        {"window": window, "horizon": horizon, "target": target, "theory": 0.4, "r2": 0.41}
        for window in (15, 60)
        for horizon in HORIZONS
        for target in ("level", "delta")
    ]
)
VERDICT = pd.DataFrame(
    {"horizon": HORIZONS, "skill": [0.001, 0.0], "skill_lo": [-0.001, 0.0],
     "skill_hi": [0.004, 0.0], "net_sharpe": [None, 1.0], "net_sharpe_lo": [None, -2.0],
     "net_sharpe_hi": [None, 4.0]}
)  # fmt: skip
BREAKDOWN = pd.DataFrame(
    {"gross": 3.0, "spread": 1.0, "slippage": 0.5, "commission": 0.2, "rollover": [0.1, -0.1],
     "net": [1.4, 1.2]},
    index=HORIZONS,
)  # fmt: skip
TRADED = pd.DataFrame(
    {"pair": ["eurusd", "eurusd", "usdjpy"], "horizon": [15, 30, 15],
     "break_even": [0.6, 0.55, 0.8], "forecast_accuracy": [0.5, 0.51, None],
     "trades_break_even": [0.55, 0.52, None], "accuracy": [0.5, 0.6, None]}
)  # fmt: skip
MATRIX = pd.DataFrame([[0.1, np.nan], [-0.2, 0.0]], index=PAIRS, columns=HORIZONS)

DRAWN: dict[str, Callable[[], Figure]] = {
    "system": lambda: figures.system(SYSTEM),
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
    "verdict": lambda: figures.verdict(VERDICT),
    "matrix": lambda: figures.matrix(
        MATRIX.rename_axis(index="pair", columns="horizon (min)"), "skill", centre=0
    ),
    "equity": lambda: figures.equity(
        pd.DataFrame({"day": DAYS, "gross": 1.0, "net": -1.0, "net_2x": -2.0} | RATIOS)
    ),
    "costs": lambda: figures.costs(BREAKDOWN),
    "break_even": lambda: figures.break_even(TRADED),
    "exposure": lambda: figures.exposure(
        pd.DataFrame({"gross": [1.0, 2.0], "net": [0.5, 0.0]}, index=["EUR", "USD"])
    ),
    "forecasts": lambda: figures.forecasts(
        pd.DataFrame({"horizon": [15, 30], "current": 1.0, "martingale": 0.0, "level": [2.0, 1.0]})
    ),
    "calibration": lambda: figures.calibration(np.zeros((0, 2))),
    "benchmarks": lambda: figures.benchmarks(
        pd.DataFrame(
            {
                "family": ["line", "rsi"],
                "ns": 1.0,
                "peer": ["pandas", None],
                "peer_ns": [9.0, np.nan],
            }
        )
    ),
    "latency": lambda: figures.latency(np.array([8.0, 12.0, 90.0])),
    "coverage": lambda: figures.coverage(CONDITIONS, 0.9),
    "domain_shares": lambda: figures.domain_shares(
        SHARES.rename_axis("pair"), SHARES.set_axis(HORIZONS)
    ),
    "domains_over_time": lambda: figures.domains_over_time(SHARES),
    "learning_curves": lambda: figures.learning_curves(
        pd.DataFrame(
            {"model": ["ridge"] * 4, "pair": ["eurusd", "eurusd", "usdjpy", "usdjpy"],
             "rows": [100, 200, 101, 202], "seen": [0.3, 0.2, 0.3, 0.2],
             "unseen": [-0.1, 0.1, 0.0, 0.1]}
        )
    ),
    "compared": lambda: figures.compared(COMPARED),
    "beeswarm": lambda: figures.beeswarm(SHAP_VALUES, READ),
    "dependence": lambda: figures.dependence(SHAP_VALUES, READ),
    "year": lambda: figures.year({"online": {"sudden": YEAR, "gradual": YEAR}, "real": YEAR}),
}  # fmt: skip


READ = pd.DataFrame(
    np.random.default_rng(3).normal(size=(40, 3)), columns=["slope (pt)", "rsi (1)", "hour (1)"]
)
SHAP_VALUES = READ * [0.01, -0.2, 0.05]
YEAR = {
    "months": [
        {"month": month, "static": 0.02 - 0.002 * month, "retrained": 0.01, "online": 0.012}
        for month in range(1, 13)
    ]
}
WITH_LEGEND = {
    *("benchmarks", "break_even", "columns_by_kind", "costs", "counts", "coverage", "equity"),
    *("domain_shares", "domains_over_time", "exposure", "forecasts", "importance", "rates"),
    *("latency", "learning_curves", "mechanical_share", "skill_by_horizon", "year"),
}
SMALL, MEDIUM = (FontProperties(size=name).get_size_in_points() for name in ("small", "medium"))
SHARES = pd.DataFrame({"rate": [0.6, 0.5], "bqx": [0.4, 0.5]}, index=PAIRS)
COMPARED = pd.DataFrame(
    {"skill": [0.0, 0.02], "skill_lo": [0.0, -0.01], "skill_hi": [0.0, 0.05],
     "seconds": [0.1, 20.0], "milliseconds": [0.001, 0.2], "kb": [0.0, 900.0]},
    index=["martingale", "forest"],
)  # fmt: skip


CONDITIONS = pd.DataFrame(
    {
        "condition": ["session", "session", "trend"],
        "value": ["london", "new_york", "up"],
        "horizon": [15, 30, 15],
        "coverage": [0.91, 0.88, np.nan],
    }
)
SYSTEM = {
    "R² and skill, 24 hours": pd.DataFrame({"R²": 0.5, "skill": 0.001}, index=DAYS),
    "Drift": pd.DataFrame({"columns": np.linspace(0.0, 0.4, 30)}, index=DAYS),
    "Latency": pd.DataFrame({"P99": [200.0, 280.0]}, index=pd.Index([1, 2], name="answers")),
    "Error rate": pd.DataFrame({"errors": [0.0, 0.02]}, index=pd.Index([1, 2], name="answers")),
}


def test_a_panel_shows_its_lines_its_bounds_and_what_it_has_not() -> None:
    axes = figures.system(SYSTEM).axes
    assert [own.get_title() for own in axes] == [panel.title for panel in SIX]
    texts = [[text.get_text().strip() for text in own.texts] for own in axes]
    assert texts[0] == texts[5] == ["a server counts it:\nGET /metrics"]
    assert texts[3] == ["R²", "skill"]
    errors = [line.get_ydata()[0] for line in axes[2].lines if line.get_linestyle() == "--"]
    assert errors == [0.05]


def test_every_figure_is_drawn_here() -> None:
    public = {name for name, _ in inspect.getmembers(figures, inspect.isfunction)}
    assert public == set(figures.__all__) == set(DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_axes_are_labelled(name: str) -> None:
    figure = DRAWN[name]()
    figure.draw_without_rendering()
    for axes in figure.axes:
        if axes.get_label() == "<colorbar>":
            assert axes.get_ylabel()
            continue
        assert axes.get_xlabel()
        named = axes.get_ylabel() or [label.get_text() for label in axes.get_yticklabels()]
        assert named


@pytest.mark.parametrize("name", DRAWN)
def test_titles_and_legends_have_the_style_and_cover_nothing(name: str) -> None:
    figure = DRAWN[name]()
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert len(figure.legends) == (name in WITH_LEGEND)
    assert not any(axes.get_legend() for axes in figure.axes)
    for legend in figure.legends:
        assert legend.get_texts()
        assert not legend.get_frame_on()
        assert {text.get_fontsize() for text in legend.get_texts()} == {SMALL}
        extent = legend.get_window_extent()
        assert not any(extent.overlaps(box) for box in boxes)
        assert figure.bbox.x0 <= extent.x0 < extent.x1 <= figure.bbox.x1
    assert {axes.title.get_fontsize() for axes in figure.axes if axes.get_title()} <= {MEDIUM}


def test_five_horizons_stand_side_by_side_with_marks_of_their_own() -> None:
    horizons = [15, 30, 45, 60, 75]
    rows = pd.DataFrame(
        {"condition": "session", "value": "london", "horizon": horizons, "coverage": 0.9}
    )
    lines = figures.coverage(rows, 0.9).axes[0].lines[:5]
    assert len({(line.get_marker(), line.get_color()) for line in lines}) == 5
    np.testing.assert_allclose([line.get_xdata()[0] for line in lines], 0.14 * np.arange(-2, 3))


def test_labels_of_a_short_logarithmic_axis_do_not_overlap() -> None:
    figure = figures.compared(COMPARED.assign(seconds=[0.4, 3.0]))
    figure.draw_without_rendering()
    boxes = [
        label.get_window_extent()
        for label in figure.axes[1].get_xticklabels(which="both")
        if label.get_text()
    ]
    assert len(boxes) >= 2
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_every_cell_of_the_skill_figure_has_its_interval() -> None:
    figure = figures.skill_by_horizon(CELLS)
    lower = figure.axes[1]
    drawn = sum(len(bars.lines[2][0].get_segments()) for bars in lower.containers)
    assert drawn == len(CELLS)


def test_where_nothing_was_traded_there_is_no_axis_of_sharpe_ratios() -> None:
    nothing = dict.fromkeys(("net_sharpe", "net_sharpe_lo", "net_sharpe_hi"))
    skill, sharpe = figures.verdict(VERDICT.assign(**nothing)).axes
    assert skill.axison
    assert not sharpe.axison
    assert [text.get_text() for text in sharpe.texts] == ["net Sharpe ratio: nothing was traded"]


def test_a_matrix_writes_the_values_that_exist() -> None:
    figure = figures.matrix(MATRIX, "skill")
    assert len(figure.axes[0].texts) == 3


def test_a_matrix_hatches_the_cells_without_a_value() -> None:
    hatched = [
        patch for patch in figures.matrix(MATRIX, "skill").axes[0].patches if patch.get_hatch()
    ]
    assert [patch.get_xy() for patch in hatched] == [(0.5, -0.5)]


@pytest.mark.parametrize(("value", "limits"), [(0.0, (0, 1)), (0.2, (0, 0.2)), (-3.0, (-3, 1))])
def test_a_matrix_of_one_value_has_no_colours_below_zero(
    value: float, limits: tuple[float, float]
) -> None:
    shares = pd.DataFrame([[value, value], [value, np.nan]])
    (image,) = figures.matrix(shares, "share").axes[0].images
    assert image.get_clim() == limits


def test_the_parts_of_the_cost_pile_up_to_gross_less_net() -> None:
    bars = figures.costs(BREAKDOWN).axes[0].containers[1:]
    piled = sum(np.array([bar.get_height() for bar in part]) for part in bars)
    np.testing.assert_allclose(piled, BREAKDOWN["gross"] - BREAKDOWN["net"])
    ends = np.array([[bar.get_y() + bar.get_height() for bar in part] for part in bars])
    assert ends.max() == pytest.approx(1.8)
    assert ends.min() == pytest.approx(-0.1)


def test_shares_of_domains_fill_their_bars() -> None:
    parts = figures.domain_shares(SHARES, SHARES).axes[0].containers
    piled = sum(np.array([bar.get_width() for bar in part]) for part in parts)
    np.testing.assert_allclose(piled, 1.0)


def test_a_learning_curve_is_the_mean_over_pairs() -> None:
    seen, unseen = DRAWN["learning_curves"]().axes
    assert seen.lines[0].get_ydata().tolist() == pytest.approx([0.3, 0.2])
    assert unseen.lines[0].get_ydata().tolist() == pytest.approx([-0.05, 0.1])
    assert unseen.lines[0].get_xdata().tolist() == pytest.approx([100.5, 201.0])


def test_columns_stand_in_the_order_of_their_shap_values() -> None:
    swarm, left, right = (*DRAWN["beeswarm"]().axes[:1], *DRAWN["dependence"]().axes)
    names = [label.get_text() for label in swarm.get_yticklabels()]
    assert names == ["slope (pt)", "hour (1)", "rsi (1)"]  # from below
    assert [left.get_xlabel(), right.get_xlabel()] == ["rsi (1)", "hour (1)"]
    x, y = left.collections[0].get_offsets().data.T
    np.testing.assert_allclose(y, -0.2 * x)


def test_dots_of_a_swarm_lie_where_they_lay_and_chance_goes_on() -> None:
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random(2)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    drawn = [np.random.random()]  # noqa: NPY002
    first, second = (DRAWN["beeswarm"]().axes[0].collections[0] for _ in range(2))
    drawn.append(np.random.random())  # noqa: NPY002
    np.testing.assert_array_equal(first.get_offsets(), second.get_offsets())
    assert drawn == expected.tolist()


def test_a_model_without_a_size_has_no_dot() -> None:
    size = figures.compared(COMPARED).axes[3].lines[0].get_xdata()
    assert np.isnan(size[0])
    assert size[1] == 900.0


def test_drawdown_starts_with_the_first_loss() -> None:
    losing = pd.DataFrame({"day": DAYS, "gross": 1.0, "net": -1.0, "net_2x": -2.0} | RATIOS)
    lines = figures.equity(losing).axes[1].lines
    assert [line.get_ydata()[0] for line in lines] == [-1.0, -2.0]
    assert [line.get_ydata()[-1] for line in lines] == [-30.0, -60.0]


def test_needed_and_reached_accuracy_of_a_cell_stand_above_each_other() -> None:
    needed, _, traded, reached, _ = figures.break_even(TRADED).axes[0].lines
    assert needed.get_ydata().tolist() == pytest.approx([60.0, 55.0, 80.0])
    assert reached.get_ydata()[:2].tolist() == pytest.approx([50.0, 60.0])
    assert np.isnan(reached.get_ydata()[2])
    assert needed.get_xdata().tolist() == traded.get_xdata().tolist() == [-0.2, 0.8, 0.2]


def test_without_positions_the_exposure_says_so() -> None:
    idle = pd.DataFrame({"gross": [0.0], "net": [0.0]}, index=["EUR"])
    assert [text.get_text() for text in figures.exposure(idle).axes[0].texts] == [
        "nothing was held"
    ]
