"""Headings of tables for readers: words of the field instead of names of files' columns."""

from typing import TypeVar

import pandas as pd

Table = TypeVar("Table", pd.DataFrame, "pd.Series")

WORDS = {
    "r2": "R²",
    "known_r2": "R² known in advance",
    "ic": "IC",
    "ic_p": "IC's p",
    "ic_t": "IC's t",
    "unshrunk_ic": "IC before shrinkage",
    "unshrunk_skill": "skill before shrinkage",
    "bqx_skill": "skill in BQX",
    "dm_p": "Diebold-Mariano p",
    "naive_coverage": "coverage at constant width",
    "net_sharpe": "net Sharpe",
    "gross_sharpe": "gross Sharpe",
    "net_2x": "net at twice the spread",
    "pbo": "probability of overfitting",
    "psi": "stability index",
    "expected_move": "expected move (bp)",
    "round_trip": "round trip (bp)",
    "break_even_cost": "break-even cost (bp)",
    "break_even": "accuracy that every row needs",
    "forecast_accuracy": "accuracy of forecasts",
    "trades_break_even": "accuracy that the trades need",
    "accuracy": "accuracy of trades",
    "capacity": "capacity (m)",
    "deflated": "deflated Sharpe",
    "latency_ms": "latency (ms)",
    "kuncheva": "Kuncheva's index",
    "jaccard": "Jaccard's share",
    "shap": "SHAP",
    "spread_pips": "spread (pips)",
    "volatility_bp": "volatility (bp)",
    "own_spread": "spread in the files",
    "kb": "kB",
    "horizon": "horizon (min)",
    "lo": "lowest",
    "hi": "highest",
    "sha256": "SHA-256",
}
"""What is no plain word with its underscores taken out."""


def readable(table: Table, confidence: float = 0.95) -> Table:
    """A table whose columns and index levels have readers' headings; its values are untouched.

    ``confidence`` : of the intervals whose ends are columns that end in ``_lo`` and ``_hi``.
    """
    shown = table.rename(columns=lambda name: heading(name, confidence)) if _wide(table) else table
    for axis in (0, 1) if _wide(table) else (0,):
        names = [
            name if name is None else heading(name, confidence) for name in _names(shown, axis)
        ]
        shown = shown.rename_axis(names, axis=axis) if any(names) else shown
    return shown


def _wide(table: Table) -> bool:
    return isinstance(table, pd.DataFrame)


def _names(table: Table, axis: int) -> list[object]:
    return list(table.axes[axis].names)


def heading(name: object, confidence: float = 0.95) -> object:
    """A heading of a column's name; what is no text stays as it is.

    >>> heading("skill_lo"), heading("net_sharpe_hi"), heading("round_trip")
    ('skill, 95 % low', 'net Sharpe, 95 % high', 'round trip (bp)')
    """
    if not isinstance(name, str):
        return name
    if name in WORDS:
        return WORDS[name]
    for end, word in (("_lo", "low"), ("_hi", "high")):
        if name.endswith(end):
            return f"{heading(name.removesuffix(end))}, {100 * confidence:g} % {word}"
    return name.replace("_", " ")
