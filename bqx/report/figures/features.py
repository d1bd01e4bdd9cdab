"""Plots of bars, features and the columns that are selected from them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bqx.report.figures.canvas import (
    BLUE,
    GREY,
    ORANGE,
    PALETTE,
    SKY,
    beside,
    canvas,
    dates,
    legend,
    styled,
)


@styled
def rates(index: pd.DataFrame) -> Figure:
    """Rate index of every pair through the dataset; ``index`` is (T, pairs) in points."""
    figure, axes = canvas()
    step = max(1, len(index) // 2_000)
    for pair in index:
        axes.plot(index.index[::step], index[pair].to_numpy()[::step], lw=0.9, label=pair)
    axes.set(ylabel="rate index (baseline = 100 pt)", xlabel="bar open (UTC)")
    dates(axes)
    legend(figure, axes)
    return figure


@styled
def day_profile(profile: pd.DataFrame) -> Figure:
    """Volatility and spread by hour; ``profile`` has columns ``volatility`` (bp), ``spread``
    (pips) and an index of UTC hours."""
    figure, (left, right) = canvas(2)
    left.bar(profile.index, profile["volatility"], color=BLUE)
    left.set(ylabel="deviation of one-minute returns (bp)", title="Volatility")
    right.bar(profile.index, profile["spread"], color=ORANGE)
    right.set(ylabel="mean spread (pips)", title="Spread")
    for axes in (left, right):
        axes.set_xlabel("hour (UTC)")
    return figure


@styled
def mechanical_share(measured: pd.DataFrame) -> Figure:
    """R² of the martingale forecast, theory against bars.

    ``measured`` has columns window, horizon, target (level or delta), theory, r2.
    """
    figure, (left, right) = canvas(2)
    for colour, (horizon, rows) in zip(PALETTE, measured.groupby("horizon"), strict=False):
        level, delta = (rows[rows["target"] == name] for name in ("level", "delta"))
        left.plot(level["window"], level["theory"], color=colour, lw=1)
        left.plot(level["window"], level["r2"], "o", color=colour)
        right.plot(delta["window"], delta["r2"], "o-", color=colour, lw=1, label=f"{horizon} min")
    left.set_title("Level: dots measured, lines theory")
    right.set_title("Change of BQX: one half where w <= h")
    right.axhline(0.5, color=GREY, lw=1, ls="--")
    for axes in (left, right):
        axes.set(xlabel="window w (min)", ylim=(-0.05, 1), ylabel="R² of the martingale forecast")
    legend(figure, right, "horizon h")
    return figure


@styled
def warm_up(catalog: pd.DataFrame) -> Figure:
    """Bars that a feature needs, by table; ``catalog`` is the catalog table."""
    figure, axes = canvas(height=3.4)
    names = list(dict.fromkeys(catalog["table"]))
    for position, name in enumerate(names):
        lookbacks = catalog.loc[catalog["table"] == name, "lookback"].to_numpy()
        jitter = np.linspace(-0.25, 0.25, len(lookbacks))
        axes.plot(lookbacks, position + jitter, ".", ms=4, color=BLUE)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="lookback (bars)", xscale="symlog")
    axes.set_xlim(left=-0.5)
    return figure


@styled
def counts(rows: pd.DataFrame) -> Figure:
    """Stated against implemented feature counts; columns table and the counts to compare."""
    figure, axes = canvas(height=max(3.4, 0.32 * len(rows) + 0.8))
    ticks = np.arange(len(rows))
    names = [name for name in rows if name != "table"]
    offsets = beside(len(names), 0.8)
    for name, offset, colour in zip(names, offsets, (SKY, ORANGE, BLUE), strict=False):
        widths = rows[name].fillna(0).astype(int)
        axes.barh(ticks + offset, widths, height=0.8 / len(names), color=colour, label=name)
    axes.set_yticks(ticks, rows["table"])
    axes.invert_yaxis()
    axes.set(xlabel="features")
    legend(figure, axes)
    return figure


@styled
def columns_by_kind(kinds: pd.DataFrame) -> Figure:
    """Columns of the lag grid: rows are tables, columns are kinds of lag."""
    figure, axes = canvas()
    left = np.zeros(len(kinds))
    for colour, kind in zip(PALETTE, kinds, strict=False):
        axes.barh(kinds.index, kinds[kind], left=left, color=colour, label=kind)
        left += kinds[kind].to_numpy()
    axes.invert_yaxis()
    axes.set(xlabel="candidate columns")
    legend(figure, axes, "lag (rows)")
    return figure


@styled
def importance(ranked: pd.DataFrame) -> Figure:
    """Cumulative importance by rank, one line per pair; columns pair, rank, cumulative."""
    figure, axes = canvas()
    for pair, rows in ranked.groupby("pair"):
        axes.plot(rows["rank"], rows["cumulative"], lw=1.2, label=pair)
    axes.axhline(0.95, color=GREY, lw=1, ls="--")
    axes.set(xlabel="selected columns, by importance", ylabel="cumulative share of importance")
    axes.set_ylim(0, 1.02)
    legend(figure, axes)
    return figure
