"""Figures of a running system: the panels of its dashboards."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bqx.operations.alert_rules import RULES
from bqx.operations.panels import SIX, Panel
from bqx.report.figures.canvas import GREY, PALETTE, RED, canvas, dates, note, styled

UNITS = {"1": "share"}


@styled
def system(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """The six panels of the dashboards.

    ``panels`` : by title, one column per line, by time or number; one that is absent says so. A
    dashed line is the bound of an alert.
    """
    figure, axes = canvas(3, 2, width=11.0, height=5.6)
    for panel, panel_axes in zip(SIX, axes.flat, strict=True):
        panel_axes.set(title=panel.title, xlabel="time", ylabel=UNITS.get(panel.unit, panel.unit))
        if panel.title in panels:
            _draw(panel_axes, panel, panels[panel.title])
        else:
            note(panel_axes, "a server counts it:\nGET /metrics")
            panel_axes.set(xticks=[], yticks=[])
    return figure


def _draw(axes: Any, panel: Panel, frame: pd.DataFrame) -> None:
    for colour, (label, values) in zip(PALETTE, frame.items(), strict=False):
        axes.plot(frame.index, values, ".-", ms=4, lw=1, color=colour)
        # Beside its end, since every panel has lines of its own.
        end = (frame.index[-1], values.iloc[-1])
        axes.annotate(
            f" {label}", end, color=colour, fontsize="small", va="bottom", annotation_clip=False
        )
    shown = {line.metric for line in panel.lines if line.label in frame.columns}
    top = max(float(frame.max().max()), 0.05)
    for rule in RULES:
        # One far above what is drawn would flatten it.
        if rule.metric in shown and not rule.counts and rule.bound <= 3.0 * top:
            axes.axhline(rule.bound, ls="--", lw=1, color=RED)
    axes.axhline(0.0, lw=0.6, color=GREY)
    axes.margins(x=0.15)
    if frame.min().min() >= 0.0:
        axes.set_ylim(bottom=-0.02 * top)
    if isinstance(frame.index, pd.DatetimeIndex):
        dates(axes)
    else:
        axes.set_xlabel(frame.index.name)
