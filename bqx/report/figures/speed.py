"""Figures of how fast bqx is."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bqx.report.figures.canvas import BLUE, ORANGE, PALETTE, canvas, legend, styled

DOCUMENTED_MS = {50: 100, 95: 150, 99: 200}
"""Milliseconds that the field's documents allow an answer, by percentile."""


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
    families = compared.drop_duplicates("family")
    right.plot(families["ns"], families["family"].map(ticks), "k|", ms=8, label="bqx")
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set(xlabel="time of a value (ns)", xscale="log")
    legend(figure, right)
    return figure


@styled
def latency(milliseconds: NDArray[np.float64]) -> Figure:
    """Histogram of (n,) latencies with percentiles, black, and what the documents ask, orange."""
    figure, axes = canvas(height=3.2)
    bins = np.geomspace(min(milliseconds.min(), 1.0), max(milliseconds.max(), 250.0), 60)
    axes.hist(milliseconds, bins=bins, color=BLUE)
    for (percent, target), style in zip(DOCUMENTED_MS.items(), ("-", "--", ":"), strict=True):
        value = np.percentile(milliseconds, percent)
        label = f"P{percent} {value:.0f} ms, asked {target}"
        axes.axvline(value, color="black", ls=style, label=label)
        axes.axvline(target, color=ORANGE, ls=style)
    axes.set(xlabel="latency (ms)", ylabel="requests", xscale="log")
    legend(figure, axes)
    return figure
