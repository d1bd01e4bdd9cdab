"""Running sums within four or eight blocks at once, one in each lane of a processor's registers.

A sum waits for the one before it, and blocks do not depend on each other. A square of as many rows
as lanes is read, turned so that a register holds one row of every block, summed, turned back and
written: every value has the bits that one block after the other gives it, on every processor.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bqx.compiled import numbers_in_register

LANES = 8
"""Blocks side by side at most; as many rows may be read around the blocks."""

NUMBER = ir.DoubleType()
_COUNT = ir.IntType(64)
_SERIES = (types.float64, 1)

Lanes = Iterator[Any]
"""A register for every lane, some rows of its block, or several of them."""

Step = Callable[[Any, Any, Any, Any, list[Any]], list[Any]]
"""From the builder, a row's values, their distances and weight and the sums so far to the sums
with it."""

Ending = Callable[["Blocks", Any, Any, Lanes], Lanes]
"""From the first of some rows, counted from a block's start and among the weights, and the sums in
these rows to what is written, a lane after the other: few registers are in use at once."""


def count_of(value: int) -> Any:
    """A whole number."""
    return ir.Constant(_COUNT, value)


def ahead(b: Any, address: Any, rows: Any) -> Any:
    """The address so many rows on."""
    return b.add(address, b.shl(rows, count_of(3)))


def number(b: Any, address: Any, row: Any) -> Any:
    """The number of a row, given where that of row 0 lies."""
    return b.load(b.inttoptr(ahead(b, address, row), NUMBER.as_pointer()))


def _counts(values: Sequence[int], bits: int = 64) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(bits), len(values)), list(values))


def _turned(b: Any, rows: list[Any]) -> list[Any]:
    """A square of numbers transposed: squares of 1, then 2, then 4 of them change places."""
    rows, side, size = list(rows), 1, len(rows)
    while side < size:
        near = [k + (size - side if k & side else 0) for k in range(size)]
        far = [k + side for k in near]
        for i in (i for i in range(size) if not i & side):
            one, other = rows[i], rows[i + side]
            rows[i] = b.shuffle_vector(one, other, _counts(near, 32))
            rows[i + side] = b.shuffle_vector(one, other, _counts(far, 32))
        side *= 2
    return rows


@dataclass
class Blocks:
    """Instructions that sum whole blocks of a series, which follow each other in memory.

    Lanes beyond the last block do what that one does. ``x``, ``outs`` and ``older`` are where
    the first block's first row lies, ``weights`` where the weight of the first row summed does.
    """

    b: Any
    lanes: int
    x: Any
    weights: list[Any]
    older: list[Any]
    outs: list[Any]
    size: Any
    blocks: Any
    sums: int
    step: Step
    ending: Ending | None

    def write(self) -> None:
        """As many blocks at a time as there are lanes."""
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        b.branch(loop)
        b.position_at_end(loop)
        block = b.phi(_COUNT)
        self._abreast(block)
        following = b.add(block, count_of(self.lanes))
        block.add_incoming(count_of(0), before)
        block.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, self.blocks), loop, done)
        b.position_at_end(done)

    def _abreast(self, first: Any) -> None:
        """As many rows at a time, then those that are left."""
        b, last = self.b, self.b.sub(self.blocks, count_of(1))
        self.firsts, self.origin = [], ir.Constant(self.wide, ir.Undefined)
        for k in range(self.lanes):
            block = b.add(first, count_of(k))
            block = b.select(b.icmp_signed("<", block, last), block, last)
            start = b.mul(block, self.size)
            self.firsts.append(b.shl(start, count_of(3)))
            origin = b.add(start, self.size) if self.ending is None else start
            value = number(b, self.x, origin)
            self.origin = b.insert_element(self.origin, value, count_of(k))
        rest = b.and_(self.size, count_of(self.lanes - 1))
        whole = b.sub(self.size, rest)
        sums = self._whole_squares(whole)
        with b.if_then(b.icmp_signed("!=", rest, count_of(0))):
            start = b.sub(rest, count_of(self.lanes)) if self.ending is None else whole
            edge = b.sub(count_of(self.lanes), rest) if self.ending is None else rest
            order = ">=" if self.ending is None else "<"
            new = b.icmp_signed(order, _counts(range(self.lanes)), self.in_all(edge))
            self._square(start, whole, sums, new)
        if self.ending is None:  # a window that ends where a block does holds nothing older
            for place in (b.add(out, first) for out in self.outs for first in self.firsts):
                b.store(ir.Constant(NUMBER, 0.0), b.inttoptr(place, NUMBER.as_pointer()))

    def _whole_squares(self, whole: Any) -> list[Any]:
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        some = b.icmp_signed("<", count_of(0), whole)
        b.cbranch(some, loop, done)
        b.position_at_end(loop)
        i, sums = b.phi(_COUNT), [b.phi(self.wide) for _ in range(self.sums)]
        row = b.sub(b.sub(self.size, count_of(self.lanes)), i) if self.ending is None else i
        added = self._square(row, i, sums)
        following = b.add(i, count_of(self.lanes))
        b.cbranch(b.icmp_signed("<", following, whole), loop, done)
        b.position_at_end(done)
        last, nothing = [b.phi(self.wide) for _ in sums], self.constant(0.0)
        for value, later in ((i, following), *zip(sums, added, strict=True)):
            value.add_incoming(count_of(0) if value is i else nothing, before)
            value.add_incoming(later, loop)
        for value, later in zip(last, added, strict=True):
            value.add_incoming(nothing, before)
            value.add_incoming(later, loop)
        return last

    def _square(self, row: Any, i: Any, sums: list[Any], new: Any = None) -> list[Any]:
        """Sums after some rows of every block; of what is written only ``new`` rows change."""
        b = self.b
        columns = _turned(b, list(self.of_blocks(self.x, row)))
        made: list[list[Any]] = [[None] * self.lanes for _ in sums]
        for k in range(self.lanes):
            at = self.lanes - 1 - k if self.ending is None else k
            weight = self.in_all(number(b, self.weights[0], b.add(i, count_of(k))))
            sums = self.step(b, columns[at], b.fsub(columns[at], self.origin), weight, sums)
            for of_rows, value in zip(made, sums, strict=True):
                of_rows[at] = value
        written: Lanes = zip(*(_turned(b, of_rows) for of_rows in made), strict=True)
        if self.ending is not None:
            written = self.ending(self, row, i, written)
        outs = [ahead(b, out, row) for out in self.outs]
        for first, values in zip(self.firsts, written, strict=True):
            for out, value in zip(outs, values, strict=True):
                to = b.add(out, first)
                kept = value if new is None else b.select(new, value, self.numbers(to))
                b.store(kept, b.inttoptr(to, self.wide.as_pointer()), align=8)
        return sums

    @property
    def wide(self) -> Any:
        """The kind of a register."""
        return ir.VectorType(NUMBER, self.lanes)

    def constant(self, value: float) -> Any:
        """A constant in every place."""
        return ir.Constant(self.wide, [value] * self.lanes)

    def in_all(self, value: Any) -> Any:
        """A value in every place."""
        unknown = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        one = self.b.insert_element(unknown, value, count_of(0))
        return self.b.shuffle_vector(one, one, _counts([0] * self.lanes, 32))

    def numbers(self, address: Any) -> Any:
        """A register's numbers from an address on."""
        return self.b.load(self.b.inttoptr(address, self.wide.as_pointer()), align=8)

    def called(self, name: str, value: Any) -> Any:
        """What an operation of the processor makes of a register."""
        kind = ir.FunctionType(self.wide, [self.wide])
        function = self.b.module.declare_intrinsic(f"llvm.{name}.v{self.lanes}f64", (), kind)
        return self.b.call(function, [value])

    @property
    def origins(self) -> Lanes:
        """What the distances of each block are from, in every place."""
        for lane in range(self.lanes):
            yield self.in_all(self.b.extract_element(self.origin, count_of(lane)))

    def oldest(self, row: Any) -> Any:
        """First row of the window that ends with a row, counted from a block's start."""
        return self.b.sub(self.b.add(row, count_of(1)), self.size)

    def of_blocks(self, address: Any, row: Any) -> Lanes:
        """Numbers of a series from a row of each block on."""
        place = ahead(self.b, address, row)
        for first in self.firsts:
            yield self.numbers(self.b.add(place, first))


