"""The bars of a live panel on disk: arrays and their hash, in which nothing can be run."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.files import atomic, read_regular
from bqx.market.bar_arrays import COLUMNS
from bqx.serving.live_panel import LivePanel

MEND = "Leave it out, and start from a history (--history)."


def save(panel: LivePanel, path: Path) -> None:
    """Write what the panel's pairs have sent of the minutes that it keeps, atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content_of(panel))


def content_of(panel: LivePanel) -> bytes:
    """What `save` writes."""
    pairs, minutes, sent = panel.sent()
    arrays: dict[str, Any] = {
        "pairs": np.array(pairs),
        "minutes": minutes,
        "sent": sent,
        "hash": np.array(_hash(pairs, minutes, sent)),
    }
    out = BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def restore(panel: LivePanel, path: Path) -> None:
    """Begin with what was saved; of pairs that are no longer read it is left out.

    Raises ArtefactError when the file is not what was written.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise _broken(path, f"{type(error).__name__} {error}"[:120]) from None
    take(panel, content, path)


def take(panel: LivePanel, content: bytes, path: Path | str) -> None:
    """Begin with the content of a saved file, see `restore`; ``path`` is told of a damaged one."""
    try:
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            pairs, minutes, sent = stored["pairs"], stored["minutes"], stored["sent"]
            names = tuple(map(str, pairs.tolist()))
            good = stored["hash"].tolist() == _hash(names, minutes, sent)
    except Exception as error:  # what a parser of damaged bytes raises is anything
        raise _broken(path, f"{type(error).__name__} {error}"[:120]) from None
    if not good or sent.shape != (len(names), len(COLUMNS), len(minutes)):
        raise _broken(path, "another content")
    panel.restart(names, minutes, sent)


def _hash(pairs: tuple[str, ...], minutes: NDArray[np.int64], sent: NDArray[np.float64]) -> str:
    hashed = hashlib.sha256(repr((pairs, minutes.dtype.str, sent.dtype.str, sent.shape)).encode())
    for array in (minutes, sent):
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def _broken(path: Path | str, got: str) -> ArtefactError:
    return ArtefactError(
        f"{path}: no state of a live server, got {got}; expected what it has written. {MEND}"
    )
