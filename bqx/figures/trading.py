"""Plots of what trading earns and costs."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bqx.figures.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    PINK,
    RED,
    SKY,
    YELLOW,
    canvas,
    dates,
)


def equity(daily: pd.DataFrame) -> Figure:
    """Cumulative P&L of the mean cell and its drawdown; columns day, gross, net, net_2x in bp."""
    figure, (upper, lower) = canvas(rows=2, height=5.2)
    curves = (
        ("gross", "gross", SKY),
        ("net", "net of all costs", BLUE),
        ("net_2x", "net at twice the spread", ORANGE),
    )
    for name, label, colour in curves:
        summed = daily[name].cumsum()
        upper.step(daily["day"], summed, where="post", color=colour, label=label)
        if name != "gross":
            fall = summed - np.maximum(summed.cummax(), 0.0)
            lower.step(daily["day"], fall, where="post", color=colour)
    upper.axhline(0, color="black", lw=1)
    upper.set(xlabel="trading day", ylabel="cumulative P&L\n(bp of notional)")
    upper.legend()
    lower.set(xlabel="trading day", ylabel="drawdown\n(bp of notional)")
    for axes in (upper, lower):
        dates(axes)
    return figure


def costs(breakdown: pd.DataFrame) -> Figure:
    """Gross profit beside the parts of the cost, by horizon, in bp a day.

    ``breakdown`` has columns gross, spread, slippage, commission, rollover (earned), net.
    """
    figure, axes = canvas()
    place = np.arange(len(breakdown))
    axes.bar(place - 0.2, breakdown["gross"], 0.36, color=SKY, label="gross profit")
    top, bottom = np.zeros(len(breakdown)), np.zeros(len(breakdown))
    parts = (("spread", 1, RED), ("slippage", 1, ORANGE), ("commission", 1, YELLOW),
             ("rollover", -1, PINK))  # fmt: skip
    for name, sign, colour in parts:
        paid = sign * breakdown[name].to_numpy(float)
        axes.bar(place + 0.2, paid, 0.36, np.where(paid > 0, top, bottom), color=colour, label=name)
        top += np.maximum(paid, 0.0)
        bottom += np.minimum(paid, 0.0)
    axes.plot(place, breakdown["net"], "D", ms=6, color="black", label="net profit")
    axes.axhline(0, color="black", lw=1)
    axes.set_xticks(place, [str(horizon) for horizon in breakdown.index])
    axes.set(xlabel="horizon (min)", ylabel="profit and costs a day (bp of notional)")
    axes.legend(ncols=2)
    return figure


def break_even(cells: pd.DataFrame) -> Figure:
    """Accuracy that trades reached against the one they needed; a dot a cell.

    ``cells`` has columns horizon, break_even, trades_break_even and accuracy; cells that did not
    trade stand below the line at what a trade on every row would need.
    """
    figure, axes = canvas(width=6.0, height=4.4)
    idle = cells[cells["accuracy"].isna()]
    traded = cells[cells["accuracy"].notna()]
    for colour, (horizon, part) in zip(PALETTE, traded.groupby("horizon"), strict=False):
        axes.plot(
            100 * part["trades_break_even"].astype(float), 100 * part["accuracy"].astype(float),
            "o", ms=5, color=colour, label=f"{horizon} min",
        )  # fmt: skip
    values = pd.concat([traded["trades_break_even"], traded["accuracy"], idle["break_even"]])
    values = 100 * values.dropna().astype(float)
    low, high = (values.min() - 2, values.max() + 2) if len(values) else (45.0, 75.0)
    if len(idle):
        needed = 100 * idle["break_even"].astype(float)
        axes.plot(needed, np.full(len(idle), low), "x", color=GREY, label="did not trade")
    axes.plot([low, high], [low, high], color="black", lw=1)
    axes.fill_between([low, high], [low, high], high, color=GREEN, alpha=0.08, lw=0)
    axes.set(
        xlabel="break-even accuracy (%)",
        ylabel="accuracy of the trades (%)",
        title="Above the line, trades earn their costs",
        xlim=(low - 1, high),
        ylim=(low - 1, high),
    )
    axes.legend(title="horizon")
    return figure


def exposure(exposures: pd.DataFrame) -> Figure:
    """Mean absolute exposure by currency, before and after netting; columns gross, net."""
    figure, axes = canvas(height=3.2)
    held = exposures[exposures["gross"] > 0]
    place = np.arange(len(held))
    axes.barh(place - 0.2, held["gross"], 0.36, color=SKY, label="sum over pairs")
    axes.barh(place + 0.2, held["net"], 0.36, color=BLUE, label="net")
    axes.set_yticks(place, held.index)
    axes.invert_yaxis()
    axes.set(xlabel="mean absolute position (notionals)")
    axes.legend()
    return figure
