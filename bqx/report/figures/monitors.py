"""The figure of how monitors do."""

import pandas as pd
from matplotlib.figure import Figure

from bqx.report.figures.canvas import BLUE, PALETTE, canvas, styled


@styled
def operating_characteristic(rows: pd.DataFrame) -> Figure:
    """Share of shifts found on their first day over the share of quiet days that alarm.

    ``rows`` has columns detector, quiet and found.
    """
    figure, axes = canvas(width=7.5, height=4.5)
    axes.plot([0, 1], [0, 1], color="0.8", lw=1, zorder=0)
    for number, row in enumerate(rows.sort_values("quiet").itertuples()):
        own = row.detector == "bqx"
        colour = BLUE if own else PALETTE[1 + number % (len(PALETTE) - 1)]
        axes.plot(row.quiet, row.found, "D" if own else "o", color=colour, ms=9 if own else 5)
        axes.annotate(
            row.detector,
            (row.quiet, row.found),
            xytext=(6, 5 if number % 2 else -9),
            textcoords="offset points",
            fontsize=6,
            ha="right" if row.quiet > 0.6 else "left",
        )
    axes.set(
        xlabel="quiet days that alarm", ylabel="shifts found on their first day",
        xlim=(-0.03, 1.03), ylim=(-0.03, 1.06),
    )  # fmt: skip
    return figure
