"""Every plot of the book: results in, a matplotlib figure out.

Colours are those of Okabe and Ito, which stay apart for colour-blind readers; every axis carries
its unit.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

BLUE, ORANGE, GREEN, RED, SKY, PINK, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#7F7F7F",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, RED, SKY, PINK, YELLOW, GREY)

_STYLE: Any = {
    "figure.dpi": 110,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "axes.titlesize": "medium",
    "legend.frameon": False,
    "legend.fontsize": "small",
    "axes.prop_cycle": cycler(color=PALETTE),
}


def _canvas(
    columns: int = 1, rows: int = 1, width: float = 8.0, height: float = 3.8
) -> tuple[Figure, Any]:
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    # Closed, or a notebook would show it a second time at the cell's end.
    plt.close(figure)
    return figure, axes


def rates(index: pd.DataFrame) -> Figure:
    """Rate index of every pair through the dataset; ``index`` is (T, pairs) in points."""
    figure, axes = _canvas()
    step = max(1, len(index) // 2_000)
    for pair in index:
        axes.plot(index.index[::step], index[pair].to_numpy()[::step], lw=0.9, label=pair)
    axes.set(ylabel="rate index (baseline = 100 pt)", xlabel="bar open (UTC)")
    axes.legend(ncols=4)
    _dates(axes)
    return figure


def day_profile(profile: pd.DataFrame) -> Figure:
    """Volatility and spread by hour; ``profile`` has columns ``volatility`` (bp), ``spread``
    (pips) and an index of UTC hours."""
    figure, (left, right) = _canvas(2)
    left.bar(profile.index, profile["volatility"], color=BLUE)
    left.set(xlabel="hour (UTC)", ylabel="deviation of one-minute returns (bp)", title="Volatility")
    right.bar(profile.index, profile["spread"], color=ORANGE)
    right.set(xlabel="hour (UTC)", ylabel="mean spread (pips)", title="Spread")
    return figure


def mechanical_share(measured: pd.DataFrame) -> Figure:
    """R² of the martingale forecast, theory against bars.

    ``measured`` has columns window, horizon, target (level or delta), theory, r2.
    """
    figure, (left, right) = _canvas(2)
    level = measured[measured["target"] == "level"]
    for colour, (horizon, part) in zip(PALETTE, level.groupby("horizon"), strict=False):
        left.plot(part["window"], part["theory"], color=colour, lw=1)
        left.plot(part["window"], part["r2"], "o", color=colour, label=f"h = {horizon} min")
    left.set(
        xlabel="window w (min)",
        ylabel="R² of the martingale forecast",
        title="Level: dots measured, lines theory",
        ylim=(-0.05, 1),
    )
    left.legend()
    delta = measured[measured["target"] == "delta"]
    for colour, (horizon, part) in zip(PALETTE, delta.groupby("horizon"), strict=False):
        right.plot(part["window"], part["r2"], "o-", color=colour, lw=1, label=f"h = {horizon} min")
    right.axhline(0.5, color=GREY, lw=1, ls="--")
    right.set(
        xlabel="window w (min)",
        ylabel="R² of the martingale forecast",
        title="Change of BQX: one half where w <= h",
        ylim=(-0.05, 1),
    )
    right.legend()
    return figure


def warm_up(catalog: pd.DataFrame) -> Figure:
    """Bars that a feature needs, by table; ``catalog`` is the catalog table."""
    figure, axes = _canvas(height=3.4)
    names = list(dict.fromkeys(catalog["table"]))
    for position, name in enumerate(names):
        values = catalog.loc[catalog["table"] == name, "lookback"].to_numpy()
        jitter = np.linspace(-0.25, 0.25, len(values))
        axes.plot(values, position + jitter, ".", ms=4, color=BLUE)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="lookback (bars)", xscale="symlog")
    return figure


def counts(rows: pd.DataFrame) -> Figure:
    """Stated against implemented feature counts; columns table and the counts to compare."""
    figure, axes = _canvas(height=max(3.4, 0.32 * len(rows) + 0.8))
    place = np.arange(len(rows))
    names = [name for name in rows if name != "table"]
    for number, (name, colour) in enumerate(zip(names, (SKY, ORANGE, BLUE), strict=False)):
        height = 0.8 / len(names)
        axes.barh(
            place + (number - (len(names) - 1) / 2) * height,
            rows[name].fillna(0).astype(int),
            height=height,
            color=colour,
            label=name,
        )
    axes.set_yticks(place, rows["table"])
    axes.invert_yaxis()
    axes.set(xlabel="features")
    axes.legend()
    return figure


def columns_by_kind(kinds: pd.DataFrame) -> Figure:
    """Columns of the lag grid: rows are tables, columns are kinds of lag."""
    figure, axes = _canvas()
    left = np.zeros(len(kinds))
    for colour, kind in zip(PALETTE, kinds, strict=False):
        axes.barh(kinds.index, kinds[kind], left=left, color=colour, label=kind)
        left += kinds[kind].to_numpy()
    axes.invert_yaxis()
    axes.set(xlabel="candidate columns")
    axes.legend(title="lag (rows)")
    return figure


def importance(ranked: pd.DataFrame) -> Figure:
    """Cumulative forest importance by rank, a line a pair; columns pair, rank, cumulative."""
    figure, axes = _canvas()
    for pair, part in ranked.groupby("pair"):
        axes.plot(part["rank"], part["cumulative"], lw=1.2, label=pair)
    axes.axhline(0.95, color=GREY, lw=1, ls="--")
    axes.set(
        xlabel="selected columns, by importance",
        ylabel="cumulative share of importance",
        ylim=(0, 1.02),
    )
    axes.legend(ncols=4)
    return figure


def skill_by_horizon(cells: pd.DataFrame) -> Figure:
    """Skill of every pair with its interval, beside the raw and the mechanical R².

    ``cells`` has columns pair, horizon, r2, known_r2, skill, skill_lo, skill_hi, unshrunk_skill
    and attainable (absent where no market's attainable skill is known).
    """
    figure, (upper, lower) = _canvas(rows=2, width=6.4, height=7.0)
    horizons = sorted(cells["horizon"].unique())
    place = {horizon: i for i, horizon in enumerate(horizons)}
    names = sorted(cells["pair"].unique())
    for colour, (number, pair) in zip(_cycle(len(names)), enumerate(names), strict=True):
        part = cells[cells["pair"] == pair]
        x = np.array([place[h] for h in part["horizon"]]) + _spread(number, len(names))
        skill = part["skill"].to_numpy(float)
        reach = [skill - part["skill_lo"].to_numpy(float), part["skill_hi"].to_numpy(float) - skill]
        lower.errorbar(
            x, skill, np.maximum(reach, 0), fmt="o", ms=3, lw=1, color=colour, label=pair
        )
        upper.plot(x, part["r2"], "o", ms=3, color=colour)
        upper.plot(x, part["known_r2"], "_", ms=8, color="black")
        lower.plot(x, part["unshrunk_skill"], "o", ms=4, mfc="none", mew=0.8, color=colour)
        if part["attainable"].notna().any():
            lower.plot(x, part["attainable"], "x", ms=4, color=GREY)
    upper.set(ylabel="R²", title="Raw R² (dots), known in advance (bars)", ylim=(-0.1, 1))
    lower.axhline(0, color="black", lw=1)
    lower.set(
        ylabel="skill = 1 - MSE / MSE of the martingale",
        title="Skill with interval (open: unshrunk, crosses: attainable)",
    )
    for axes in (upper, lower):
        axes.set_xticks(range(len(horizons)), [str(h) for h in horizons])
        axes.set_xlabel("horizon (min)")
    lower.legend(ncols=2)
    return figure


def _dates(axes: Any) -> None:
    locator = AutoDateLocator(maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _cycle(count: int) -> Sequence[str]:
    return [PALETTE[i % len(PALETTE)] for i in range(count)]


def _spread(number: int, of: int) -> float:
    return 0.6 * ((number + 0.5) / of - 0.5)


def matrix(values: pd.DataFrame, label: str, centre: float | None = None) -> Figure:
    """A heat map of pairs by columns with its values written in; ``label`` names the colour."""
    figure, axes = _canvas(height=max(2.6, 0.34 * len(values) + 1.2))
    shown = values.to_numpy(float)
    finite = shown[np.isfinite(shown)]
    reach = float(np.max(np.abs(finite - (centre or 0.0)))) if len(finite) else 1.0
    if centre is None:
        image = axes.imshow(shown, cmap="cividis", aspect="auto")
    else:
        reach = reach or 1.0
        image = axes.imshow(
            shown, cmap="PuOr", aspect="auto", vmin=centre - reach, vmax=centre + reach
        )
    norm = image.norm
    for row, column in np.argwhere(np.isfinite(shown)):
        value = shown[row, column]
        dark = norm(value) < 0.45 if centre is None else abs(norm(value) - 0.5) > 0.35
        axes.text(
            column, row, f"{value:.3g}", ha="center", va="center", size=8,
            color="white" if dark else "black",
        )  # fmt: skip
    axes.set_xticks(range(values.shape[1]), [str(name) for name in values.columns])
    axes.set_yticks(range(values.shape[0]), [str(name) for name in values.index])
    axes.set(xlabel=str(values.columns.name or ""), ylabel=str(values.index.name or ""))
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=label)
    return figure


def equity(daily: pd.DataFrame) -> Figure:
    """Cumulative P&L of the mean cell, gross and net; columns day, gross, net in bp."""
    figure, axes = _canvas()
    axes.step(daily["day"], daily["gross"].cumsum(), where="post", color=SKY, label="gross")
    axes.step(daily["day"], daily["net"].cumsum(), where="post", color=BLUE, label="net of spread")
    axes.axhline(0, color="black", lw=1)
    axes.set(xlabel="trading day", ylabel="cumulative P&L (bp of notional)")
    _dates(axes)
    axes.legend()
    return figure


def forecasts(rows: pd.DataFrame) -> Figure:
    """A served forecast: columns horizon, current, martingale, level (BQX, bp of the sum)."""
    figure, axes = _canvas(height=3.2)
    axes.plot(rows["horizon"], rows["current"], "s-", color=GREY, label="now")
    axes.plot(rows["horizon"], rows["martingale"], "_", ms=14, color="black", label="martingale")
    axes.plot(rows["horizon"], rows["level"], "o", color=BLUE, label="forecast")
    axes.set(xlabel="horizon (min)", ylabel="BQX (bp)")
    axes.legend()
    return figure


def calibration(pairs_of: NDArray[np.float64]) -> Figure:
    """Realised against forecast innovation by forecast decile; (n, 2) forecast, realised."""
    figure, axes = _canvas(width=5.0)
    if len(pairs_of):
        order = np.argsort(pairs_of[:, 0], kind="stable")
        for part in np.array_split(pairs_of[order], 10):
            axes.plot(*part.mean(axis=0), "o", color=BLUE)
        reach = np.abs(pairs_of[:, 0]).max()
        axes.plot([-reach, reach], [-reach, reach], color=GREY, lw=1, ls="--")
    else:
        axes.text(0.5, 0.5, "every forecast is the martingale's", ha="center", va="center",
                  transform=axes.transAxes)  # fmt: skip
    axes.set(xlabel="forecast innovation (sigma)", ylabel="mean realised innovation (sigma)")
    return figure


def benchmarks(rows: pd.DataFrame) -> Figure:
    """Time of a value of every family, and beside its peers'.

    ``rows`` has columns family, ns, peer and peer_ns, which are absent where there is no peer.
    """
    compared = rows.dropna(subset="peer_ns")
    names = list(dict.fromkeys(compared["family"]))
    figure, (left, right) = _canvas(2, width=10.0, height=max(3.8, 0.2 * len(names) + 1.0))
    every = np.sort(rows.drop_duplicates("family")["ns"].to_numpy())
    left.plot(np.arange(1, len(every) + 1), every, ".", color=BLUE)
    left.set(xlabel="families, fastest first", ylabel="time of a value (ns)", yscale="log")
    place = {name: i for i, name in enumerate(names)}
    for i, (peer, part) in enumerate(compared.groupby("peer")):
        right.plot(
            part["peer_ns"], part["family"].map(place), "os"[i // len(PALETTE) % 2], ms=4,
            color=PALETTE[i % len(PALETTE)], label=peer,
        )  # fmt: skip
    own = compared.drop_duplicates("family")
    right.plot(own["ns"], own["family"].map(place), "k|", ms=8, label="bqx")
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set(xlabel="time of a value (ns)", xscale="log")
    right.legend(fontsize="x-small")
    return figure
