"""The bar files of a folder: which they are, how those of a pair join, what all of them show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from bqx.errors import BarError
from bqx.market import neighbours
from bqx.market.declared import Declared, option
from bqx.market.pairs import check
from bqx.market.readers import files, one_file, spreads, survey
from bqx.market.readers.columns import ask_alone
from bqx.market.readers.names import pair_of, pairs_in
from bqx.market.readers.one_file import FileBars

_SUFFIXES = (".csv", ".txt", ".tsv", ".parquet", ".pq", ".zip", ".gz", "")
"""Endings of bar files; a text is one where it has lines of bars."""


_ABREAST = 3


@dataclass(frozen=True)
class Reading:
    """Bars of a folder and what was found of them.

    ``frames`` : pair to validated bar frame.
    ``files`` : of each pair.
    ``notes`` : what the user has to know, a line each.
    """

    frames: dict[str, pd.DataFrame]
    files: dict[str, list[FileBars]] = field(repr=False)
    notes: list[str]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per pair, see `bqx.market.readers.survey.row`."""
        rows = [survey.row(pair, frame, self.files[pair]) for pair, frame in self.frames.items()]
        return pd.DataFrame(rows)

    @property
    def shown(self) -> str:
        """The table as text, a column for each pair, a few beside each other."""
        table = self.table.set_index("pair").T
        blocks = [table.iloc[:, at : at + _ABREAST] for at in range(0, table.shape[1], _ABREAST)]
        return "\n\n".join(block.to_string(justify="left") for block in blocks)


