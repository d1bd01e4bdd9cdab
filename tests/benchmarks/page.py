"""The book's page of benchmarks: Markdown and a figure from the JSON of their last runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from measure import Goal, machine
from written import code_of, features_code, note, rounded, table

from bqx.files import read_json, write_json
from bqx.market.pairs import LIQUIDITY
from bqx.report import figures

HERE = Path(__file__).resolve().parent
BOOK = HERE.parents[1] / "book"
RESULTS, PAGE, FIGURE = (BOOK / f"benchmarks.{kind}" for kind in ("json", "md", "png"))


def write(module: Path, found: dict[str, Any]) -> None:
    """Keep what a module of benchmarks has found beside what the others have, page and figure."""
    results = read_json(RESULTS)
    before = results.get(module.stem, {})
    goals = {goal["what"]: goal for goal in [*before.get("goals", ()), *found.get("goals", ())]}
    kept = {"goals": list(goals.values()), "code": code_of(module), "machine": machine()}
    kept["catalog"] = features_code()
    if before and _kind(before["machine"]) != _kind(kept["machine"]):
        kept["earlier"] = {name: before[name] for name in ("goals", "machine")}
    write_json(RESULTS, results | {module.stem: rounded(before | found | kept)})
    renew()
    figures.benchmarks(peers(read_json(RESULTS)["test_families"])).savefig(FIGURE, dpi=110)


def _kind(of: dict[str, Any]) -> tuple[Any, ...]:
    """What tells one machine from another."""
    return of["processor"], of["cores"], of.get("numbers_in_register")


def renew() -> None:
    """Write the page anew."""
    PAGE.write_text(render(read_json(RESULTS)), encoding="utf-8")


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
    others = (section["earlier"] for section in results.values() if "earlier" in section)
    earlier = {goal["what"]: f"{goal['found']:g}" for other in others for goal in other["goals"]}
    rows = []
    for goal in (goal for section in results.values() for goal in section["goals"]):
        bound = f"{'at least' if goal['more'] else 'at most'} {goal['goal']:g} {goal['unit']}"
        rows.append(
            (
                goal["what"],
                f"{goal['found']:g}",
                bound.strip(),
                "reached" if Goal(**goal).reached else f"missed: {goal['limit']}",
                earlier.get(goal["what"], ""),
            )
        )
    return table(("", "measured", "goal", "", "on another machine"), rows)


def _tables(results: dict[str, Any]) -> tuple[str, str]:
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


def _families(found: dict[str, Any]) -> str:
    beside, alone = _tables(found)
    return f"""Nanoseconds of one thread for an output value, over {found["rows"]:,} rows. What
several families read, such as BQX itself, is not part of a family's own time; "with its source"
adds it. A family that reads other pairs is measured over all 28, which share what these give, as
in a build and in a live minute. A peer's time is that of a value too, taken by turns with the
family's: none gives just what a family gives.

```{{figure}} benchmarks.png
:name: benchmarks
:alt: Time of a value for every family, and for those with a peer beside the peer's

Left: every family, by its time for a value. Right: families that others compute too.
```

{beside}
````{{dropdown}} All {len(found["families"])} families
{alone}````
"""


def _whole(found: dict[str, Any]) -> str:
    build, memory, columns, growth = (found[k] for k in ("build", "memory", "columns", "growth"))
    pairs = [
        (row["pair"], row["build_s"], row["write_s"], f"{row['build_s'] / row['write_s']:.2g}")
        for row in build["pairs"]
    ]
    grown = [
        (of, f"{size:,}", f"{cost:g}", f"{1e3 * cost / size:.3g}")
        for of, steps in growth.items()
        for size, cost in steps
    ]
    return f"""{build["features"]:,} features of {build["rows"]:,} minutes, all 28 pairs as
panel; reading the bars, {build["reading_s"]:g} s, is left out. Writing is that of the same
values as the same files.

