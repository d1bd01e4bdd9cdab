"""The command ``bqx params``: what a file of parameters says, and what it means."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from bqx.params import options
from bqx.params.model import Params
from bqx.params.reading import described, load, of_notebook

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands", check: Callable[[Params], None]) -> None:
    """Add the command to those of ``bqx``; ``check`` refuses what a run would at its start."""
    parser = commands.add_parser(
        "params", help="every parameter of a file: value, where it comes from, and meaning"
    )
    options.add_file(parser)
    parser.add_argument(
        "--notebook", metavar="NN", help="those of a notebook alone, as YAML for `papermill -f`"
    )
    parser.set_defaults(command=_params, check=check)


def _params(asked: argparse.Namespace) -> int:
    file = options.file_of(asked)
    asked.check(load(file, asked.overrides))
    if asked.notebook:
        print(of_notebook(file, asked.overrides, asked.notebook), end="")
        return 0
    rows = described(file, asked.overrides)
    # A long list must not push all meanings out of sight.
    widths = [min(max(len(row[name]) for row in rows), 40) for name in ("key", "value", "from")]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row.values(), widths, strict=False)]
        print("  ".join((*cells, row["meaning"])))
    return 0
