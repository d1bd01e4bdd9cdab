"""Numbers that the documents state beside their lists, each recomputed from what it is made of.

What a number is made of are the documents' own items where it is a sum of theirs, this package's
definitions where it counts minutes, days or partitions, and the lists where it counts features.
"""

from collections.abc import Iterator
from datetime import date
from math import prod
from typing import NamedTuple

import numpy as np

from bqx.features.documents import DOCUMENTS, EVERY
from bqx.market import pairs, sessions

ITEMS, LISTS, DEFINITIONS = "its own items", "the lists", "definitions"
"""What a number is recomputed from."""

NEEDED = 80
"""Row of the number that only a run can recompute."""


class Stated(NamedTuple):
    """A number of the documents: row of the list of contradictions, what it says, as it is stated
    and recomputed, what from, and why they differ."""

    row: int
    statement: str
    stated: float
    recomputed: float
    basis: str
    cause: str


# Row | statement | stated | its own items, sums of products | cause.
_ITEMS = """
15 | features done | 56 | 228 + -38 + -72 | BQX and REG are forgotten
16 | features without BQX, REG and derived | 111 | 10+8+5+5+8+20+15+45+12 | mis-sum
17 | features missing | 55 | 15+45+12 | mis-sum
18 | 228 features less BQX, REG and derived | 111 | 228 + -40 + -57 + -3 | row 16
19 | hours of seven gaps | 19 | 2+4+2+1+1+12+3 | mis-sum
20 | hours of six stages | 113 | 27.5+16+23.25+23.5+25+36 | tasks came without raising stages
21 | hours of six stages, v3 | 128 | 37+16+25.5+26+25.5+36 | tasks came without raising stages
22 | tasks of stage 3.5 | 7 | 6 | the seventh is never defined
23 | hours of five tasks | 6+5+8+5+5 | 7+6+9+6+5.5 | subtasks came without raising tasks
24 | hours of task 3.3.3 | 4.5 | 3.75+1 | rounded before the hour was added
25 | hours of tasks 3.1.2 and 3.1.3 | 6.5+5 | 7.5+6.5 | subtasks came without raising tasks
26 | features of phase 1.6 | 1080 | 71+325+130+320 | regression and others are not counted
27 | features of twelve tables | 1080 | 56+56+48+20+20+45+45+30+40+25+35+80 | others exist already
28 | tables to rename | 7*260 | 3*336 + 4*364 | an average is guessed
30 | operations on tables | 3836 | 3*336 + 4*364 + 7*336 | rows 28 and 29
32 | five-minute features | 20 | 23 | lags are counted once
33 | calendar features | 6 | 10 | weekdays are counted once
34 | statistics per domain | 48 | 20+10+15+3+2 | two of Jarque and Bera come beside 48
35 | statistics added | 43 | 20+10+15+3+2 + -5 | row 34
36 | features of both architectures | 426 | 2*168 | the correlations are split
37 | technical features of v1 | 45 | 10+16+10+10 | one is cumulative over a month, and left out
41 | features of the enhancement | 1610 | 224+112+48+192+128+36+160+448+192+60 | not explained
42 | base and derived features | 228 | 111+117 | none; what is called base is a part of it
49 | inference, $ | 194.42 | 294.42 + -96.84 | 100 is taken off for 96.84
50 | inference of v3, $ | 391.86 | 0.538*720 + 4 | a digit
51 | with auto-scaling, $ | 703.34 | 9.46+585.04+111.06 | mis-sum
52 | 475 at 20 % less, $ | 420 | 475*0.8 | three budgets
53 | at 1.3 instances, $ | 475 | 0.8*512.38 + 0.8*0.3*387.36 | the extra instances are left out
54 | training run, $ | 3.01 | 28*0.15*0.806 | 8 minutes, or 9
55 | 1,000 messages, $ | 0.50 | 1000*0.0000005 | units
56 | a month, $ | 286 | 3.55+233+49+6 | mis-sum
57 | an optimised month, $ | 286 | 410 | other documents say 283 to 430
58 | 20 % of savings plan, $ | 0.2*533.45 | 0.2*298 | it covers compute alone
59 | least difference a year, $ | 2400 | 164*12 | rounded up
60 | endpoint, $ | 270 | 0.538*720 | fewer hours than a month has
61 | training and processing, $ | 1.20+2.50 | 3.01+2.42 | other durations
62 | processing of 90 minutes, $ | 0.60 | 0.806*1.5 | the price of a smaller instance
63 | daily batches a month, $ | 0 | 30*2.5 | not budgeted
64 | two instances, $ | 180 | 2*193.68 | one is budgeted
65 | month to date, $ | 237 | 237+49 | monitoring is left out
66 | 1 M calls of 150 ms, $ | 0.30 | 0.30 + 2.9375*150000*0.0000166667 | duration is left out
67 | an hour of one instance, $ | 0.403 | 0.269 | two prices for one instance
68 | runs of the monitor a month | 24*30 | 6*30 | hourly, or every four hours
69 | requests a second | 100 | 4*400*0.0166667 | four instances at most
70 | latency budget, ms | 200 | 320 | levels are mixed
71 | share of the capacity, % | 90 | 100*400*0.0166667*0.14 | more than six a second
72 | return, % | 195 | 100*21000*0.000735294 | on development, or on costs
73 | gain of three stages, % | 30+45+10 | 16.7+14.3+5.0 | Sharpe ratios of the same table
75 | classes of the regime | 5 | 6 | six labels for five outputs
79 | training run in a header, $ | 1.89 | 0.94+0.93 | three numbers in one header
"""


