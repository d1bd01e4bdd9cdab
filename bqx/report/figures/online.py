"""Figures of what goes on learning."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bqx.report.figures.canvas import BLUE, GREEN, GREY, MARKERS, ORANGE, canvas, legend, styled

KINDS = {"sudden": "turns at once", "gradual": "fades and turns", "real": "real majors"}
SHOWN = {"static": ORANGE, "retrained": GREEN, "online": BLUE, "oracle": GREY}


@styled
def year(found: Mapping[str, Any]) -> Figure:
    """Skill by month of the champion, of retraining, of the online ensemble and of an oracle.

    ``found`` : ``online`` by kind of market and perhaps ``real``, each with ``months``: a row per
    month with the skill of each forecast.
    """
    markets = {**found["online"], **({"real": found["real"]} if "real" in found else {})}
    drawn = {name: text for name, text in KINDS.items() if name in markets}
    figure, axes = canvas(len(drawn), width=10.0, height=3.4)
    for axis, (name, text) in zip(axes, drawn.items(), strict=True):
        months = pd.DataFrame(markets[name]["months"])
        for mark, (forecast, colour) in zip(MARKERS, SHOWN.items(), strict=False):
            if forecast in months:
                axis.plot(
                    months["month"],
                    100 * months[forecast],
                    f"{mark}-",
                    ms=3.5,
                    color=colour,
                    label=forecast,
                )
        axis.axhline(0.0, color="black", lw=0.8)
        axis.set(title=text, xlabel="month", ylabel="skill (%)", xticks=range(1, 13, 2))
    legend(figure, axes[0])
    return figure
