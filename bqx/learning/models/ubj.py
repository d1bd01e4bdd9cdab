"""Reader of Universal Binary JSON, as boosters write it: big-endian, arrays of numbers typed.

Typed arrays become NumPy's, so that 32-bit floats keep their bits and no number is parsed as text.
"""

from typing import Any

import numpy as np

from bqx.errors import ArtefactError

_NUMBERS = dict(zip("iUIlLdD", (">i1", ">u1", ">i2", ">i4", ">i8", ">f4", ">f8"), strict=True))
_WORDS = {"Z": None, "T": True, "F": False}


def loads(content: bytes) -> Any:
    """The value that the bytes hold.

    Raises
    ------
    ArtefactError : they are no Universal Binary JSON, or more than one value.
    """
    try:
        value, end = _value(content, 1, chr(content[0]))
    except (IndexError, ValueError, KeyError, TypeError, RecursionError) as error:
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
    if kind in _NUMBERS:
        return _numbers(content, at, kind, 1)[0].item(), at + np.dtype(_NUMBERS[kind]).itemsize
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
    count, at = _value(content, at + 1, kind)
    if not 0 <= count <= len(content):
        raise ValueError(f"a length of {count!r}")
    return count, at


def _numbers(content: bytes, at: int, kind: str, count: int) -> Any:
    return np.frombuffer(content, _NUMBERS[kind], count, at)


def _array(content: bytes, at: int, kind: str) -> tuple[Any, int]:
    if kind != "[":
        raise ValueError(f"marker {kind!r}")
    if content[at : at + 1] == b"$":
        member = chr(content[at + 1])
        length, at = _count(content, at + 3)
        numbers = _numbers(content, at, member, length)
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
