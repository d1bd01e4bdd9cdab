"""``bqx cost``: designs, the documents' sums, savings, and budgets of an account."""

import argparse
import re
from typing import TYPE_CHECKING

from bqx.params import options
from bqx.params.real_numbers import real

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

# Each command imports what it needs.


def add(commands: "Commands") -> None:
    """Add ``cost`` and what it tells of."""
    parser = commands.add_parser("cost", help="what a month of each design costs, line by line")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    for kind, about in (
        ("designs", "every design by kind of cost, USD a month"),
        ("documents", "what the field's documents state beside what their sums give"),
        ("savings", "what each way of saving takes off"),
        ("prices", "prices with their source and date"),
    ):
        kinds.add_parser(kind, help=about).set_defaults(command=_tell, kind=kind)
    budgets = kinds.add_parser("budgets", help="topics, alarms, tags and budgets, as calls of AWS")
    budgets.add_argument(
        "--account", type=options.place, required=True, metavar="FILE", help="cloud.yaml"
    )
    add_budget(budgets)
    budgets.add_argument("--make", action="store_true", help="make the calls, not only print them")
    budgets.set_defaults(command=_budgets)


def add_budget(parser: argparse.ArgumentParser) -> None:
    """Add ``--budget``, of a month."""
    parser.add_argument(
        "--budget", type=real(0.01, 1e9), default=500.0, help="USD a month, %(default)s"
    )


def _tell(asked: argparse.Namespace) -> int:
    from bqx.operations.cost import designs, page

    tables = {
        "designs": lambda: page.designs_table(designs.every()),
        "documents": page.claims_table,
        "savings": page.savings_table,
        "prices": page.prices_table,
    }
    print(_aligned(tables[asked.kind]()))
    return 0


def _aligned(table: str) -> str:
    """A table of Markdown as text, its columns below each other."""
    heads, sides, *rows = (line.strip("| ").split(" | ") for line in table.splitlines())
    plain = [[re.sub(r"\*\*", "", cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if side == ":--" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        )
        for row in plain
    ]
    return "\n".join(line.rstrip() for line in lines)


def _budgets(asked: argparse.Namespace) -> int:
    from bqx.cloud.account import Account
    from bqx.cloud.calls import clients, make_all
    from bqx.operations.cost import budgets

    account = Account.read(asked.account)
    of = clients(budgets.REGION) if asked.make else None
    make_all(budgets.calls(account, asked.budget), of)
    return 0
