"""Figures of how fast bqx is."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bqx.report.figures.canvas import BLUE, PALETTE, canvas, legend, styled


@styled
def benchmarks(rows: pd.DataFrame) -> Figure:
    """Time of a value of every family, and beside its peers'.

    ``rows`` has columns family, ns, peer and peer_ns, which are absent where there is no peer.
    """
    compared = rows.dropna(subset="peer_ns")
    names = list(dict.fromkeys(compared["family"]))
    figure, (left, right) = canvas(2, width=10.0, height=max(3.8, 0.2 * len(names) + 1.0))
    times = np.sort(rows.drop_duplicates("family")["ns"].to_numpy())
    left.plot(np.arange(1, len(times) + 1), times, ".", color=BLUE)
    left.set(xlabel="families, fastest first", ylabel="time of a value (ns)", yscale="log")
    ticks = {name: i for i, name in enumerate(names)}
    for i, (peer, of_peer) in enumerate(compared.groupby("peer")):
        mark, colour = "os"[i // len(PALETTE) % 2], PALETTE[i % len(PALETTE)]
        y = of_peer["family"].map(ticks)
        right.plot(of_peer["peer_ns"], y, mark, ms=4, color=colour, label=peer)
    own = compared.drop_duplicates("family")
    right.plot(own["ns"], own["family"].map(ticks), "k|", ms=8, label="bqx")
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set(xlabel="time of a value (ns)", xscale="log")
    legend(figure, right)
    return figure
