"""The command line: ``bqx run``, ``serve``, ``registry``, ``catalog``, ``certify`` and others.

Each command is a function that registers its parser and one that does its work; what it needs is
imported there, since notebooks, server and kernels take seconds to import.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from bqx import params
from bqx.database import commands as database
from bqx.errors import BqxError, ParameterError
from bqx.parallel import Backend
from bqx.params import options
from bqx.params.whole_numbers import MOST_WORKERS, whole
from bqx.serving import commands as serving

if TYPE_CHECKING:
    import pandas as pd

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 2 after an error that a user can mend."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that is no UTF-8 is shown, not a reason to fail.
            stream.reconfigure(errors="backslashreplace")
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.command(asked))
    except BqxError as error:
        print(f"bqx: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader, such as head, has seen enough; the exit's flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = error.filename if error.filename is not None else "bqx"
        print(
            f"bqx: {where}: cannot be used, got {error.strerror or error}; expected a place that "
            "can. Mend that and run it again.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("bqx: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bqx", description="Short-horizon FX research.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_claim(commands)
    _add_bars(commands)
    _add_params(commands)
    serving.add(commands)
    _add_catalog(commands)
    _add_compile(commands)
    _add_certify(commands)
    _add_build(commands)
    _add_verify(commands)
    database.add(commands)
    return parser


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("params", type=Path, metavar="FILE", help="YAML file of parameters")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="parameters that win over the file",
    )


def _add_profile(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--profile", default="full", metavar="P", help="default %(default)s")


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=whole(MOST_WORKERS), default=2, metavar="N", help="default %(default)s"
    )


def _add_run(commands: "Commands") -> None:
    parser = commands.add_parser("run", help="run the notebooks and build the book")
    _add_file(parser)
    parser.add_argument(
        "--from", metavar="NN", dest="from_stage", help="run again from notebook NN"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder, from here")
    options.add(parser)
    parser.set_defaults(command=_run)


def _of_run(asked: argparse.Namespace) -> params.Params:
    out = [f"out={json.dumps(str(asked.out.absolute()))}"] if asked.out else []
    return params.load(asked.params, [*asked.overrides, *options.texts(asked), *out])


def _run(asked: argparse.Namespace) -> int:
    values = _of_run(asked)
    from bqx.report import runner

    print(runner.run(values, asked.from_stage))
    return 0


def _add_claim(commands: "Commands") -> None:
    parser = commands.add_parser(
        "claim", help="record what a run shall reach, before it is made; its book shows both"
    )
    _add_file(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run to come")
    parser.add_argument("--metric", default="skill", metavar="M", help="skill or net_sharpe")
    parser.add_argument(
        "--bound", type=float, required=True, metavar="X", help="what it shall at least be"
    )
    parser.add_argument(
        "--horizon", type=int, default=0, metavar="MIN", help="default every horizon of the run"
    )
    parser.set_defaults(command=_claim)


def _claim(asked: argparse.Namespace) -> int:
    values = _of_run(asked)
    from bqx.report import claims

    print(claims.recorded(values, asked.metric, asked.bound, horizon=asked.horizon))
    return 0


def _add_bars(commands: "Commands") -> None:
    parser = commands.add_parser("bars", help="say what the bars of a folder are; status 2 if none")
    parser.add_argument("bars", type=Path, metavar="FOLDER", help="folder or file of bars")
    options.add(parser)
    parser.set_defaults(command=_bars)


def _bars(asked: argparse.Namespace) -> int:
    from bqx.market import readers

    reading = readers.examine(asked.bars, **options.values(asked))
    print(reading.shown)
    for note in reading.notes:
        print(f"note: {note}")
    return 0


def _add_params(commands: "Commands") -> None:
    parser = commands.add_parser(
        "params", help="every parameter of a file: value, where it comes from, and meaning"
    )
    _add_file(parser)
    parser.set_defaults(command=_params)


def _params(asked: argparse.Namespace) -> int:
    rows = params.described(asked.params, asked.overrides)
    # A long list must not push all meanings out of sight.
    widths = [min(max(len(row[name]) for row in rows), 40) for name in ("key", "value", "from")]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row.values(), widths, strict=False)]
        print("  ".join((*cells, row["meaning"])))
    return 0


def _add_catalog(commands: "Commands") -> None:
    parser = commands.add_parser("catalog", help="list the features and their counts")
    _add_profile(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command=_catalog)


def _catalog(asked: argparse.Namespace) -> int:
    from bqx.features import catalog

    features = catalog.profile(asked.profile)
    keys = ["name", "alias", "table", "unit", "lookback", "laggable"]
    keys += ["title", "formula"] if asked.json else []
    rows = [{key: feature.row()[key] for key in keys} for feature in features]
    counts = {name: len(members) for name, members in catalog.tables(features).items()}
    if asked.json:
        content = {"profile": asked.profile, "features": rows, "tables": counts, "total": len(rows)}
        print(json.dumps(content, indent=1))
        return 0
    lines = [keys, *(row.values() for row in rows), (), *counts.items(), ("total", len(rows))]
    for line in lines:
        print("\t".join(map(str, line)))
    return 0


def _add_compile(commands: "Commands") -> None:
    parser = commands.add_parser("compile", help="compile every kernel now, minutes once")
    _add_profile(parser)
    parser.add_argument(
        "--target",
        choices=("native", "generic"),
        default="native",
        help="generic: for every processor of this architecture; default %(default)s",
    )
    _add_workers(parser)
    parser.set_defaults(command=_compile)


def _compile(asked: argparse.Namespace) -> int:
    from bqx.features import catalog, precompile

    families = precompile.compile_all(
        catalog.profile(asked.profile), asked.workers, generic=asked.target == "generic"
    )
    print(f"{families} families compiled")
    return 0


def _add_certify(commands: "Commands") -> None:
    parser = commands.add_parser(
        "certify",
        help="prove on bars that no feature reads ahead; status 1 when one does, 3 where there "
        "is no value to compare",
    )
    options.add_bars(parser)
    parser.add_argument(
        "--cuts", type=whole(100_000), default=200, metavar="N", help="default %(default)s"
    )
    which = parser.add_mutually_exclusive_group()
    _add_profile(which)
    which.add_argument(
        "--features", metavar="MODULE", help="module or .py file with a FAMILIES tuple, instead"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found")
    parser.set_defaults(command=_certify)


def _certify(asked: argparse.Namespace) -> int:
    from bqx.causality import certificate, user_features
    from bqx.features import catalog
    from bqx.files import write_json
    from bqx.market import bars, readers

    module = asked.features
    features = user_features.of_module(module) if module else catalog.profile(asked.profile)
    frames = readers.read_folder(asked.bars, **options.values(asked))
    proof = certificate.certify(bars.align(frames), features, asked.cuts)
    if asked.json:
        write_json(asked.json, proof.report())
    print(proof.verdict)
    if proof.loose:
        where = f"see {asked.json}" if asked.json else "--json FILE lists them"
        print(
            f"note: {len(proof.loose)} features did not feel the oldest or the newest of their "
            f"bars; {where}",
            file=sys.stderr,
        )
    return proof.status


def _add_build(commands: "Commands") -> None:
    parser = commands.add_parser("build", help="write the features of bars, a file a month")
    options.add_bars(parser)
    _add_profile(parser)
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder or s3://bucket/prefix of the store"
    )
    parser.add_argument("--pairs", metavar="a,b", help="default all that have bars")
    parser.add_argument("--from", metavar="T", dest="since", help="first UTC time that is written")
    parser.add_argument("--to", metavar="T", dest="until", help="UTC time before which it ends")
    _add_workers(parser)
    parser.add_argument(
        "--backend",
        choices=get_args(Backend),
        default="processes",
        help="default %(default)s; dask asks the scheduler at DASK_SCHEDULER_ADDRESS",
    )
    parser.set_defaults(command=_build)


def _build(asked: argparse.Namespace) -> int:
    since, until = _time("--from", asked.since), _time("--to", asked.until)
    pairs = asked.pairs.lower().split(",") if asked.pairs else ()
    from bqx.feature_store import build
    from bqx.features import catalog

    features = catalog.profile(asked.profile)
    written = build.build(
        asked.bars,
        asked.out,
        features,
        pairs,
        since,
        until,
        asked.workers,
        asked.backend,
        declared=options.values(asked),
    )
    print(f"{asked.out}: {written} files made" if written else f"{asked.out}: complete")
    return 0


def _add_verify(commands: "Commands") -> None:
    parser = commands.add_parser("verify", help="compare every file of a store with its hash")
    parser.add_argument("store", metavar="DIR", help="what `bqx build` wrote")
    parser.set_defaults(command=_verify)


def _verify(asked: argparse.Namespace) -> int:
    from bqx.feature_store.store import Store

    print(f"{asked.store}: {Store(asked.store).verify_all()} files as they were written")
    return 0


def _time(option: str, text: str | None) -> "pd.Timestamp | None":
    if text is None:
        return None
    import pandas as pd

    try:
        time = pd.Timestamp(text)
        if time is not pd.NaT:
            return time.tz_localize("UTC") if time.tz is None else time.tz_convert("UTC")
    except (ValueError, TypeError, LookupError, ArithmeticError, OSError):
        pass  # pandas and its readers of dates raise all of these
    raise ParameterError(
        f"{option}: no time, got {text[:60]!r}; expected one such as 2024-01-08 or "
        "2024-01-08T09:30."
    )


if __name__ == "__main__":
    sys.exit(main())
