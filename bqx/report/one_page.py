"""The verdict on one sheet of paper, for those who get it by mail."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from bqx.files import atomic
from bqx.report import front_page
from bqx.report.figures.canvas import GREY, styled
from bqx.report.figures.skill import draw_verdict

A4 = (8.27, 11.69)
"""Width and height, inches."""
WIDTH = 108
"""Characters of a line."""
HEADS = ("Horizon", "Skill (bp)", "Net Sharpe ratio", "Claimed")


def write(path: Path, verdict: dict[str, Any]) -> None:
    """Write the sheet as PDF; the same verdict gives the same bytes.

    ``verdict`` : what ``verdict.json`` holds.
    """
    with atomic(path) as temporary:
        draw(verdict).savefig(temporary, format="pdf", metadata={"CreationDate": None})


@styled
def draw(verdict: dict[str, Any]) -> Figure:
    """The sheet: sentence, three lines, picture, table by horizon, and what to distrust."""
    sheet = plt.figure(figsize=A4)
    plt.close(sheet)
    top = _text(sheet, 0.95, "What this run found", size=16)
    top = _text(sheet, top, verdict["headline"], size=11, weight="bold")
    for number, line in enumerate(verdict["lines"], 1):
        top = _text(sheet, top, f"{number}. {line}")
    room = {"left": 0.13, "right": 0.93, "bottom": top - 0.22, "top": top - 0.01, "wspace": 0.3}
    panels = sheet.subplots(1, 2, gridspec_kw=room)
    draw_verdict(panels, pd.DataFrame(verdict["horizons"]))
    top = _table(sheet, top - 0.28, verdict["horizons"])
    top = _text(sheet, top, "What to distrust", size=11, weight="bold")
    for doubt in front_page.doubts(verdict):
        top = _text(sheet, top, f"– {doubt}")
    facts = verdict["run"]
    origin = (
        f"{facts['pairs']} pairs, {facts['bars']:,} bars from {facts['from'][:10]} to "
        f"{facts['to'][:10]}; bars {facts['data_hash'][:12]}, code {facts['code_version'][:12]}"
    )
    _text(sheet, 0.05, origin, color=GREY)
    return sheet


def _text(sheet: Figure, top: float, text: str, *, size: float = 9, **look: Any) -> float:
    """Write a paragraph whose first line begins at ``top``; where the next one may begin."""
    lines = textwrap.wrap(text, int(WIDTH * 9 / size))
    sheet.text(0.08, top, "\n".join(lines), size=size, va="top", linespacing=1.35, **look)
    return top - (len(lines) * 1.35 + 0.8) * size / 72 / A4[1]


def _table(sheet: Figure, top: float, rows: list[dict[str, Any]]) -> float:
    cells = [
        (
            f"{row['horizon']} min",
            front_page.basis_span(row, "skill"),
            front_page.span(row, "net_sharpe", "+.1f"),
            "yes" if row["claimed"] else "no",
        )
        for row in rows
    ]
    height = 0.022
    for number, row in enumerate([HEADS, *cells]):
        weight = "normal" if number else "bold"
        for left, cell in zip((0.08, 0.22, 0.50, 0.78), row, strict=True):
            sheet.text(left, top - number * height, cell, size=9, va="top", weight=weight)
    return top - (len(cells) + 1.5) * height
