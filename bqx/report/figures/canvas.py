"""How every figure looks: canvas, colours, legend, dates.

Colours are those of Okabe and Ito, which stay apart for colour-blind readers.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

Arguments = ParamSpec("Arguments")
Values = NDArray[np.float64]

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, YELLOW, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#7F7F7F"
PALETTE = (BLUE, ORANGE, GREEN, RED, SKY, PINK, YELLOW, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Beside the colours, for who cannot tell these apart."""

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
    "legend.title_fontsize": "small",
    "axes.prop_cycle": cycler(color=PALETTE),
}


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw in the book's style: titles and legends take their settings when they are made."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **keywords: Arguments.kwargs) -> Figure:
        with plt.rc_context(_STYLE):
            return draw(*args, **keywords)

    return drawn


def canvas(
    columns: int = 1, rows: int = 1, width: float = 8.0, *, height: float = 3.8
) -> tuple[Figure, Any]:
    """An empty figure and its axes, ``rows`` by ``columns``, in inches."""
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    # Closed, or a notebook would show it a second time at the cell's end.
    plt.close(figure)
    return figure, axes


def legend(figure: Figure, axes: Any, title: str | None = None) -> None:
    """Put the legend of some axes below all axes, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    columns = min(len(labels), 5)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, title=title)


def dates(axes: Any) -> None:
    """Write a time axis with as few words as it takes."""
    locator = AutoDateLocator(maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def beside(count: int, width: float) -> Values:
    """(count,) offsets of what stands side by side about a tick, ``width`` in all."""
    return width * ((np.arange(count) + 0.5) / count - 0.5)


def interval(rows: pd.DataFrame) -> Values:
    """(2, n) lengths of error bars from ``skill`` down to ``skill_lo`` and up to ``skill_hi``."""
    skill, low, high = (rows[name].to_numpy(float) for name in ("skill", "skill_lo", "skill_hi"))
    return np.maximum(np.nan_to_num([skill - low, high - skill]), 0.0)


def note(axes: Any, text: str) -> None:
    """Say in the middle of empty axes why they are."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
