"""Figures of how fast bqx is."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bqx.report.figures.canvas import BLUE, PALETTE, canvas


def benchmarks(rows: pd.DataFrame) -> Figure:
    """Time of a value of every family, and beside its peers'.

    ``rows`` has columns family, ns, peer and peer_ns, which are absent where there is no peer.
    """
    compared = rows.dropna(subset="peer_ns")
    names = list(dict.fromkeys(compared["family"]))
    figure, (left, right) = canvas(2, width=10.0, height=max(3.8, 0.2 * len(names) + 1.0))
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
