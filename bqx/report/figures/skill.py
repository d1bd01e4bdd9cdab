"""Plots of forecasts: their skill, their coverage and what one of them says."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bqx.report.figures.canvas import (
    BLUE,
    GREY,
    MARKERS,
    PALETTE,
    Values,
    beside,
    canvas,
    interval,
    legend,
    note,
    styled,
)


@styled
def skill_by_horizon(cells: pd.DataFrame) -> Figure:
    """Skill of every pair with its interval, in bp of variance, beside raw and mechanical R².

    ``cells`` has columns pair, horizon, r2, known_r2, skill, skill_lo, skill_hi, unshrunk_skill
    and attainable (absent where no market's attainable skill is known).
    """
    figure, (upper, lower) = canvas(rows=2, width=6.4, height=7.0)
    skills = ["skill", "skill_lo", "skill_hi", "unshrunk_skill", "attainable"]
    cells = cells.assign(**(1e4 * cells[skills].astype(float)))
    horizons = sorted(cells["horizon"].unique())
    names = sorted(cells["pair"].unique())
    for number, (pair, offset) in enumerate(zip(names, beside(len(names), 0.6), strict=True)):
        colour, rows = PALETTE[number % len(PALETTE)], cells[cells["pair"] == pair]
        x = rows["horizon"].map(horizons.index).to_numpy() + offset
        bars = {"fmt": "o", "ms": 3, "lw": 1, "color": colour, "label": pair}
        lower.errorbar(x, rows["skill"].to_numpy(float), interval(rows), **bars)
        upper.plot(x, rows["r2"], "o", ms=3, color=colour)
        upper.plot(x, rows["known_r2"], "_", ms=8, color="black")
        lower.plot(x, rows["unshrunk_skill"], "o", ms=4, mfc="none", mew=0.8, color=colour)
        if rows["attainable"].notna().any():
            lower.plot(x, rows["attainable"], "x", ms=4, color=GREY)
    upper.set(ylabel="R²", title="Raw R² (dots), known in advance (bars)", ylim=(-0.1, 1))
    lower.axhline(0, color="black", lw=1)
    lower.set_title("Skill with interval (open: unshrunk, crosses: attainable)")
    lower.set_ylabel("skill of the innovation in sigma\n(bp of its variance)")
    for axes in (upper, lower):
        axes.set_xticks(range(len(horizons)), [str(horizon) for horizon in horizons])
        axes.set_xlabel("horizon (min)")
    legend(figure, lower)
    return figure


@styled
def verdict(horizons: pd.DataFrame) -> Figure:
    """Skill in bp of variance and net Sharpe ratio of all pairs together, by horizon.

    ``horizons`` has columns horizon, and of skill and net_sharpe the value and the ends of its
    interval; None where there is none. Small enough for a phone's width.
    """
    figure, panels = canvas(rows=2, width=4.6, height=4.4)
    draw_verdict(panels, horizons)
    return figure


def draw_verdict(panels: Any, horizons: pd.DataFrame) -> None:
    """Draw what `verdict` shows on two axes, the skill on the first."""
    scales = {"skill": (1e4, "skill (bp of variance)"), "net_sharpe": (1.0, "net Sharpe ratio")}
    names = horizons["horizon"].astype(str).tolist()
    for axes, (name, (scale, label)) in zip(panels, scales.items(), strict=True):
        value, low, high = (
            horizons[column].to_numpy(float) * scale
            for column in (name, f"{name}_lo", f"{name}_hi")
        )
        if np.isnan(value).all():
            axes.set_axis_off()
            note(axes, f"{label}: nothing was traded")
            continue
        lengths = np.maximum(np.nan_to_num([value - low, high - value]), 0.0)
        axes.errorbar(names, value, lengths, fmt="o", ms=6, lw=2, color=BLUE)
        axes.axhline(0, color="black", lw=1)
        axes.set(xlabel="horizon (min)", ylabel=label)
        axes.margins(x=0.1)


@styled
def matrix(values: pd.DataFrame, label: str, centre: float | None = None) -> Figure:
    """A heat map with its values written in, hatched where there is none; ``label`` names the
    colour.
    """
    figure, axes = canvas(height=max(2.6, 0.34 * len(values) + 1.2))
    shades = values.to_numpy(float)
    is_finite = np.isfinite(shades)
    limits = {}
    if centre is None and len({*shades[is_finite]}) == 1:
        # All alike, such as shares of 0: the colours begin at 0, and none of them is below.
        alike = float(shades[is_finite][0])
        limits = {"vmin": min(alike, 0.0), "vmax": max(alike, 0.0) or 1.0}
    if centre is not None:
        farthest = float(np.max(np.abs(shades[is_finite] - centre), initial=0.0)) or 1.0
        limits = {"vmin": centre - farthest, "vmax": centre + farthest}
    colours = "cividis" if centre is None else "PuOr"
    image = axes.imshow(shades, cmap=colours, aspect="auto", **limits)
    for row, column in np.argwhere(~is_finite):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", ec=GREY, lw=0))
    for row, column in np.argwhere(is_finite):
        shade = image.norm(shades[row, column])
        is_dark = shade < 0.45 if centre is None else abs(shade - 0.5) > 0.35
        text = axes.text(column, row, f"{shades[row, column]:.3g}", ha="center", va="center")
        text.set(size=8, color="white" if is_dark else "black")
    axes.set_xticks(range(values.shape[1]), [str(name) for name in values.columns])
    rows = [" ".join(map(str, name)) if isinstance(name, tuple) else name for name in values.index]
    axes.set_yticks(range(values.shape[0]), [str(name) for name in rows])
    names = ", ".join(str(name) for name in values.index.names if name)
    axes.set(xlabel=str(values.columns.name or ""), ylabel=names)
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=label)
    return figure


@styled
def coverage(conditions: pd.DataFrame, nominal: float) -> Figure:
    """Share of labels inside the intervals, one mark per pair, under every condition.

    ``conditions`` has columns condition, value, horizon, coverage; ``nominal`` is the share asked
    for. The band is two points to either side.
    """
    figure, axes = canvas(height=4.2)
    keys = pd.MultiIndex.from_frame(conditions[["condition", "value"]])
    names = keys.unique()
    ticks = names.get_indexer(keys)
    horizons = sorted(conditions["horizon"].unique())
    marks = zip(horizons, beside(len(horizons), 0.7), PALETTE, MARKERS, strict=False)
    for horizon, offset, colour, marker in marks:
        of_horizon = (conditions["horizon"] == horizon).to_numpy()
        x, y = ticks[of_horizon] + offset, conditions["coverage"][of_horizon]
        axes.plot(x, y, marker, ms=3, color=colour, label=f"{horizon} min")
    axes.axhspan(nominal - 0.02, nominal + 0.02, color=GREY, alpha=0.2, lw=0)
    axes.axhline(nominal, color=GREY, lw=1, ls="--")
    axes.set_xticks(range(len(names)), ["\n".join(name).replace("_", " ") for name in names])
    axes.tick_params(axis="x", labelsize="small")
    axes.set(xlabel="condition when forecast", ylabel="share of labels inside the interval")
    axes.set_ylim(nominal - 0.1, min(nominal + 0.08, 1.0))
    legend(figure, axes, "horizon")
    return figure


@styled
def forecasts(rows: pd.DataFrame) -> Figure:
    """A served forecast: columns horizon, current, martingale, level (BQX, bp of the sum)."""
    figure, axes = canvas(height=3.2)
    axes.plot(rows["horizon"], rows["current"], "s-", color=GREY, label="now")
    axes.plot(rows["horizon"], rows["martingale"], "_", ms=14, color="black", label="martingale")
    axes.plot(rows["horizon"], rows["level"], "o", color=BLUE, label="forecast")
    axes.set(xlabel="horizon (min)", ylabel="BQX (bp)")
    legend(figure, axes)
    return figure


@styled
def calibration(innovations: Values) -> Figure:
    """Realised against forecast innovation by forecast decile; (n, 2) forecast, realised."""
    figure, axes = canvas(width=5.0)
    if len(innovations):
        order = np.argsort(innovations[:, 0], kind="stable")
        for decile in np.array_split(innovations[order], 10):
            axes.plot(*decile.mean(axis=0), "o", color=BLUE)
        end = np.abs(innovations[:, 0]).max()
        axes.plot([-end, end], [-end, end], color=GREY, lw=1, ls="--")
    else:
        note(axes, "every forecast is the martingale's")
    axes.set(xlabel="forecast innovation (sigma)", ylabel="mean realised innovation (sigma)")
    return figure
