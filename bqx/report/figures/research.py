"""Plots of bars, features, models and forecasts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from bqx.report.figures.canvas import BLUE, GREY, ORANGE, PALETTE, SKY, canvas, dates


def rates(index: pd.DataFrame) -> Figure:
    """Rate index of every pair through the dataset; ``index`` is (T, pairs) in points."""
    figure, axes = canvas()
    step = max(1, len(index) // 2_000)
    for pair in index:
        axes.plot(index.index[::step], index[pair].to_numpy()[::step], lw=0.9, label=pair)
    axes.set(ylabel="rate index (baseline = 100 pt)", xlabel="bar open (UTC)")
    axes.legend(ncols=4)
    dates(axes)
    return figure


def day_profile(profile: pd.DataFrame) -> Figure:
    """Volatility and spread by hour; ``profile`` has columns ``volatility`` (bp), ``spread``
    (pips) and an index of UTC hours."""
    figure, (left, right) = canvas(2)
    left.bar(profile.index, profile["volatility"], color=BLUE)
    left.set(xlabel="hour (UTC)", ylabel="deviation of one-minute returns (bp)", title="Volatility")
    right.bar(profile.index, profile["spread"], color=ORANGE)
    right.set(xlabel="hour (UTC)", ylabel="mean spread (pips)", title="Spread")
    return figure


def mechanical_share(measured: pd.DataFrame) -> Figure:
    """R² of the martingale forecast, theory against bars.

    ``measured`` has columns window, horizon, target (level or delta), theory, r2.
    """
    figure, (left, right) = canvas(2)
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
    figure, axes = canvas(height=3.4)
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
    figure, axes = canvas(height=max(3.4, 0.32 * len(rows) + 0.8))
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
    figure, axes = canvas()
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
    figure, axes = canvas()
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
    figure, (upper, lower) = canvas(rows=2, width=6.4, height=7.0)
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


def _cycle(count: int) -> Sequence[str]:
    return [PALETTE[i % len(PALETTE)] for i in range(count)]


def _spread(number: int, of: int) -> float:
    return 0.6 * ((number + 0.5) / of - 0.5)


def matrix(values: pd.DataFrame, label: str, centre: float | None = None) -> Figure:
    """A heat map with its values written in, hatched where there is none; ``label`` names the
    colour.
    """
    figure, axes = canvas(height=max(2.6, 0.34 * len(values) + 1.2))
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
    for row, column in np.argwhere(~np.isfinite(shown)):
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", ec=GREY, lw=0)
        )
    for row, column in np.argwhere(np.isfinite(shown)):
        value = shown[row, column]
        dark = norm(value) < 0.45 if centre is None else abs(norm(value) - 0.5) > 0.35
        axes.text(
            column, row, f"{value:.3g}", ha="center", va="center", size=8,
            color="white" if dark else "black",
        )  # fmt: skip
    axes.set_xticks(range(values.shape[1]), [str(name) for name in values.columns])
    rows = [
        " ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in values.index
    ]
    axes.set_yticks(range(values.shape[0]), rows)
    names = ", ".join(str(name) for name in values.index.names if name)
    axes.set(xlabel=str(values.columns.name or ""), ylabel=names)
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=label)
    return figure


def coverage(conditions: pd.DataFrame, nominal: float) -> Figure:
    """Share of labels inside the intervals, a dot a pair, under every condition.

    ``conditions`` has columns condition, value, horizon, coverage; ``nominal`` is the share asked
    for. The band is two points to either side.
    """
    figure, axes = canvas(height=4.2)
    names = list(dict.fromkeys(zip(conditions["condition"], conditions["value"], strict=True)))
    place = {name: position for position, name in enumerate(names)}
    horizons = sorted(conditions["horizon"].unique())
    for number, (horizon, colour) in enumerate(zip(horizons, PALETTE, strict=False)):
        part = conditions[conditions["horizon"] == horizon]
        keys = zip(part["condition"], part["value"], strict=True)
        shift = (number - (len(horizons) - 1) / 2) * 0.14
        axes.plot(
            [place[key] + shift for key in keys], part["coverage"], ".", color=colour,
            label=f"{horizon} min",
        )  # fmt: skip
    axes.axhspan(nominal - 0.02, nominal + 0.02, color=GREY, alpha=0.2, lw=0)
    axes.axhline(nominal, color=GREY, lw=1, ls="--")
    axes.set_xticks(
        range(len(names)), [f"{kind}\n{value}".replace("_", " ") for kind, value in names]
    )
    axes.tick_params(axis="x", labelsize="small")
    axes.set(
        ylabel="share of labels inside the interval",
        xlabel="condition when forecast",
        ylim=(nominal - 0.1, min(nominal + 0.08, 1.0)),
    )
    axes.legend(title="horizon", ncols=len(horizons))
    return figure


def forecasts(rows: pd.DataFrame) -> Figure:
    """A served forecast: columns horizon, current, martingale, level (BQX, bp of the sum)."""
    figure, axes = canvas(height=3.2)
    axes.plot(rows["horizon"], rows["current"], "s-", color=GREY, label="now")
    axes.plot(rows["horizon"], rows["martingale"], "_", ms=14, color="black", label="martingale")
    axes.plot(rows["horizon"], rows["level"], "o", color=BLUE, label="forecast")
    axes.set(xlabel="horizon (min)", ylabel="BQX (bp)")
    axes.legend()
    return figure


def calibration(pairs_of: NDArray[np.float64]) -> Figure:
    """Realised against forecast innovation by forecast decile; (n, 2) forecast, realised."""
    figure, axes = canvas(width=5.0)
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
