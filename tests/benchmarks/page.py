"""The book's page of benchmarks: Markdown and a figure from the JSON of their last whole run."""

from pathlib import Path
from typing import Any

import pandas as pd
from written import rounded, table

from bqx.files import read_json, write_json
from bqx.report import figures

BOOK = Path(__file__).resolve().parents[2] / "book"
RESULTS, PAGE, FIGURE = (BOOK / f"benchmarks.{kind}" for kind in ("json", "md", "png"))


def write(results: dict[str, Any]) -> None:
    """Keep results as JSON, page and figure."""
    write_json(RESULTS, rounded(results))
    kept = read_json(RESULTS)
    PAGE.write_text(render(kept), encoding="utf-8")
    figures.benchmarks(peers(kept)).savefig(FIGURE, dpi=110)


def peers(results: dict[str, Any]) -> pd.DataFrame:
    """A row a family and peer, one row where a family has none: family, ns, peer, peer_ns."""
    nobody = [{"peer": None, "ns": None}]
    rows = [
        {"family": f"{row['source']} {row['family']}".strip(), "ns": row["ns"],
         "peer": other["peer"], "peer_ns": other["ns"]}
        for row in results["families"]
        for other in row["peers"] or nobody
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"peer_ns": float})


def _goals(results: dict[str, Any]) -> str:
    rows = []
    for goal in results["goals"]:
        better = goal["found"] >= goal["goal"] if goal["more"] else goal["found"] <= goal["goal"]
        bound = f"{'at least' if goal['more'] else 'at most'} {goal['goal']:g} {goal['unit']}"
        rows.append((goal["what"], f"{goal['found']:g}", bound.strip(),
                     "reached" if better else f"missed: {goal['limit']}"))  # fmt: skip
    return table(("", "measured", "goal", ""), rows)


def _families(results: dict[str, Any]) -> tuple[str, str]:
    beside, alone = [], []
    for row in sorted(results["families"], key=lambda row: row["ns"]):
        name = f"`{row['source']}` {row['family']}"
        alone.append(
            (name, row["table"], row["values"], f"{row['ns']:g}", f"{row['ns_with_source']:g}")
        )
        for other in row["peers"]:
            times = f"{other['ns'] / row['ns']:.3g}" if row["ns"] else ""
            beside.append((name, f"{row['ns']:g}", other["peer"], f"{other['ns']:g}", times))
    return (
        table(("family", "ns", "peer", "its ns", "times as fast"), beside),
        table(("family", "table", "values", "ns", "with its source"), alone),
    )


def _faster(columns: dict[str, Any], growth: dict[str, Any]) -> str:
    computing, reading = columns["compute_s"], columns["read_s"]
    if computing <= reading:
        return "Computing is faster."
    rows, cost = growth["bars"][-1]
    times = cost * columns["rows"] / rows / (computing - reading)
    return (
        f"Reading is {computing / reading:.2g} times as fast. The files have to be built first: "
        f"for v3 that pays from {times:.1f} readings on, and a run reads several times a fold."
    )


def render(results: dict[str, Any]) -> str:
    """The page."""
    machine, build, memory = results["machine"], results["build"], results["memory"]
    columns, growth = results["columns"], results["growth"]
    beside, alone = _families(results)
    pairs = [
        (row["pair"], row["build_s"], row["write_s"], f"{row['build_s'] / row['write_s']:.2g}")
        for row in build["pairs"]
    ]
    live = [
        [row[k] for k in ("profile", "features", "pairs", "p50_ms", "p99_ms")]
        for row in results["live"]
    ]
    grown = [
        (of, f"{size:,}", f"{cost:g}", f"{1e3 * cost / size:.3g}")
        for of, steps in growth.items()
        for size, cost in steps
    ]
    return f"""# Benchmarks

Made by `make bench`, each section in one run, so that what stands side by side was measured so:
{machine["processor"]}, {machine["cores"]} cores, {machine["memory_gb"]} GB, Python
{machine["python"]}, load {machine["load"]} when it began. Times are CPU time, the least of
some runs; absolute numbers say little about another machine, ratios carry over better.

## Goals

{_goals(results)}
## Families

Nanoseconds of one thread for an output value, over {results["rows"]:,} rows. What several families
read, such as BQX itself, is not part of a family's own time; "with its source" adds it. What other
pairs give is made for one pair here, though 28 share it. A peer's time is that of a value too: none
gives just what a family gives.

```{{figure}} benchmarks.png
:name: benchmarks
:alt: Time of a value for every family, and for those with a peer beside the peer's

Left: every family, by its time for a value. Right: families that others compute too.
```

{beside}
````{{dropdown}} All {len(results["families"])} families
{alone}````

## A whole build

{build["features"]:,} features of {build["rows"]:,} minutes, all 28 pairs as panel; reading the
bars, {build["reading_s"]:g} s, is left out. Writing is that of the same values as the same files.

{table(("pair", "build (s)", "write (s)", "ratio"), pairs)}
{table(("growth with", "of", "CPU time (s)", "ms for one"), grown)}
Memory of `bqx build` with two workers, all processes together: {memory["gb_least"]:g} GB and
{memory["gb_a_month"]:g} GB a month of 28 pairs.

{table(("months", "GB"), memory["months"])}
## Columns: from bars or from files

{columns["columns"]} columns of the lag grid of v3, of {columns["features"]} features, over
{columns["rows"]:,} rows of a pair: {columns["compute_s"]:g} s from bars, {columns["read_s"]:g} s
from published Parquet files. {_faster(columns, growth)}
Selection, training, the comparison of models and the drift monitor of a run read what notebook 02
has published of the same bars with the same code, and compute the rest: a fold's fitted features,
which are in no file, and everything where nothing was published.

## Live and at the start

{table(("profile", "features", "pairs", "P50 (ms)", "P99 (ms)"), live)}
{table(("", "seconds"), results["start"].items())}"""
