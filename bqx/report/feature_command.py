"""The command ``bqx feature``: what a feature is, and what it says on a run or a folder of bars."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bqx.params import Params, from_settings, options

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Add the command to those of ``bqx``."""
    parser = commands.add_parser(
        "feature", help="tear sheet of a feature: its definition, and what it says on bars"
    )
    parser.add_argument("name", metavar="NAME", help="of the catalog, with _lag60 for earlier")
    parser.add_argument(
        "place",
        metavar="DIR",
        nargs="?",
        help="run folder, or folder or file of bars; its definition alone without",
    )
    parser.add_argument(
        "--features", metavar="FILE", action="append", default=[], help="features of your own"
    )
    options.add(parser)
    parser.set_defaults(command=_feature)


def _feature(asked: argparse.Namespace) -> int:
    from bqx.evaluation import tear_sheet
    from bqx.features import catalog
    from bqx.runs.run import MANIFEST
    from bqx.stages import tear_sheets

    catalog.adopt(asked.features)
    if asked.place is None:
        column = tear_sheets.called(asked.name)
        for key, text in tear_sheet.definition(column).items():
            print(f"{key:<14}{text}")
        return 0
    place = Path(asked.place).absolute()
    if (place / MANIFEST).is_file():
        print(tear_sheets.of_run(Params(out=str(place)), asked.name))
        return 0
    # Folds over whatever length the bars have, as params/real.yaml has them.
    lengths = dict.fromkeys(("train_days", "validation_days", "test_days", "step_days"), 0)
    of_bars = {"pairs": (), "bars": str(place), **lengths, **options.values(asked)}
    print(tear_sheets.of_bars(from_settings(of_bars), asked.name))
    return 0
