"""A trading day's statement, and paper trading beside the backtest of the same minutes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bqx.errors import ArtefactError
from bqx.files import check_seal, from_json, read_regular
from bqx.paper.account import SUMMED
from bqx.trading.backtest import Backtest

BP = 1e4
SHOWN = ("trades", "turnover", "gross", "spread", "slippage", "commission", "latency", "net")
MONEY = ("gross", "spread", "slippage", "commission", "latency", "carry", "markup", "net")


def text(day: str, accounts: Sequence[Mapping[str, Any]], fills: Sequence[Any]) -> str:
    """The statement of a day: an account a line, money in bp of the notional of a signal of 1."""
    frame = pd.DataFrame(accounts).set_index(["pair", "horizon"])
    total = frame[list(SUMMED)].sum()
    lines = [
        f"Statement of {day}",
        f"net {total['net'] * BP:.3f} bp = gross {total['gross'] * BP:.3f} - spread "
        f"{total['spread'] * BP:.3f} - slippage {total['slippage'] * BP:.3f} - commission "
        f"{total['commission'] * BP:.3f} - latency {total['latency'] * BP:.3f} + carry "
        f"{total['carry'] * BP:.3f} - markup {total['markup'] * BP:.3f}",
        f"{len(fills)} fills, {total['trades']:.0f} signals entered, turnover "
        f"{total['turnover']:.3f} notionals",
        "",
    ]
    shown = frame.assign(**{name: frame[name] * BP for name in MONEY})
    table = shown[["position", *SHOWN]].round(3).reset_index()
    return "\n".join([*lines, table.to_string(index=False), ""])


def unsealed(path: Path) -> Any:
    """Content of a file that a replay has written; ArtefactError for a damaged one."""
    try:
        content = from_json(read_regular(path))
        check_seal(content)
    except ValueError as error:
        raise ArtefactError(
            f"{path}: damaged, got {error!s:.60}; expected what `bqx paper` wrote. Remove the "
            "folder to begin anew."
        ) from None
    return content


def days(place: Path) -> pd.DataFrame:
    """Sums of all days that replays have written: one row per day, pair and horizon.

    Raises ArtefactError for a day that is damaged.
    """
    rows = [
        {"day": content["day"], **row}
        for path in sorted((place / "days").glob("*.json"))
        for content in [unsealed(path)]
        for row in content["accounts"]
    ]
    return pd.DataFrame(rows, columns=["day", "pair", "horizon", "position", *SUMMED])


def beside(paper: pd.DataFrame, tested: Mapping[tuple[str, int], Backtest]) -> pd.DataFrame:
    """Paper trading beside the backtest: one row per pair and horizon, and all of them.

    Money in bp; ``difference`` is that of the net profits, percent of the backtest's.
    """
    rows = []
    for (pair, horizon), account in tested.items():
        paper_rows = paper[(paper["pair"] == pair) & (paper["horizon"] == horizon)]
        daily = account.daily()
        rows.append(
            {
                "pair": pair,
                "horizon": str(horizon),
                "trades": int(paper_rows["trades"].sum()),
                "backtest trades": int(daily["trades"].sum()),
                **{
                    f"{prefix}{name}": BP * float(frame[name].sum())
                    for name in ("gross", "net")
                    for prefix, frame in (("", paper_rows), ("backtest ", daily))
                },
            }
        )
    frame = pd.DataFrame(rows)
    total = frame.drop(columns=["pair", "horizon"]).sum()
    frame = pd.concat([frame, pd.DataFrame([{"pair": "all", "horizon": "all", **total}])])
    base = frame["backtest net"].abs()
    change = (frame["net"] - frame["backtest net"]) / base.where(base > 0)
    return frame.assign(difference=100.0 * change).reset_index(drop=True)