def _addresses(context: Any, b: Any, kind: Any, arrays: Any, row: Any) -> list[Any]:
    """Where a row of each of a tuple of series lies."""
    found = (
        context.make_array(each)(context, b, b.extract_value(arrays, k)).data
        for k, each in enumerate(kind)
    )
    return [ahead(b, b.ptrtoint(data, _COUNT), row) for data in found]


def summing(sums: int, step: Step, ending: Ending | None = None) -> Any:
    """A function for kernels, see `lane_sums`: forwards where the sums have an ending."""

    @intrinsic
    def of_blocks(_: Any, x: Any, weights: Any, older: Any, outs: Any,
                  start: Any, stop: Any, size: Any) -> Any:  # fmt: skip
        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            *series, start, stop, size = arguments
            blocks = b.sdiv(b.sub(stop, start), size)
            firsts = (start, count_of(0), start, start)
            parts = zip(signature.args[:4], series, firsts, strict=True)
            (values,), by, before, to = (
                _addresses(context, b, kind, of, row) for kind, of, row in parts
            )
            # What four sums take stays in registers when these are short.
            lanes = numbers_in_register(context) if sums <= 2 else 4
            Blocks(b, lanes, values, by, before, to, size, blocks, sums, step, ending).write()
            return context.get_dummy_value()

        for each in (each for group in (x, weights, older, outs) for each in group):
            if not (isinstance(each, types.Array) and (each.dtype, each.ndim) == _SERIES):
                return None
        rows = (types.int64,) * 3
        return types.void(x, weights, older, outs, *rows), generate

    return of_blocks