def every() -> Iterator[Stated]:
    """The statements from row 15 on."""
    for line in _ITEMS.strip().splitlines():
        row, statement, stated, items, cause = map(str.strip, line.split("|"))
        yield Stated(int(row), statement, _sum(stated), _sum(items), ITEMS, cause)
    for basis, numbers in ((LISTS, _of_lists()), (DEFINITIONS, _of_definitions())):
        for number, says, given, computed, why in numbers:
            yield Stated(number, says, given, computed, basis, why)


def _sum(text: str) -> float:
    """A sum of products.

    >>> _sum("2*3 + -1")
    5.0
    """
    return float(sum(prod(map(float, term.split("*"))) for term in text.split("+")))


def _count(document: str, *names: str) -> int:
    own = next(listed for listed in EVERY if listed.name == document)
    return sum(len(table.names) for table in own.tables if table.name in names)


Numbers = Iterator[tuple[int, str, float, float, str]]


def _of_lists() -> Numbers:
    track = ("volume", "currency_indices", "statistics", "bollinger", "time", "spread")
    first = _count("v1", *track, "correlation")
    yield 38, "features of track 1", 66, first, "3 currency indices for 8"
    shapes = _count("v3", "parabolic", "multi_scale", "spectral")
    yield 39, "parabolic, scale and spectral", 164, shapes, "an earlier count of the same families"
    families = ("error_correction", "realized_volatility", "hmm_regime", "cross_sectional_panel")
    yield 40, "four advanced families", 130, _count("v3", *families), "none; its parts differ"
    inputs = sum(len(table.names) for table in DOCUMENTS["v4"].tables)
    yield 76, "inputs of the network", 794, inputs + 64, "the order of the stages"
    covariances = _count("other", "term_covariance")
    yield 77, "covariances", 6, covariances, "re-scoped while it was executed"


def _of_definitions() -> Numbers:
    count, span = len(pairs.PAIRS), _days((2024, 7, 1), (2025, 6, 30))
    yield 29, "tables to build", 6 * 336, 7 * 12 * count, "seven types are named"
    yield 31, "partitions of the inventory", 17 * 336, 14 * 12 * count, "14 types, not 17"
    yield 43, "partitions of 18 months", 336, 18 * count, "the data hold 12 months"
    yield 44, "training share of 8 of 12 months, %", 70, 100 * 8 / 12, "whole months make no 70 %"
    yield 45, "training days beside 47 and 48", 292, span - 47 - 48, "dates and days disagree"
    half = 100 * _days((2024, 7, 1), (2024, 12, 31)) / span
    yield 46, "training share of 6 of 12 months, %", 50, half, "months are of unequal length"
    ends = np.array(["2024-07-01", "2025-01-01"], "datetime64[m]").astype(np.int64).tolist()
    open_minutes = len(sessions.grid(ends[0], ends[1] - 1))
    yield 47, "minutes of six months", 260_000, open_minutes, "weekends are ignored"
    yield 48, "walk-forward windows of 6 and 1 months", 12, 12 - 6, "six months are trained on"
    yield 74, "calls a month", 2_592_000, 30 * 24 * 60, "seconds for minutes"
    yield 78, "sign of BQX after a rise", 1, _sign_after_a_rise(), "a signal to buy must turn it"
    needed = "notebook 05 recomputes it, from the run's own selection"
    yield NEEDED, "columns for 95 % of the importance", 70, float("nan"), needed


def _days(first: tuple[int, int, int], last: tuple[int, int, int]) -> int:
    return (date(*last) - date(*first)).days + 1


def _sign_after_a_rise() -> float:
    index = np.linspace(100.0, 101.0, 61)
    return float(np.sign((index[:-1] - index[-1]).sum() / index[-1]))
