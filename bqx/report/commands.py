"""``bqx run``, ``dataset``, ``claim`` and ``compare``: runs made, promised and set side by side."""

import argparse
import json
from typing import TYPE_CHECKING

from bqx import params
from bqx.params import options

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Add the commands to those of ``bqx``."""
    _add_run(commands)
    _add_dataset(commands)
    _add_claim(commands)
    _add_compare(commands)


def _add_run(commands: "Commands") -> None:
    parser = commands.add_parser("run", help="run the notebooks and build the book")
    options.add_file(parser)
    parser.add_argument(
        "--from", metavar="NN", dest="from_stage", help="run again from notebook NN"
    )
    parser.add_argument("--out", type=options.place, metavar="DIR", help="run folder, from here")
    parser.add_argument("--to", metavar="PLACE", help="copy the artefacts to a folder or s3://")
    options.add(parser)
    parser.set_defaults(command=_run)


def _of_run(asked: argparse.Namespace) -> params.Params:
    out = [f"out={json.dumps(str(asked.out.absolute()))}"] if asked.out else []
    file = options.file_of(asked)
    return params.load(file, [*asked.overrides, *options.texts(asked), *out])


def _run(asked: argparse.Namespace) -> int:
    values = _of_run(asked)
    from bqx.report import runner
    from bqx.stages import copied

    print(runner.run(values, asked.from_stage))
    if asked.to:
        print(copied.copy(values, asked.to))
    return 0


def _add_dataset(commands: "Commands") -> None:
    parser = commands.add_parser(
        "dataset", help="write train, validation and test sets of every pair and fold"
    )
    options.add_file(parser)
    parser.add_argument("--out", type=options.place, metavar="DIR", help="run folder, from here")
    parser.add_argument(
        "--to", required=True, metavar="PLACE", help="folder or s3://bucket/prefix of the sets"
    )
    parser.add_argument("--only", metavar="a,b", help="pairs to write, default all of the run")
    options.add(parser)
    parser.set_defaults(command=_dataset)


def _dataset(asked: argparse.Namespace) -> int:
    values = _of_run(asked)
    from bqx.stages import datasets

    only = asked.only.lower().split(",") if asked.only else ()
    print(f"{asked.to}: {datasets.write(values, asked.to, only)} pairs and folds written")
    return 0


def _add_claim(commands: "Commands") -> None:
    parser = commands.add_parser(
        "claim", help="record what a run shall reach, before it is made; its book shows both"
    )
    options.add_file(parser)
    parser.add_argument(
        "--out", type=options.place, metavar="DIR", help="folder of the run to come"
    )
    parser.add_argument("--metric", default="skill", metavar="M", help="skill or net_sharpe")
    parser.add_argument(
        "--bound", type=float, required=True, metavar="X", help="what it shall at least be"
    )
    parser.add_argument(
        "--horizon", type=int, default=0, metavar="MIN", help="default every horizon of the run"
    )
    options.add(parser)
    parser.set_defaults(command=_claim)


def _claim(asked: argparse.Namespace) -> int:
    values = _of_run(asked)
    from bqx.report import claims

    print(claims.recorded(values, asked.metric, asked.bound, horizon=asked.horizon))
    return 0


def _add_compare(commands: "Commands") -> None:
    parser = commands.add_parser(
        "compare", help="runs beside each other: what differed, and what that did, in Markdown"
    )
    parser.add_argument(
        "runs", type=options.place, nargs="+", metavar="RUN", help="folders of finished runs"
    )
    parser.set_defaults(command=_compare)


def _compare(asked: argparse.Namespace) -> int:
    from bqx.report import comparison

    print(comparison.page(asked.runs), end="")
    return 0
