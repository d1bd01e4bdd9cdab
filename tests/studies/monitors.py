"""The book's page of monitoring: what monitors do where nothing happened, or something did."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from written import code_of, note, rounded, table

from bqx.files import read_json, write_json
from bqx.report.figures.monitors import operating_characteristic

HERE = Path(__file__).resolve().parent
BOOK = HERE.parents[1] / "book"
RESULTS, PAGE, FIGURE = (BOOK / f"monitoring.{kind}" for kind in ("json", "md", "png"))
MODULE = HERE / "test_monitoring.py"

HEAD = (HERE / "monitoring.md").read_text(encoding="utf-8")


def write(found: dict[str, Any]) -> None:
    """Keep what the study has found, and write the page and its figure."""
    write_json(RESULTS, rounded(found) | {"code": code_of(MODULE)})
    renew()
    operating_characteristic(pd.DataFrame(characteristic(read_json(RESULTS)))).savefig(FIGURE)


def renew() -> None:
    """Write the page anew."""
    PAGE.write_text(render(read_json(RESULTS)), encoding="utf-8")


def characteristic(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per detector: false alarms a day on quiet markets and on real bars, and the share of
    shifts that it finds on their first day."""
    quiet, days = _alarms(found["null"])
    real, real_days = _alarms(found.get("real", []))
    first: dict[str, list[bool]] = defaultdict(list)
    for of in found["null"]:
        for by_name in of["found"].values():
            for name in quiet:
                first[name].append(by_name.get(name) == 1)
    return [
        {
            "detector": name,
            "quiet": count / days,
            "real": real[name] / real_days if real_days else None,
            "found": float(np.mean(first[name])),
        }
        for name, count in quiet.items()
    ]


def _alarms(records: list[dict[str, Any]]) -> tuple[dict[str, int], int]:
    total: dict[str, int] = defaultdict(int)
    for of in records:
        for name, count in of["quiet"].items():
            if not name.startswith("("):
                total[name] += count
    return total, sum(of["days"] for of in records)


def render(found: dict[str, Any]) -> str:
    """The page."""
    rows = characteristic(found)
    shown = [
        (
            f"**{row['detector']}**" if row["detector"] == "bqx" else row["detector"],
            f"{row['quiet']:.3f}",
            "" if row["real"] is None else f"{row['real']:.3f}",
            f"{row['found']:.0%}",
        )
        for row in rows
    ]
    heads = ("detector", "quiet days that alarm", "real days that alarm", "shifts found on day 1")
    return "\n".join(
        (
            HEAD,
            note(found["code"], MODULE),
            _counts(found),
            table(heads, shown),
            "```{image} monitoring.png\n:alt: False alarms a day against shifts found\n```\n",
            "## Days to detect\n",
            "First day on which the panel alarms, market by market; a dash where it did not within"
            " three days.\n",
            _days(found),
            _lost(found),
            _turned(found),
            _sooner(found),
            _real(found),
        )
    )


def _counts(found: dict[str, Any]) -> str:
    alarms, days = _alarms(found["null"])
    most = max(of["quiet"]["bqx"] for of in found["null"])
    return f"""
{len(found["null"])} simulated markets of 28 pairs without a shift, 84 days of baseline and 30
later ones each: bqx alarmed on {alarms["bqx"]} of {days} days, at most {most} of a market's 30.
"""


DETECTORS = (
    "bqx",
    "river ADWIN, any column",
    "river PageHinkley, any column",
    "KS at 0.05, half of the columns",
    "Wasserstein at 0.1, half of the columns",
    "KL above 0.1 (warning), half of the columns",
)


def _days(found: dict[str, Any]) -> str:
    shifts = dict.fromkeys(name for of in found["null"] for name in of["found"])
    rows = [
        (
            shift,
            *(
                " ".join(_day(of["found"][shift].get(name)) for of in found["null"])
                for name in DETECTORS
            ),
        )
        for shift in shifts
    ]
    return table(("shift", *DETECTORS), rows)


def _day(day: int | None) -> str:
    return "–" if day is None else str(day)


def _lost(found: dict[str, Any]) -> str:
    records = [of["lost_dependence"] for of in found["null"]]
    alarms, columns = (sum(map(count, records)) for count in (lambda of: sum(of.values()), len))
    return (
        "Of the columns of a pair that follow from others, each made independent by itself, "
        f"{alarms} of {columns} alarmed on the first day.\n"
    )


def _turned(found: dict[str, Any]) -> str:
    lines = [f"{of['mode']}: {_day(of['found']['bqx'])}" for of in found.get("planted", [])]
    return (
        "Forecasts of an oracle whose sign turns, in markets with a planted signal, first day on "
        f"which bqx alarms: {'; '.join(lines) or 'not recorded yet'}.\n"
    )


def _sooner(found: dict[str, Any]) -> str:
    hours = [_day(of["broken_hours"]) for of in found["null"]]
    highest = [of["column"] for of in found["null"] if "_max_" in of["column"]]
    rest = f"; {', '.join(highest)} may keep its value for hours by itself" if highest else ""
    quiet = [of["quiet_hours"] for of in found["null"]]
    after = ", ".join(str(of["frozen"]["found_after"]) for of in found["null"])
    rows = [
        (FEEDS.get(name, "28 pairs, simulated without a shift"), *_standing(records))
        for name, records in (
            ("null", [of["frozen"] for of in found["null"]]),
            *((name, [of]) for name, of in found.get("standstills", {}).items()),
        )
    ]
    heads = (
        "bars", "days", "false alarms", "of them on closed days", "stops",
        "busy hours: within 5 minutes", "median", "quiet hours: within 5", "median",
    )  # fmt: skip
    return f"""## Within the hour

A column that keeps one value is found by the hourly check after {", ".join(hours)} hour(s)
(a column of each market{rest}); of
{sum(of["hours"] for of in quiet)} quiet hours of all pairs {sum(of["alarms"] for of in quiet)}
alarmed. A whole feed that stops is called frozen after {after} minutes.

One pair that stops while the others go on, at minutes drawn at random, and pairs that were called
frozen where none was stopped. Busy hours are the twelve from 2:00 in New York on; closed days those
on which no pair was quoted for an hour, as at Christmas.

{table(heads, rows)}"""


FEEDS = {
    "m1": "six majors of 2018, each day by the 84 before it",
    "m1_ticks": "twelve pairs, February and March 2018, by the 21 days before",
}


def _standing(records: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Days, alarms, those on closed days, stops, and how soon these were found."""
    totals = [sum(of[name] for of in records) for name in ("days", "alarms", "on_closed_days")]
    minutes = {
        name: [m for of in records for m in of["found_alone_after"][name]]
        for name in ("busy", "quiet")
    }
    soon = [
        value
        for own in minutes.values()
        for value in (f"{np.mean(np.array(own) <= 5):.0%}", f"{np.median(own):.0f} min")
    ]
    return (*totals, sum(map(len, minutes.values())), *soon)


def _real(found: dict[str, Any]) -> str:
    rows = [(of["from"], of["days"], of["quiet"]["bqx"]) for of in found.get("real", [])]
    reasons: dict[str, int] = defaultdict(int)
    for of in found.get("real", []):
        for name, count in of["quiet"].items():
            if name.startswith("("):
                reasons[name.strip("()")] += count
    why = ", ".join(f"{name} {count}" for name, count in reasons.items()) or "none"
    return f"""## Real bars

Six majors of 2018, 30 days in a row drawn at random ten times, after the 84 days before them. Here
nobody knows whether a day was quiet: markets change by themselves. Alarms by statistic: {why}.

{table(("from", "days", "alarms of bqx"), rows)}"""
