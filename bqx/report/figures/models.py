"""Plots of what models cost, read and learn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from bqx.report.figures.canvas import (
    BLUE,
    MARKERS,
    ORANGE,
    PALETTE,
    canvas,
    interval,
    legend,
    styled,
)


@styled
def domain_shares(by_pair: pd.DataFrame, by_horizon: pd.DataFrame) -> Figure:
    """Shares of the forecasts by domain of what they read: one bar per pair and per horizon.

    Both are (rows, domains), shares that add up to 1 in a row.
    """
    figure, (left, right) = canvas(2, height=max(3.2, 0.3 * len(by_pair) + 1.4))
    for axes, shares in ((left, by_pair), (right, by_horizon)):
        start = np.zeros(len(shares))
        names = [str(name) for name in shares.index]
        for colour, domain in zip(PALETTE, shares, strict=False):
            axes.barh(names, shares[domain], left=start, color=colour, label=domain, height=0.7)
            start += shares[domain].to_numpy()
        axes.invert_yaxis()
        axes.set(xlabel="share of the absolute SHAP values", xlim=(0, 1))
        axes.grid(visible=False, axis="y")
    left.set(ylabel="pair", title="By pair")
    right.set(ylabel="horizon (min)", title="By horizon")
    legend(figure, left)
    return figure


@styled
def domains_over_time(shares: pd.DataFrame) -> Figure:
    """Shares of the forecasts by domain, fold after fold.

    ``shares`` has one row per fold, index the first day of its test rows, and a column per domain.
    """
    figure, axes = canvas(height=3.2)
    for colour, marker, domain in zip(PALETTE, MARKERS, shares, strict=False):
        style = {"marker": marker, "ms": 5, "lw": 1.2, "color": colour}
        axes.plot(range(len(shares)), shares[domain], label=domain, **style)
    axes.set_xticks(range(len(shares)), [str(day) for day in shares.index])
    axes.set(xlabel="first test day of the fold", ylabel="share of the absolute SHAP values")
    axes.set_ylim(0, 1)
    legend(figure, axes)
    return figure


@styled
def learning_curves(curves: pd.DataFrame) -> Figure:
    """Skill by number of training rows, one line per model: mean over pairs, and their quartiles.

    ``curves`` has columns model, pair, rows, seen and unseen.
    """
    figure, (left, right) = canvas(2)
    for number, (name, of_model) in enumerate(curves.groupby("model", sort=False)):
        # Pairs differ by a few rows in what a share of them is.
        by_share = of_model.groupby(of_model.groupby("pair").cumcount())
        rows = by_share["rows"].mean()
        colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
        for axes, column in ((left, "seen"), (right, "unseen")):
            skill = by_share[column]
            low, high = skill.quantile(0.25), skill.quantile(0.75)
            axes.plot(rows, skill.mean(), marker=marker, ms=5, lw=1.2, color=colour, label=name)
            axes.fill_between(rows, low, high, color=colour, alpha=0.15, lw=0)
    for axes, title in ((left, "Rows it was fitted on"), (right, "Validation rows")):
        axes.axhline(0, color="black", lw=1)
        axes.set(xlabel="training rows", ylabel="skill before shrinkage", title=title)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:,.0f}")
    legend(figure, left)
    return figure


@styled
def compared(models: pd.DataFrame) -> Figure:
    """Skill of each model with its interval, beside seconds, milliseconds and kB.

    ``models`` has an index of models and columns skill, skill_lo, skill_hi, seconds, milliseconds,
    kb; a cost of 0 has no dot.
    """
    figure, (first, *others) = canvas(4, width=9.0, height=max(2.4, 0.34 * len(models) + 1.4))
    ticks = np.arange(len(models))
    skill = models["skill"].to_numpy(float)
    first.errorbar(skill, ticks, xerr=interval(models), fmt="o", ms=5, lw=1.4, color=BLUE)
    first.axvline(0, color="black", lw=1)
    first.set(xlabel="skill", title="Skill")
    columns = (
        ("seconds", "seconds of all fits", "Training"),
        ("milliseconds", "ms a row", "Forecast"),
        ("kb", "kB a model", "Size"),
    )
    for axes, (column, label, title) in zip(others, columns, strict=True):
        cost = models[column].to_numpy(float)
        axes.plot(np.where(cost > 0, cost, np.nan), ticks, "s", ms=5, color=ORANGE)
        axes.set(xscale="log", xlabel=label, title=title)
        # Less than a decade would write a label at every digit, one over the other.
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=4))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    for axes in (first, *others):
        axes.set_yticks(ticks, list(models.index) if axes is first else [])
        axes.set_ylim(len(models) - 0.5, -0.5)
    return figure
