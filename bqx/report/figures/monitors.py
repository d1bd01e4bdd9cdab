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
    for number, ((quiet, found), names) in enumerate(
        rows.groupby(["quiet", "found"])["detector"].agg(list).items()
    ):
        is_bqx = "bqx" in names
        colour = BLUE if is_bqx else PALETTE[1 + number % (len(PALETTE) - 1)]
        axes.plot(quiet, found, "D" if is_bqx else "o", color=colour, ms=9 if is_bqx else 5)
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        axes.annotate(
            "\n".join(names[:2]) + more,
            (quiet, found),
            xytext=(-8 if quiet > 0.6 else 8, 8 if found < 0.5 else -24 if quiet < 0.9 else -48),
            textcoords="offset points",
            fontsize=7,
            ha="right" if quiet > 0.6 else "left",
        )
    axes.set(
        xlabel="quiet days that alarm", ylabel="shifts found on their first day",
        xlim=(-0.03, 1.03), ylim=(-0.03, 1.06),
    )  # fmt: skip
    return figure
