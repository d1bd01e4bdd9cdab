"""The book's page of learned codes: Markdown from the JSON of what the study has found."""

from pathlib import Path
from typing import Any

import pandas as pd
from written import code_of, note

from bqx.files import read_json, write_json

HERE = Path(__file__).resolve().parent
BOOK, MEASURED = HERE.parents[1] / "book", HERE / "test_codes.py"
RESULTS, PAGE = (BOOK / f"codes.{kind}" for kind in ("json", "md"))

SHOWN = {
    "mse": "MSE", "mae": "MAE", "dead": "dead units", "silhouette": "silhouette",
    "seconds": "seconds", "importance": "importance", "skill": "skill", "gain": "gain",
}  # fmt: skip

TEXT = """# Learned codes

The 802 inputs of the v4 list (its inventory of 730 and 72 interactions between pairs) can be
squeezed into 64 numbers. Two ways stand side by side: an **autoencoder** (512, 256, 128 and 64
units and back, with a linear code or one cut off at 0) and the first 64 **principal components**.
Each is learnt once a fold for all pairs together, from its training rows alone, scale included;
inputs in points of the index count in shares of the rate. As features they are in the domain
`learned`, proven like all others: a row's code depends on that row's bars alone, bit for bit.
Profile `learned` holds them beside v4; `samples.share` learns them, and a bundle carries what a
forecast needs. Training an autoencoder takes PyTorch, its use does not, and the principal
components do without.

All numbers are of test rows. Errors are in deviations of the training rows; the silhouette is
that of ten clusters; importance is the share of the selecting forest's that the code's columns
have; gain is the share of the squared error without a code that the code saves. Brackets are
intervals of whole days.
"""

LIMITS = """
An input that one of the pairs mostly lacks is used for none, and a row that lacks a used one has no
code. The field's documents ask for a MAE below 0.05 and a silhouette above 0.4, and train on some
ten million rows; these codes saw a thousandth of that, so this is no verdict on a large training.
Where every skill is 0, the validation part told no model from noise. Seconds were taken on a busy
machine.
"""


def write(found: dict[str, dict[str, Any]]) -> None:
    """Keep the results as JSON and page."""
    code = code_of(MEASURED)
    write_json(RESULTS, {name: section | {"code": code} for name, section in found.items()})
    renew()


def renew() -> None:
    """Write the page anew."""
    PAGE.write_text(render(read_json(RESULTS)), encoding="utf-8")


def records(table: pd.DataFrame, about: str) -> dict[str, Any]:
    """A table of `embeddings.compare` to four digits, and what it is about."""
    rows = table.reset_index().to_dict("records")
    kept = [
        {key: value if isinstance(value, str) else _number(value) for key, value in row.items()}
        for row in rows
    ]
    return {"about": about, "rows": kept}


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(f"{value:.4g}")


def render(found: dict[str, dict[str, Any]]) -> str:
    """The page of results."""
    parts = [TEXT]
    for name, held in found.items():
        used = next(row["inputs"] for row in held["rows"] if row["inputs"])
        parts.append(f"\n## {name}\n\n{held['about']} Inputs used: {used:.0f}. ")
        parts.append(f"{note(held['code'], MEASURED)}\n\n")
        parts.append("| code | " + " | ".join(SHOWN.values()) + " |\n")
        parts.append("| :-- |" + " --: |" * len(SHOWN) + "\n")
        for row in held["rows"]:
            cells = [_cell(row, key) for key in SHOWN]
            parts.append(f"| {row['code']} | " + " | ".join(cells) + " |\n")
    return "".join((*parts, LIMITS))


def _cell(row: dict[str, Any], key: str) -> str:
    value = row[key]
    if value is None:
        return "-"
    if f"{key}_lo" in row:
        low, high = row[f"{key}_lo"], row[f"{key}_hi"]
        return f"{value:.2%} [{low:.2%}, {high:.2%}]"
    return f"{value:.0%}" if key == "importance" else f"{value:.3g}"
