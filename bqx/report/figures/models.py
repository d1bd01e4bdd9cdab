"""Plots of what models cost, read and learn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bqx.report.figures.canvas import BLUE, MARKERS, ORANGE, PALETTE, canvas


def domain_shares(by_pair: pd.DataFrame, by_horizon: pd.DataFrame) -> Figure:
    """Shares of the forecasts by domain of what they read: a bar a pair, and a bar a horizon.

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
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def domains_over_time(shares: pd.DataFrame) -> Figure:
    """Shares of the forecasts by domain, fold after fold.

    ``shares`` has a row a fold, index the first day of its test part, and a column a domain.
    """
    figure, axes = canvas(height=3.2)
    for colour, marker, domain in zip(PALETTE, MARKERS, shares, strict=False):
        axes.plot(
            range(len(shares)), shares[domain], marker=marker, ms=5, lw=1.2, color=colour,
            label=domain,
        )  # fmt: skip
    axes.set_xticks(range(len(shares)), [str(day) for day in shares.index])
    axes.set(
        xlabel="first test day of the fold", ylabel="share of the absolute SHAP values", ylim=(0, 1)
    )
    axes.legend(ncols=3)
    return figure


def learning_curves(curves: pd.DataFrame) -> Figure:
    """Skill by number of training rows, a line a model: mean over pairs, and their quartiles.

    ``curves`` has columns model, pair, rows, seen and unseen.
    """
    figure, (left, right) = canvas(2)
    for number, (name, part) in enumerate(curves.groupby("model", sort=False)):
        # Pairs differ by a few rows in what a share of them is.
        share = part.groupby("pair").cumcount()
        rows = part.groupby(share)["rows"].mean()
        style = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}
        for axes, column in ((left, "seen"), (right, "unseen")):
            grouped = part.groupby(share)[column]
            axes.plot(rows, grouped.mean(), ms=5, lw=1.2, label=name, **style)
            axes.fill_between(
                rows, grouped.quantile(0.25), grouped.quantile(0.75), color=style["color"],
                alpha=0.15, lw=0,
            )  # fmt: skip
    for axes, what in ((left, "Rows it was fitted on"), (right, "Validation rows")):
        axes.axhline(0, color="black", lw=1)
        axes.set(xlabel="training rows", ylabel="skill before shrinkage", title=what)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def compared(models: pd.DataFrame) -> Figure:
    """Skill of each model with its interval, beside seconds, milliseconds and kB.

    ``models`` has an index of models and columns skill, skill_lo, skill_hi, seconds, milliseconds,
    kb; a cost of 0 has no dot.
    """
    figure, axes = canvas(4, width=9.0, height=max(2.4, 0.34 * len(models) + 1.4))
    place = np.arange(len(models))
    skill = models["skill"].to_numpy(float)
    reach = [skill - models["skill_lo"].to_numpy(float), models["skill_hi"].to_numpy(float) - skill]
    axes[0].errorbar(
        skill, place, xerr=np.maximum(np.nan_to_num(reach), 0), fmt="o", ms=5, lw=1.4, color=BLUE
    )
    axes[0].axvline(0, color="black", lw=1)
    axes[0].set(xlabel="skill", title="Skill")
    for one, column, label, title in (
        (axes[1], "seconds", "seconds of all fits", "Training"),
        (axes[2], "milliseconds", "ms a row", "Forecast"),
        (axes[3], "kb", "kB a model", "Size"),
    ):
        cost = models[column].to_numpy(float)
        one.plot(np.where(cost > 0, cost, np.nan), place, "s", ms=5, color=ORANGE)
        one.set(xscale="log", xlabel=label, title=title)
    for one in axes:
        one.set_yticks(place, [] if one is not axes[0] else list(models.index))
        one.set_ylim(len(models) - 0.5, -0.5)
    return figure
