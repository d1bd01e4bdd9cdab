"""Instructions that kernels are put together from: addresses, numbers, and squares of numbers."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

NUMBER, COUNT = ir.DoubleType(), ir.IntType(64)


def count_of(value: int) -> Any:
    """A whole number."""
    return ir.Constant(COUNT, value)


def ahead(b: Any, address: Any, rows: Any) -> Any:
    """The address so many rows on."""
    return b.add(address, b.shl(rows, count_of(3)))


def number(b: Any, address: Any, row: Any) -> Any:
    """The number of a row, given where that of row 0 lies."""
    return b.load(b.inttoptr(ahead(b, address, row), NUMBER.as_pointer()))


def counts(values: Sequence[int], bits: int = 64) -> Any:
    """Whole numbers, one in each place."""
    return ir.Constant(ir.VectorType(ir.IntType(bits), len(values)), list(values))


def in_all(b: Any, value: Any, places: int) -> Any:
    """A value in every place."""
    unknown = ir.Constant(ir.VectorType(value.type, places), ir.Undefined)
    one = b.insert_element(unknown, value, count_of(0))
    return b.shuffle_vector(one, one, counts([0] * places, 32))


def turned(b: Any, rows: Sequence[Any]) -> list[Any]:
    """A square of numbers whose quarters are transposed: of these, squares of 1, then 2 numbers
    change places. Quarters do as they are read and written.
    """
    rows, side, size = list(rows), 1, len(rows)
    while side < size // 2:
        near = [k + (size - side if k & side else 0) for k in range(size)]
        far = [k + side for k in near]
        for i in (i for i in range(size) if not i & side):
            one, other = rows[i], rows[i + side]
            rows[i] = b.shuffle_vector(one, other, counts(near, 32))
            rows[i + side] = b.shuffle_vector(one, other, counts(far, 32))
        side *= 2
    return rows
