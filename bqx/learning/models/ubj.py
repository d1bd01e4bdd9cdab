"""Reader of Universal Binary JSON, as boosters write it: big-endian, arrays of numbers typed.

Typed arrays become NumPy's, so that 32-bit floats keep their bits and no number is parsed as text.
"""

import struct
from typing import Any

import numpy as np

from bqx.errors import ArtefactError

_NUMBERS = dict(zip("iUIlLdD", (">i1", ">u1", ">i2", ">i4", ">i8", ">f4", ">f8"), strict=True))
_SINGLE = {kind: struct.Struct(f">{code}") for kind, code in zip("iUIlLdD", "bBhiqfd", strict=True)}
"""A number alone: NumPy takes ten times as long for one."""
_WORDS = {"Z": None, "T": True, "F": False}

_UNREADABLE = (IndexError, ValueError, KeyError, TypeError, RecursionError, struct.error)


def loads(content: bytes) -> Any:
    """The value that the bytes hold.

    Raises
    ------
    ArtefactError : they are no Universal Binary JSON, or more than one value.
    """
    try:
        value, end = _value(content, 1, chr(content[0]))
    except _UNREADABLE as error:
        raise ArtefactError(
            f"booster: no Universal Binary JSON, got {type(error).__name__} {error}; expected what "
            "XGBoost writes. Fit the model again."
        ) from error
    if end != len(content):
        raise ArtefactError(
            f"booster: no Universal Binary JSON, got {len(content) - end} bytes after it; expected "
            "one value. Fit the model again."
        )
    return value


def _value(content: bytes, at: int, kind: str) -> tuple[Any, int]:
    """The value of a kind that starts at a byte, and the byte after it."""
    if kind in _SINGLE:
        single = _SINGLE[kind]
        return single.unpack_from(content, at)[0], at + single.size
    if kind in _WORDS:
        return _WORDS[kind], at
    if kind == "S":
        length, at = _count(content, at)
        if at + length > len(content):
            raise ValueError("a text beyond the end")
        return content[at : at + length].decode(), at + length
    return _object(content, at) if kind == "{" else _array(content, at, kind)


def _count(content: bytes, at: int) -> tuple[int, int]:
    """A length, which may neither point back nor beyond the end."""
    kind = chr(content[at])
    if kind not in "iUIlL":
        raise ValueError(f"a length of kind {kind!r}")
    single = _SINGLE[kind]
    count: int = single.unpack_from(content, at + 1)[0]
    if not 0 <= count <= len(content):
        raise ValueError(f"a length of {count!r}")
    return count, at + 1 + single.size


def _array(content: bytes, at: int, kind: str) -> tuple[Any, int]:
    if kind != "[":
        raise ValueError(f"marker {kind!r}")
    if content[at : at + 1] == b"$":
        member = chr(content[at + 1])
        length, at = _count(content, at + 3)
        numbers = np.frombuffer(content, _NUMBERS[member], length, at)
        return numbers.astype(numbers.dtype.newbyteorder("=")), at + numbers.nbytes
    count: int | None = None
    if content[at : at + 1] == b"#":
        count, at = _count(content, at + 1)
    out: list[Any] = []
    while len(out) != count if count is not None else content[at : at + 1] != b"]":
        if at >= len(content):
            # A member without bytes, such as a null, would be read for ever.
            raise ValueError("an array beyond the end")
        member, at = _value(content, at + 1, chr(content[at]))
        out.append(member)
    return out, at if count is not None else at + 1


def _object(content: bytes, at: int) -> tuple[dict[str, Any], int]:
    out: dict[str, Any] = {}
    while content[at : at + 1] != b"}":
        name, at = _value(content, at, "S")
        out[name], at = _value(content, at + 1, chr(content[at]))
    return out, at + 1
