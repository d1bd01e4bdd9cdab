"""``bqx online``: learn from a frame of forecasts, minute by minute, and say what came of it."""

import argparse
from typing import TYPE_CHECKING

from bqx.params import options

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Register ``online``."""
    parser = commands.add_parser(
        "online", help="learn from stored forecasts once their labels are known, in shadow"
    )
    parser.add_argument(
        "frame",
        type=options.place,
        metavar="FRAME",
        help="Parquet: pair, horizon, minute, forecast, label (sigma) and the features",
    )
    parser.add_argument(
        "--out",
        type=options.place,
        required=True,
        metavar="DIR",
        help="folder of what is learnt; goes on where it stopped",
    )
    parser.set_defaults(command=_online)


def _online(asked: argparse.Namespace) -> int:
    import numpy as np
    from tqdm import tqdm

    from bqx.files import read_parquet
    from bqx.online import measured, promotion
    from bqx.online.frames import checked
    from bqx.online.loop import OnlineLoop
    from bqx.online.replay import columns_of
    from bqx.online.store import OnlineStore

    frame = checked(read_parquet(asked.frame))
    columns = columns_of(frame)
    with OnlineStore(asked.out).locked():
        loop = OnlineLoop(asked.out)
        due = frame["minute"] + frame["horizon"]
        # What was gone through before gives what it gave then.
        minutes = sorted(minute for minute in {*frame["minute"], *due} if minute >= loop.minute)
        for minute in tqdm(minutes, desc="learning", unit="minute", disable=None):
            rows = frame[frame["minute"] == minute].drop(columns="label", errors="ignore")
            loop.step(int(minute), rows, frame[due == minute])
        loop.close()
        measured.write(loop.store)
        scored = loop.store.scored()
    if scored.empty:
        print("no label is known yet")
    for pair, pair_rows in scored.groupby("pair"):
        skill, gain = (promotion.gain(pair_rows, over) for over in ("martingale", "static"))
        print(
            f"{pair}: skill {skill:.2%}, gain over the champion {gain:.2%}, "
            f"{len(pair_rows):,} labels"
        )
        present = [name for name in columns if np.isfinite(frame[name].astype(float)).any()]
        for reason in promotion.against(pair_rows, columns, present, latency_ms=0.0):
            print(f"  not served: {reason}")
    return 0
