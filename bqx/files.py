"""Files: content hashes, atomic writes, JSON and Parquet."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import resource
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bqx.errors import ArtefactError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def open_regular(path: Path) -> BufferedReader:
    """A file to read; OSError for what is none, such as a folder, a pipe or a device."""
    # Without blocking: whoever opens a pipe waits for its writer.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return file


MOST_BYTES = 1 << 29
"""Of a file that is read at once."""


def read_regular(path: Path) -> bytes:
    """Content of a file; OSError for what is none, or is larger than any that bqx writes."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"more than {MOST_BYTES:,} bytes", str(path))
        return file.read()


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; OSError when it cannot be read."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON.

    >>> digest({"b": 1, "a": 2.0}) == digest({"a": 2.0, "b": 1})
    True
    """
    return hashlib.sha256(to_json(value).encode()).hexdigest()


def peak_mb() -> float:
    """Most memory that this process or one of its children has held, MB."""
    kilobytes = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return round(kilobytes / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def check_writable(folder: Path) -> None:
    """Make a folder where there is none; OSError unless files can be made in it."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that becomes ``path`` when the block succeeds.

    A link stays one: what it names is replaced. OSError for a device or a pipe, which would be
    replaced by a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise OSError(errno.EINVAL, "a device or a pipe, and no regular file", str(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        # A full disk does not say of which file.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def copy_folder(source: Path, target: Path) -> None:
    """Copy the files of a folder, but not their modes: a copy of what may only be read is written
    to, replaced and removed.

    OSError where something cannot be read or written.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_dir():
            copy_folder(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


def remove_leftovers(folder: Path, pattern: str = "**/.*.tmp") -> None:
    """Remove files and folders that killed writers had not yet put in their place.

    Whoever calls it has made sure that nobody writes there.
    """
    for path in list(folder.glob(pattern)):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and np.isnan(value):
        return None
    return value


def to_json(value: Any) -> str:
    """Canonical JSON: keys sorted, NaN as null.

    Raises ValueError for an infinite number, TypeError for what JSON does not know.
    """
    return json.dumps(_plain(value), sort_keys=True, indent=1, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: keys sorted, NaN as null.

    Raises ValueError for an infinite number, TypeError for what JSON does not know.
    """
    text = to_json(value)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def from_json(content: bytes) -> Any:
    """The value of `to_json`'s text; ValueError for what it cannot have written."""
    try:
        return json.loads(content.decode(), parse_constant=_refuse, object_pairs_hook=_mapping)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"the constant {constant}")


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a key that stands twice")
    return mapping


SEAL = "sha256"
"""Key under which a mapping holds its own hash."""


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with its own hash, so that whoever reads it sees whether it was altered."""
    unsealed = {key: value for key, value in content.items() if key != SEAL}
    return {**unsealed, SEAL: digest(unsealed)}


def check_seal(content: Any) -> None:
    """Raise ValueError unless a mapping read from JSON is one that `sealed` gave."""
    if not isinstance(content, dict):
        raise ValueError(f"{type(content).__name__}, no mapping")
    if sealed(content)[SEAL] != content.get(SEAL):
        raise ValueError("a content that was altered")


def read_json(path: Path) -> Any:
    """Read JSON; ArtefactError when the file is absent or no JSON."""
    try:
        return from_json(read_regular(path))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, "JSON") from None


def write_parquet(path: Path, frame: pd.DataFrame | pa.Table) -> None:
    """Write Parquet atomically, the same bytes for the same values.

    32-bit floats (features) are byte-stream-split, which makes them half as large as a dictionary
    does; rates repeat, so the others have a dictionary.
    """
    # A server reads no Parquet, and starts without what that takes.
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame)
    split = [field.name for field in table.schema if pa.types.is_float32(field.type)]
    rest = [name for name in table.schema.names if name not in split]
    with atomic(path) as temporary:
        pq.write_table(
            table, temporary, compression="zstd", use_dictionary=rest, use_byte_stream_split=split
        )


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read Parquet with its index; ArtefactError when absent, damaged, or a column is missing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        open_regular(path).close()
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error, "Parquet") from None
    with file:
        names = file.schema_arrow.names
        missing = [name for name in columns or () if name not in names]
        if missing:
            raise ArtefactError(
                f"{path}: column {missing[0]!r} is missing, got {len(names)} others; expected "
                f"{len(missing)} such columns. {_MEND}"
            )
        wanted = None if columns is None else list(columns)
        try:
            return file.read(columns=wanted, use_pandas_metadata=True).to_pandas()
        except (OSError, pa.ArrowException, ValueError, LookupError, TypeError) as error:
            raise _unreadable(path, error, "Parquet") from None


_MEND = "Run the notebook or command that writes it again."


def _unreadable(path: Path, error: Exception, kind: str) -> ArtefactError:
    what = "is absent" if isinstance(error, FileNotFoundError) else "cannot be read"
    return ArtefactError(f"{path}: {what}, got {type(error).__name__}; expected {kind}. {_MEND}")


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Keep other processes out until the block ends; a killed holder lets go.

    The folder of ``lock`` is made where it is absent.

    Raises ArtefactError with the message ``busy`` where another one is in.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArtefactError(busy) from None
        yield