def bar_files(path: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Bar files by pair, and what else is in the folder, with why it is left alone.

    Raises
    ------
    BarError : nothing there, a name of several pairs, or nothing that is of bars.
    """
    path = Path(path)
    if path.is_file():
        return {pair_of(path): [path]}, []
    if not path.is_dir():
        _refuse_address(path)
        raise BarError(
            f"{path}: no bar files, got {'no file' if path.exists() else 'no such path'}; expected "
            "a folder of bar files, or one such file."
        )
    by_pair: dict[str, list[Path]] = {}
    alone: list[str] = []
    for file in sorted(f for f in path.iterdir() if not f.name.startswith(".")):
        why = _other(file)
        if why:
            alone.append(f"{file.name}: {why}, left alone")
        else:
            by_pair.setdefault(pair_of(file), []).append(file)
    if not by_pair:
        raise BarError(
            f"{path}: no bar files, got {'; '.join(alone[:5]) or 'an empty folder'}; expected a "
            "folder of bar files, or one such file."
        )
    return by_pair, alone


def _refuse_address(path: Path) -> None:
    """Raise BarError where an address stands for a folder."""
    # A path has lost one of the two slashes. A password in it is not said again.
    match = re.fullmatch(r"([a-z][a-z0-9+]+):/+(?:.*@)?(.*)", str(path))
    if match:
        raise BarError(
            f"{match[1]}://{match[2]}: no folder, got an address; expected a folder of bar files "
            "on this machine, or one such file. Fetch them, or let a run read them: `bqx run` "
            "alone takes an address, as --set bars=ADDRESS."
        )


def _other(file: Path) -> str:
    """Why a file of a folder is no bar file, "" where it is one."""
    if not file.is_file():
        return "a folder" if file.is_dir() else "no file"
    if file.suffix.lower() in (".xlsx", ".xls") or files.is_workbook(file):
        return "a spreadsheet, to be saved as CSV"
    if file.suffix.lower() not in _SUFFIXES:
        # Of a file that would be bars but for its ending, it is said which endings are read.
        endings = ", ".join(filter(None, _SUFFIXES))
        return "no bar file" + f" by its ending, read are {endings}" * bool(pairs_in(file))
    kind = files.kind_of(file)
    if kind == "ticks":
        return "ticks, not one-minute bars"
    if kind != "bars" and file.suffix.lower() == ".txt":
        return "no bars in it"
    return "" if pairs_in(file) else "none of the 28 pairs in its name"


def examine(path: Path, pairs: Sequence[str], declared: Declared) -> Reading:
    """Read and examine the bars of every pair in a folder; see `bqx.market.readers.read_folder`."""
    by_pair, alone = bar_files(path)
    for pair in pairs:
        if check(pair) not in by_pair:
            raise BarError(
                f"{path}: no file of {pair}, got {', '.join(sorted(by_pair))}; expected one for "
                "every pair asked for. Add the file, or ask for the pairs that are there."
            )
    read: dict[str, list[FileBars]] = {pair: [] for pair in pairs or sorted(by_pair)}
    tasks = [(pair, file) for pair in read for file in by_pair[pair]]
    for pair, file in tqdm(tasks, desc="reading bars", unit="file", leave=False, disable=None):
        read[pair].append(one_file.read(file, pair, declared))
    notes = list(alone)
    frames = {pair: _pair(of_pair, declared) for pair, of_pair in read.items()}
    for of_pair in read.values():
        notes += [note for file in of_pair for note in file.notes]
    notes += _among(frames, declared)
    return Reading(frames, read, notes)


def _pair(of_pair: list[FileBars], declared: Declared) -> pd.DataFrame:
    """Bid bars of a pair of all its files."""
    asks = [file for file in of_pair if file.side == "ask"]
    mids = [file for file in of_pair if file.side == "mid"]
    bids = [file for file in of_pair if file.side in ("", "bid")]
    first = of_pair[0]
    if bids:
        frame = _join(bids)
        if asks:
            frame = _with_ask(frame, _join(asks), first)
            for file in of_pair:
                file.spread = "" if file.spread == "none" else file.spread
        if mids:
            names = ", ".join(file.where for file in mids)
            first.notes.append(f"{names}: mid rates beside bid ones are left alone")
    else:
        side = "ask" if asks else "mid"
        if declared.side != side:
            raise ask_alone(" and ".join(file.where for file in asks or mids), side)
        frame, note = spreads.to_bid(_join(asks or mids), side, first.where)
        first.notes.append(note)
    hole = neighbours.hole(frame)
    if hole:
        names = " and ".join(dict.fromkeys((first.where, of_pair[-1].where)))
        _gap(f"{names}: {hole}", declared, first.notes)
    return frame


def _gap(what: str, declared: Declared, notes: list[str]) -> None:
    if not declared.gap:
        raise BarError(
            f"{what}; expected bars that belong together. Remove one side, or pass "
            f"{option('gap')} to keep the hole."
        )
    notes.append(what)


def _with_ask(bid: pd.DataFrame, ask: pd.DataFrame, file: FileBars) -> pd.DataFrame:
    """Bid bars with the ask's close less their own for a spread, where both have a bar."""
    spread = ask["close"].reindex(bid.index) - bid["close"]
    if not spread.notna().any() or spread.median() < 0:
        got = (
            f"a median spread of {spread.median():.6g}" if spread.notna().any() else "no common bar"
        )
        raise BarError(
            f"{file.where}: the ask file does not belong to the bid file, got {got}; expected ask "
            "rates above the bid's in the same minutes. Fetch both again."
        )
    missing = int(spread.isna().sum()) + len(ask.index.difference(bid.index))
    if missing:
        file.notes.append(f"{file.where}: {missing:,} minutes have a bid or an ask alone")
    if bid["spread"].notna().any():
        return bid
    file.spread = "ask less bid"
    return bid.assign(spread=spread.clip(lower=0))


def _join(of_pair: list[FileBars]) -> pd.DataFrame:
    """Bars of several files of a pair in the order of time, each once."""
    joined = pd.concat([file.frame for file in of_pair]).sort_index()
    if joined.index.has_duplicates:
        distinct = joined.reset_index().drop_duplicates()
        twice = distinct["ts_utc"].duplicated(keep=False)
        if twice.any():
            first = distinct.loc[twice, "ts_utc"].iloc[0]
            names = [file.where for file in of_pair if first in file.frame.index]
            raise BarError(
                f"{' and '.join(names)}: different bars of one minute, got both at {first}; "
                "expected files of a pair to agree where they overlap. Remove one of them."
            )
        again = joined.index[joined.index.duplicated()]
        names = [file.where for file in of_pair if file.frame.index.isin(again).any()]
        of_pair[0].set_aside("rows that stand in several files", len(again))
        of_pair[0].notes.append(
            f"{' and '.join(names)}: {len(again):,} rows stand in several files, the first at "
            f"{again[0]}"
        )
        return distinct.set_index("ts_utc")
    return joined


def _among(frames: dict[str, pd.DataFrame], declared: Declared) -> list[str]:
    """What is to be told of the pairs among each other; BarError for what cannot be."""
    notes: list[str] = []
    if len(frames) < 2:
        return notes
    gap = neighbours.gap(frames)
    if gap:
        _gap(f"pairs: {gap}", declared, notes)
    wrong = neighbours.triangles(frames)
    if wrong:
        raise BarError(
            f"pairs: rates that do not fit, got {wrong}; expected a triangle of rates to close. "
            "Fetch the pair that is wrong again, or leave it out."
        )
    leads = neighbours.leads(frames)
    if leads:
        pair, sister, lag = leads[0]
        key, what = ("stamped", "ends of the minute") if lag == 1 else ("clock", "clocks")
        raise BarError(
            f"{pair}: its rates follow those of {sister} by {lag} minutes, so their times mean "
            f"different {what}; expected pairs in step. Keep the two in folders of their own, and "
            f"read each with its own {option(key)}."
        )
    copies = [f"{a} and {b} have the same closes" for a, b in neighbours.copies(frames)]
    return notes + copies
