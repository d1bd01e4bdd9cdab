"""Plots of what trading earns and costs."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bqx.report.figures.canvas import (
    BLUE,
    GREY,
    ORANGE,
    PINK,
    RED,
    SKY,
    YELLOW,
    beside,
    canvas,
    dates,
    legend,
    note,
    styled,
)


@styled
def equity(daily: pd.DataFrame) -> Figure:
    """Cumulative P&L of the mean cell, its drawdown, and its Sharpe ratio of the last 60 days.

    ``daily`` has columns day, gross, net, net_2x in bp, and sharpe_60, sharpe_60_2x.
    """
    figure, (upper, middle, lower) = canvas(rows=3, height=7.4)
    curves = (
        ("gross", "", "gross", SKY),
        ("net", "sharpe_60", "net of all costs", BLUE),
        ("net_2x", "sharpe_60_2x", "net at twice the spread", ORANGE),
    )
    for name, ratio, label, colour in curves:
        summed = daily[name].cumsum()
        upper.step(daily["day"], summed, where="post", color=colour, label=label)
        if ratio:
            fall = summed - np.maximum(summed.cummax(), 0.0)
            middle.step(daily["day"], fall, where="post", color=colour)
            lower.plot(daily["day"], daily[ratio].astype(float), color=colour)
    for axes in (upper, lower):
        axes.axhline(0, color="black", lw=1)
    if daily["sharpe_60"].isna().all():
        note(lower, "no 60 days with trades")
    upper.set(xlabel="trading day", ylabel="cumulative P&L\n(bp of notional)")
    middle.set(xlabel="trading day", ylabel="drawdown\n(bp of notional)")
    lower.set(xlabel="trading day", ylabel="Sharpe ratio of\n60 days (a year)")
    for axes in (upper, middle, lower):
        dates(axes)
    legend(figure, upper)
    return figure


@styled
def costs(breakdown: pd.DataFrame) -> Figure:
    """Gross profit beside the kinds of cost, by horizon, in bp a day.

    ``breakdown`` has columns gross, spread, slippage, commission, rollover (earned), net.
    """
    figure, axes = canvas()
    ticks = np.arange(len(breakdown))
    axes.bar(ticks - 0.2, breakdown["gross"], 0.36, color=SKY, label="gross profit")
    top, bottom = np.zeros(len(breakdown)), np.zeros(len(breakdown))
    paid = breakdown.assign(rollover=-breakdown["rollover"])
    colours = {"spread": RED, "slippage": ORANGE, "commission": YELLOW, "rollover": PINK}
    for name, colour in colours.items():
        height = paid[name].to_numpy(float)
        start = np.where(height > 0, top, bottom)
        axes.bar(ticks + 0.2, height, 0.36, start, color=colour, label=name)
        top += np.maximum(height, 0.0)
        bottom += np.minimum(height, 0.0)
    axes.plot(ticks, breakdown["net"], "D", ms=6, color="black", label="net profit")
    axes.axhline(0, color="black", lw=1)
    axes.set_xticks(ticks, [str(horizon) for horizon in breakdown.index])
    axes.set(xlabel="horizon (min)", ylabel="profit and costs a day (bp of notional)")
    legend(figure, axes)
    return figure


@styled
def break_even(cells: pd.DataFrame) -> Figure:
    """Accuracy needed and reached by horizon, pairs side by side in alphabetical order, in percent.

    ``cells`` has columns pair, horizon, and shares in 0..1: break_even (needed by trades on every
    row), forecast_accuracy (reached there by the forecasts that are not 0), trades_break_even and
    accuracy (needed and reached by the trades that were entered), absent where there are none.
    """
    figure, axes = canvas(height=4.2)
    horizons, names = sorted(cells["horizon"].unique()), sorted(cells["pair"].unique())
    offsets = beside(len(names), 0.8)[cells["pair"].map(names.index)]
    marks = (
        ("break_even", "needed on every row", "_", GREY),
        ("forecast_accuracy", "forecasts on every row", ".", GREY),
        ("trades_break_even", "needed by the trades", "_", RED),
        ("accuracy", "trades", "o", BLUE),
    )
    for name, label, mark, colour in marks:
        x, percent = cells["horizon"].map(horizons.index) + offsets, 100 * cells[name].astype(float)
        axes.plot(x, percent, mark, ms=5, mew=1.5, color=colour, label=label)
    axes.axhline(50, color="black", lw=1)
    axes.set_xticks(range(len(horizons)), [str(horizon) for horizon in horizons])
    axes.set(xlabel="horizon (min)", ylabel="right moves (%)")
    legend(figure, axes)
    return figure


@styled
def exposure(exposures: pd.DataFrame) -> Figure:
    """Mean absolute exposure by currency, before and after netting; columns gross, net."""
    figure, axes = canvas(height=3.2)
    traded = exposures[exposures["gross"] > 0]
    ticks = np.arange(len(traded))
    axes.barh(ticks - 0.2, traded["gross"], 0.36, color=SKY, label="sum over pairs")
    axes.barh(ticks + 0.2, traded["net"], 0.36, color=BLUE, label="net")
    axes.set_yticks(ticks, traded.index)
    axes.invert_yaxis()
    axes.set(xlabel="mean absolute position (notionals)")
    if len(traded):
        legend(figure, axes)
    else:
        note(axes, "nothing was held")
    return figure