{table(("pair", "build (s)", "write (s)", "ratio"), pairs)}
{table(("growth with", "of", "CPU time (s)", "ms for one"), grown)}
Memory of `bqx build` with two workers, all processes together: {memory["gb_least"]:g} GB and
{memory["gb_a_month"]:g} GB a month of 28 pairs.

{table(("months", "GB"), memory["months"])}
{columns["columns"]} columns of the lag grid of v3, of {columns["features"]} features, over
{columns["rows"]:,} rows of a pair: {columns["compute_s"]:g} s from bars, {columns["read_s"]:g} s
from published Parquet files. {_faster(columns, growth)}
Selection, training, the comparison of models and the drift monitor of a run read what notebook 02
has published of the same bars with the same code, and compute the rest: a fold's fitted features,
which are in no file, and everything where nothing was published.
"""


def _published(found: dict[str, Any]) -> str:
    return f"""{found["columns"]} columns of the lag grid of core over {found["rows_read"]:,} rows:
read in {found["read_s"]:g} s, computed in {found["computed_s"]:g} s; the last
20,000 rows alone are read in {found["month_s"]:g} s.
"""


def _live(found: dict[str, Any]) -> str:
    names = ("profile", "features", "pairs", "p50_ms", "p99_ms")
    live = [[row[name] for name in names] for row in found["live"]]
    return f"""{table(("profile", "features", "pairs", "P50 (ms)", "P99 (ms)"), live)}
{table(("", "seconds"), found["start"].items())}"""


def _database(found: dict[str, Any]) -> str:
    copies = [
        (what, f"{rows:,}", f"{rows / ours:,.0f}", f"{rows / raw:,.0f}")
        for what, rows, ours, raw in found["copies"]
    ]
    reads = [(what, *(f"{ms:.3g}" for ms in spent)) for what, *spent in found["reads"]]
    return f"""{table(("loading", "rows", "rows/s", "raw COPY of the same bytes, rows/s"), copies)}
All columns of one bar, {found["features"]:,} of {found["tables"]} tables of profile v3, through a
pool of four connections, beside the live window that computes them; milliseconds of the clock:

{table(("", "P50", "P99", "first call"), reads)}"""


def _learning(found: dict[str, Any]) -> str:
    rows = [
        (what, f"{value:,}" if isinstance(value, int) else f"{value:.3g}", unit)
        for what, value, unit in found["times"]
    ]
    return table(("", "measured", ""), rows)


def _start_to_finish(found: dict[str, Any]) -> str:
    names = {"minutes": "all, minutes", "peak_gb": "memory, GB", "gb": "on disk, GB"}
    rows = [
        (names.get(name, name), *(f"{value:.3g}" for value in values))
        for name, values in found["runs"].items()
    ]
    of = found["pairs"]
    heads = ("minutes", *(f"{pairs} pairs" for pairs in of), "28 pairs")
    how = "" if of[-1] == len(LIQUIDITY) else " What 28 take is on the line through these runs."
    dask = "Through Dask it was not measured."
    if "dask" in found:
        dask = (
            f"The same {of[0]} pairs through Dask on two workers: {found['dask']['minutes']:.3g} "
            f"minutes, {found['dask']['gb']:.2g} GB, and the same scores."
        )
    return f"""Eighteen months of simulated bars, the 3,425 candidates of v3 down to 250,
pooled ridge, forest and boosting for five horizons in five folds, a row in fifteen, backtest and
book, with two processes.{how} {dask} The field's documents state 180 to 200 minutes of features on
8 cores, and 28 instances with 8 to 15 minutes of training each.

{table(heads, rows)}"""


def _load(found: dict[str, Any]) -> str:
    beside = [
        (what, f"{ours:.3g}", f"{wanted:g}", "held" if ours <= wanted else "not held")
        for what, wanted, ours in found["documents"]
    ]
    heads = ("milliseconds", "measured", "the documents ask for", "")
    return f"""Requests go out by the clock, whether or not earlier ones were answered; the time of
each counts from when it was due.

