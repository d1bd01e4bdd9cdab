"""``bqx paper``: a week of bars traded on paper, beside its backtest."""

import argparse
from typing import TYPE_CHECKING

from bqx.errors import ParameterError
from bqx.params import options, times

if TYPE_CHECKING:
    import pandas as pd

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Add ``paper`` to the commands of ``bqx``."""
    parser = commands.add_parser(
        "paper", help="replay bars minute by minute through the live path, and trade on paper"
    )
    parser.add_argument("bars", type=options.place, metavar="FOLDER", help="folder or file of bars")
    parser.add_argument(
        "--registry", type=options.place, required=True, metavar="DIR", help="as of `bqx serve`"
    )
    parser.add_argument(
        "--place",
        type=options.place,
        required=True,
        metavar="DIR",
        help="statements, fills and state",
    )
    parser.add_argument(
        "--from",
        dest="first",
        default="",
        metavar="TIME",
        help="first minute, UTC; default a week before the last",
    )
    parser.add_argument(
        "--to", dest="last", default="", metavar="TIME", help="last minute, UTC; default the newest"
    )
    parser.add_argument("--pair", default="", help="this pair alone")
    parser.add_argument("--unapproved", action="store_true", help="also what is not approved")
    parser.add_argument(
        "--latency",
        default="",
        metavar="MS,MS",
        help="median and 99th percentile of an order's delay",
    )
    parser.add_argument(
        "--speed", type=float, default=0.0, metavar="X", help="times the clock's; 0 for the fastest"
    )
    options.add(parser)
    parser.set_defaults(command=_paper)


def _paper(asked: argparse.Namespace) -> int:
    from bqx.market import readers
    from bqx.paper import backtest, statement
    from bqx.paper.latency import Latency
    from bqx.paper.replay import Replay
    from bqx.serving.models import Models

    if not 0.0 <= asked.speed < 1e9:
        raise ParameterError(f"--speed: no speed, got {asked.speed}; expected 0 or more.")
    delay = Latency.of(asked.latency)
    models = Models(asked.registry, asked.pair, unapproved=asked.unapproved)
    bundles = {pair: of.bundle for pair, of in models.current().items()}
    frames = readers.read_folder(asked.bars, **options.values(asked))
    end = max(frame.index[-1] for frame in frames.values())
    last = min(times.moment("--to", asked.last), end) if asked.last else end
    first = times.moment("--from", asked.first) if asked.first else last - _week()
    backtest.check(frames, bundles.values(), last)
    replay = Replay(bundles, frames, first=first, last=last, place=asked.place, delay=delay)
    replay.run(asked.speed)
    tested = {
        (pair, horizon): account
        for pair, bundle in bundles.items()
        for horizon, account in backtest.run(frames, bundle, first, last).items()
    }
    table = statement.beside(replay.days(), tested)
    print(table.round(3).to_string(index=False))
    print(f"{asked.place}: {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, money in bp")
    return 0


def _week() -> "pd.Timedelta":
    import pandas as pd

    return pd.Timedelta(days=7)
