"""Bars of a bucket or a database as files of the run folder, which a run then reads as any other.

An ``s3://`` address is a folder of bar files in any format. A ``postgresql://`` one is a database
that `bqx db bars` has filled, without a password, since a run folder keeps its parameters: libpq
takes that from PGPASSWORD or its password file. ``postgresql://`` alone is the server that the
environment names, see `bqx.database.connect.named`.
"""

import io
from pathlib import Path

from sqlalchemy import text

from bqx.database import reads
from bqx.database.connect import connect, named
from bqx.database.failures import explained
from bqx.errors import BarError
from bqx.feature_store.object_store import Folder
from bqx.files import atomic
from bqx.market.pairs import LIQUIDITY
from bqx.params import Params


def fetch(params: Params) -> Path | None:
    """Where a run's bars lie on this machine, fetched first where they lie elsewhere.

    None for a synthetic market. What is no more there is removed here.

    Raises
    ------
    BarError : no bars at the address. ArtefactError, DatabaseError : it cannot be read.
    ParameterError : an address of another kind, or one that shows a password.
    """
    if not params.bars_address:
        return params.bars_path
    folder = params.bars_path
    assert folder is not None
    if params.bars_address.startswith("s3://"):
        contents = _of_bucket(params.bars_address)
    else:
        contents = _of_database(params.bars_address, params.pairs or LIQUIDITY)
    if not contents:
        raise BarError(
            f"bars: none, got nothing in {params.bars_address}; expected bars of a pair. Correct "
            "--set bars=ADDRESS."
        )
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and path.relative_to(folder).as_posix() not in contents:
            path.unlink()
    for name, content in contents.items():
        target = folder / name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise BarError(f"bars: a file outside, got {name[:60]!r}; expected bar files alone.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic(target) as temporary:
            temporary.write_bytes(content)
    return folder


def _of_bucket(address: str) -> dict[str, bytes]:
    source = Folder(address)
    return {path: source.read(path) for path in source.listed(deep=True)}


def _of_database(address: str, pairs: tuple[str, ...]) -> dict[str, bytes]:
    """A Parquet file of the newest version of each pair's bars, by its name."""
    engine = connect(named(address, "bars"))
    contents = {}
    try:
        with explained(engine, "baselines"), engine.connect() as connection:
            rows = connection.execute(text("SELECT pair FROM bqx.baselines"))
            stored = {row.pair for row in rows}
        for pair in (pair for pair in pairs if pair in stored):
            frame = reads.read_bars(engine, pair)
            if len(frame):
                content = io.BytesIO()
                frame.reset_index().to_parquet(content)
                contents[f"{pair}.parquet"] = content.getvalue()
    finally:
        engine.dispose()
    return contents