{table(heads, beside)}
{_learning(found)}"""


def _backtest(found: dict[str, Any]) -> str:
    rows = [(what, f"{ours:.3g}", f"{peer:.3g}") for what, ours, peer in found["parts"]]
    heads = ("nanoseconds for a bar and pair", "bqx", "vectorbt")
    return f"{table(heads, rows)}\nThe whole pass is {found['ratio']:.3g} times as fast.\n"


def _indicators(results: dict[str, Any]) -> str:
    rows = [
        (
            row["name"],
            *(f"{row[name]:.3g}" for name in ("bqx", "talib", "wickra")),
            *(f"{row['bqx'] / row[name]:.2f}" for name in ("talib", "wickra")),
        )
        for row in results["indicators"]
    ]
    heads = ("indicator", "bqx", "TA-Lib", "wickra", "of TA-Lib's time", "of wickra's")
    return f"""Nanoseconds of one thread for a row, median of runs by turns on the same 60,000 rows;
the values agree with TA-Lib's to 1e-6 once recursions have settled. Memory that was freed stays in
the process, so that no new pages are in anybody's time. wickra's batch is the one that keeps the
bits of its streaming values.

{table(heads, rows)}"""


def _monitoring(found: dict[str, Any]) -> str:
    own = found["watching"]
    rows = [
        (what, name, f"{ms:.3g}")
        for what, key in (("serving", "serving_ms"), ("watching", "watching_ms"))
        for name, ms in own[key].items()
    ]
    return f"""CPU of a minute of 28 pairs, 28 columns and five horizons: all bars taken, all
forecasts made and 400 answers over HTTP; beside it what a server's capture and
`bqx monitor --follow CAPTURE` take, hours and days spread over their minutes. A process of its own
for every check, as cron starts it, takes over two seconds more each time.

{table(("", "", "ms a minute"), rows)}"""


SECTIONS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "test_families": ("Families", _families),
    "test_indicators": ("The same indicator", _indicators),
    "test_whole": ("A whole build, and columns from bars or from files", _whole),
    "test_published_speed": ("Reading what was published", _published),
    "test_live_speed": ("Live and at the start", _live),
    "test_serving_speed": ("A live server", _learning),
    "test_load": ("Under load", _load),
    "test_image_start": ("The image, read-only and cold", _learning),
    "test_database_speed": ("PostgreSQL", _database),
    "test_models_speed": ("Selection and learning", _learning),
    "test_trainings": ("Trainings of all pairs", _learning),
    "test_start_to_finish": ("Start to finish", _start_to_finish),
    "test_screening_speed": ("Screening", _learning),
    "test_backtest_speed": ("Backtest", _backtest),
    "test_monitoring_speed": ("Monitoring", _monitoring),
}
"""Title and text of a section, by the module that measures it."""


def _words(at: dict[str, Any]) -> str:
    wide = at.get("numbers_in_register")
    registers = f" with registers of {wide} numbers" if wide else ""
    return f"{at['processor']}{registers}, {at['cores']} cores, {at['memory_gb']} GB"


def _section(name: str, results: dict[str, Any]) -> str:
    title, text = SECTIONS[name]
    if name not in results:
        return f"## {title}\n\nNot measured yet.\n"
    found = results[name]
    at = found["machine"]
    other = found.get("earlier")
    before = f" On another machine: {_words(other['machine'])}, of older code." if other else ""
    return f"""## {title}

{_words(at)}, Python {at["python"]}, load
{at["load"]}.{before} {note(found["code"], HERE / f"{name}.py", found.get("catalog", ""))}

{text(found)}"""


def render(results: dict[str, Any]) -> str:
    """The page."""
    return f"""# Benchmarks

Made by `make bench`, `make load` and `make image`, each section in one run, so that what stands
side by side was measured so. Times are CPU time, the least of some runs; absolute numbers say
little about another machine, ratios carry over better. A section says where the code that it
measured has changed since. What was measured on another machine before, by older code, stands
beside.

## Goals

{_goals(results)}
{chr(10).join(_section(name, results) for name in SECTIONS)}"""
