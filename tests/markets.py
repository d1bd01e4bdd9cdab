"""Three markets, one pipeline: the book's page of real bars, and README's table, from verdicts.

bqx run params/demo.yaml --set market=null --out runs/nothing/run
bqx run params/demo.yaml --out runs/weak/run
bqx run params/real.yaml --set bars=FOLDER --out runs/majors/run
python tests/markets.py null=runs/nothing/run planted=runs/weak/run majors=runs/majors/run
"""

import re
import sys
from pathlib import Path
from typing import Any

from written import rounded, table

from bqx.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = (ROOT / "book" / f"markets.{kind}" for kind in ("json", "md"))
README = ROOT / "README.md"
TITLES = {"null": "random walk", "planted": "weak momentum, planted", "majors": "six majors, 2018"}
HEADS = ("market", "raw R²", "direction", "skill", "its interval", "information", "net Sharpe",
         "approved")  # fmt: skip


def row_of(verdict: dict[str, Any]) -> dict[str, Any]:
    """What the table keeps of a run's ``verdict.json``."""
    facts, horizons = verdict["run"], verdict["horizons"]
    information, traded = verdict["information"], verdict["tradable"]
    mean = {
        name: sum(row[name] for row in horizons) / len(horizons) for name in ("r2", "direction")
    }
    return {
        **{name: facts[name] for name in ("pairs", "bars", "from", "to", "features")},
        **{name: information[name] for name in ("claimed", "t", "bound")},
        **{name: information[name] for name in ("skill", "skill_lo", "skill_hi")},
        **{name: traded[name] for name in ("net_sharpe", "expected_move", "round_trip")},
        **mean,
        "horizons": [
            {name: row[name] for name in ("horizon", "r2", "known_r2", "direction")}
            | {name: row[name] for name in ("skill", "skill_lo", "skill_hi", "net_sharpe")}
            for row in horizons
        ],
        "cells": len(verdict["cells"]),
        "approved": sum(cell["promoted"] for cell in verdict["cells"]),
        "headline": verdict["headline"],
        "lines": verdict["lines"],
        "models": sorted(set(facts["models"])),
        "minutes": facts["seconds"] / 60,
        "code": facts["code_version"],
    }


def keep(folders: dict[str, Path]) -> None:
    """Keep the verdicts of run folders beside those that are kept, with page and README."""
    kept = read_json(RESULTS) if RESULTS.exists() else {}
    made = {name: row_of(read_json(folder / "verdict.json")) for name, folder in folders.items()}
    write_json(RESULTS, kept | rounded(made))
    renew()


def renew() -> None:
    """Write the page and README's table anew."""
    kept = read_json(RESULTS)
    PAGE.write_text(render(kept), encoding="utf-8")
    before = README.read_text(encoding="utf-8")
    README.write_text(shown(before, kept), encoding="utf-8")


def shown(readme: str, kept: dict[str, Any]) -> str:
    """README with the table of the markets that are kept."""
    start, end = "<!-- markets -->\n", "<!-- end -->"
    return re.sub(
        f"{start}.*?{end}", lambda _: f"{start}{summary(kept)}{end}", readme, flags=re.DOTALL
    )


def summary(kept: dict[str, Any]) -> str:
    """One row per market."""
    rows = [
        (
            title,
            f"{row['r2']:.2f}",
            f"{row['direction']:.0%}",
            _basis(row["skill"]),
            f"{_basis(row['skill_lo'])} to {_basis(row['skill_hi'])}",
            "yes" if row["claimed"] else "no",
            "hold" if row["net_sharpe"] is None else f"{row['net_sharpe']:+.1f}",
            f"{row['approved']} of {row['cells']}",
        )
        for name, title in TITLES.items()
        if (row := kept.get(name))
    ]
    return table(HEADS, rows)


def _basis(share: float) -> str:
    return f"{round(1e4 * share, 1) + 0.0:+.1f} bp" if share else "0"


def render(kept: dict[str, Any]) -> str:
    """The page."""
    real = kept["majors"]
    rows = [
        (
            f"{row['horizon']} min",
            f"{row['r2']:.3f}",
            f"{row['known_r2']:.3f}",
            f"{row['direction']:.1%}",
            _basis(row["skill"]),
            f"{_basis(row['skill_lo'])} to {_basis(row['skill_hi'])}",
        )
        for row in real["horizons"]
    ]
    heads = ("horizon", "raw R²", "known in advance", "direction", "skill", "its interval")
    outcome = "hold" if real["net_sharpe"] is None else f"net Sharpe {real['net_sharpe']:+.1f}"
    said = "\n".join(f"- {line}" for line in real["lines"])
    return f"""# Six majors

**Skill {real["skill"]:+.5f}, {outcome}.** {real["headline"]}

What `params/real.yaml` found on {real["pairs"]} pairs, {real["bars"]:,} one-minute bars from
{real["from"][:10]} to {real["to"][:10]}: {real["features"]} features, five folds, model
{" or ".join(real["models"])}. A bp of skill is a ten-thousandth of the variance of what nobody
knows in advance. The raw R² is nothing: it is known in advance, to the third digit.

{table(heads, rows)}
{said}

## Beside markets with a known answer

{summary(kept)}
The random walk and the weak momentum are those of `params/demo.yaml`, with `market: null` and as it
is: an oracle would gain about 1 % there, more than the majors show at any horizon.
"""


if __name__ == "__main__":
    keep({name: Path(folder) for name, _, folder in (text.partition("=") for text in sys.argv[1:])})
