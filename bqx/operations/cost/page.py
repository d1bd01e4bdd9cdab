"""The chapter on cost: computed from the prices whenever the book is built."""

from collections.abc import Iterable, Sequence
from typing import get_args

from bqx.market.pairs import PAIRS
from bqx.operations.cost import budgets, designs
from bqx.operations.cost.designs import HORIZONS, MINUTES, OPEN, Design, Kind
from bqx.operations.cost.documents import claims
from bqx.operations.cost.prices import prices
from bqx.operations.cost.savings import savings

INTRO = """\
# Cost

**{forecasts:,.0f} forecasts a month, of {pairs} pairs at {horizons} horizons every minute of the
market, cost {machine:,.0f} USD on one small machine, {functions:,.0f} as functions of Lambda alone,
and {real:,.0f} on the documents' design.** The documents state 475, 512, 450 to 550 and 350 to 400
for it; the {real:,.0f} are near these because their errors cancel.

Every number of this page is computed from the prices at its end, which have their source and date.
`bqx cost designs` and its sisters print the same. None of it was read from a bill.

"""


def page() -> str:
    """The page in MyST Markdown."""
    by_name = {design.name: design for design in designs.every()}
    intro = INTRO.format(
        forecasts=MINUTES * OPEN * len(PAIRS) * HORIZONS,
        pairs=len(PAIRS),
        horizons=HORIZONS,
        machine=designs.small_machine().usd,
        functions=designs.functions().usd,
        real=designs.at_real_prices().usd,
    )
    return (
        intro
        + "\n\n".join(
            (
                "## Designs\n\n" + designs_table(tuple(by_name.values())),
                SHARED,
                *(_lines(design) for design in by_name.values()),
                "## What the documents state\n\n" + claims_table(),
                RETURN,
                "## Savings\n\nEach by itself, off the documents' design at AWS's prices.\n\n"
                + savings_table(),
                BUDGETS.format(
                    steps=", ".join(f"{usd:.0f}" for usd in budgets.STEPS),
                    budget=budgets.BUDGET,
                    share=100 * budgets.SHARE,
                    pair=budgets.BUDGET / len(PAIRS),
                ),
                "## Prices\n\n" + prices_table(),
            )
        )
        + "\n"
    )


SHARED = """\
A pair's share is the total over all pairs: trainings have the tag `pair`, by which the bill shows
theirs apart, and the rest is shared."""

RETURN = """\
Of the returns none is a return on forecasts: the gain of 21,000 is assumed from better Sharpe
ratios, and [the studies](studies.md) say what skill there is on real majors. A payback that starts
from an assumed gain says nothing about the system."""

BUDGETS = """\
## Budgets

`bqx cost budgets --account cloud.yaml` prints the calls, and with `--make` makes them: the three
topics of alerts, an alarm for each of {steps} USD a month, the tags `project` and `pair` for the
bill, a budget of {budget:.0f} USD that warns at {share:g} percent and when more is foreseen, and
one of {pair:.2f} USD for what each pair's trainings cost. `bqx alert --account cloud.yaml
--budget {budget:.0f}` judges the month's charges beside everything else."""


def designs_table(every: Sequence[Design]) -> str:
    """Designs by kind of cost, USD a month."""
    kinds = get_args(Kind)
    rows = [
        (
            design.name,
            *(f"{design.of(kind):,.2f}" for kind in kinds),
            f"**{design.usd:,.2f}**",
            f"{design.usd_a_pair:,.2f}",
        )
        for design in every
    ]
    return _table(("USD a month", *kinds, "total", "a pair"), rows)


def claims_table() -> str:
    """What the documents state, and what comes out."""
    rows = []
    for claim in claims():
        to = f" to {claim.to:,.2f}" if claim.to else ""
        unit = "" if claim.unit == "USD" else f" {claim.unit}"
        apart = f"{claim.computed - (claim.to or claim.stated):+,.2f}"
        rows.append(
            (
                f"{claim.document}: {claim.what}",
                f"{claim.stated:,.2f}{to}{unit}",
                f"{claim.computed:,.2f}",
                "holds" if claim.holds else apart,
                claim.why,
            )
        )
    return _table(("What", "Stated", "Computed", "Apart", "Why"), rows, texts=(0, 4))


def savings_table() -> str:
    """Ways of saving, USD a month."""
    rows = [(saving.what, f"{saving.usd:,.2f}", saving.asks) for saving in savings()]
    return _table(("Measure", "USD a month", "Asks for"), rows, texts=(0, 2))


def prices_table() -> str:
    """AWS's prices with their source."""
    rows = [
        (
            unit_price.name,
            f"{unit_price.usd:.8f}".rstrip("0").rstrip("."),
            unit_price.unit,
            unit_price.evidence,
            unit_price.source,
            unit_price.read,
        )
        for unit_price in prices("aws").values()
    ]
    heads = ("Price", "USD", "of one", "Evidence", "Source", "Read")
    return _table(heads, rows, texts=(0, 2, 3, 4, 5))


def _lines(design: Design) -> str:
    rows = [
        (line.item, f"{line.quantity:,.6g}", line.price, f"{line.usd(design.table):,.2f}")
        for line in design.lines
    ]
    table = _table(("Line", "Quantity", "At the price of", "USD a month"), rows, texts=(0, 2))
    body = f"{design.about[:1].upper()}{design.about[1:]}.\n\n{table}"
    return f":::{{dropdown}} {design.name}: {design.usd:,.2f} USD a month\n{body}\n:::"


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)) -> str:
    heads = tuple(heads)
    sides = [":--" if i in texts else "--:" for i in range(len(heads))]
    lines = [heads, sides, *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
