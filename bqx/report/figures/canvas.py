"""How every figure looks: canvas, colours, dates.

Colours are those of Okabe and Ito, which stay apart for colour-blind readers.
"""

from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, SKY, PINK, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#7F7F7F",
)  # fmt: skip
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
    "axes.prop_cycle": cycler(color=PALETTE),
}


def canvas(
    columns: int = 1, rows: int = 1, width: float = 8.0, height: float = 3.8
) -> tuple[Figure, Any]:
    """An empty figure and its axes, ``rows`` by ``columns``, in inches."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    # Closed, or a notebook would show it a second time at the cell's end.
    plt.close(figure)
    return figure, axes


def dates(axes: Any) -> None:
    """Write a time axis with as few words as it takes."""
    locator = AutoDateLocator(maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
