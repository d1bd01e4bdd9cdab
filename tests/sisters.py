"""The book's page of sister pairs and triangles: Markdown from `bqx.market.pairs`."""

from pathlib import Path

from written import table

from bqx.market.pairs import LIQUIDITY, SISTERS, third_currency

PAGE = Path(__file__).resolve().parents[1] / "book" / "sisters.md"


def render() -> str:
    """The page."""
    rows = [
        (f"`{pair}`", *(f"`{sister}`" for sister in SISTERS[pair]), third_currency(pair).upper())
        for pair in LIQUIDITY
    ]
    heads = ("pair", "first", "second", "third", "fourth", "fifth", "triangle through")
    return f"""# Sister pairs

The five pairs that features across pairs read beside a pair, best first: the largest absolute
correlation of 5-minute log returns over the first quarter of 2018, among the 12 pairs that share a
currency. They are fixed, so that no later bar decides what a feature reads. Pairs stand in the
order of their liquidity; the triangle is closed by the third currency whose two legs stand highest
in it.

{table(heads, rows)}
## Which sisters lead

Two of the five lead a pair where Granger tests of one-minute returns on a fold's training rows say
so (`bqx.features.rolling.granger`); the table belongs to the fold that it was learnt on. `bqx
dataset` writes it beside the fold's sets: `leaders.json`, one row per pair and fold, null where
fewer than two lead, and the features themselves in `fitted.parquet`.
"""


def renew() -> None:
    """Write the page anew."""
    PAGE.write_text(render(), encoding="utf-8")
