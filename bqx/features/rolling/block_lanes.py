"""Running sums within four or eight blocks at once, one in each lane of a processor's registers.

A sum waits for the one before it, and blocks do not depend on each other. A square of as many rows
as lanes is read, turned so that a register holds one row of every block, summed, turned back and
written: every value has the bits that one block after the other gives it, on every processor.

Blocks are summed from their ends backwards, then from their first rows on. What the first way
reads and sums stays turned for the second. The older rows of a window are those of the block
before, in the lane before: moved by one lane they meet the newer ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable

from bqx.compiled import numbers_in_register
from bqx.features.rolling.instructions import (
    COUNT,
    NUMBER,
    ahead,
    count_of,
    counts,
    in_all,
    number,
    turned,
)

LANES = 8
"""Blocks side by side at most; as many rows may be read around the blocks."""

_SERIES = (types.float64, 1)
_ALIGNED = 64
"""Bytes at whose multiples registers are read and written the fastest."""

Step = Callable[[Any, Any, Any, Any, list[Any]], list[Any]]
"""From the builder, a row's values, their distances and weight and the sums so far to the sums
with it."""

Ending = Callable[["Blocks", Any, Any, list[Any]], Sequence[Any]]
"""From a row, counted from a block's start, its values and the sums up to it to what is written."""


@dataclass
class Blocks:
    """Instructions that sum whole blocks of a series, which follow each other in memory.

    Lanes beyond the last block sum that one, too. ``x``, ``older`` and ``outs`` are where
    the first block's first row lies, ``weights`` where the weight of the first row summed does,
    ``turned`` where there is room for what stays turned.
    """

    b: Any
    lanes: int
    x: Any
    weights: list[Any]
    older: list[Any]
    outs: list[Any]
    turned: Any
    size: Any
    blocks: Any
    step: Step
    ending: Ending

    def write(self) -> None:
        """As many blocks at a time as there are lanes."""
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        b.branch(loop)
        b.position_at_end(loop)
        block = b.phi(COUNT)
        self._abreast(block)
        following = b.add(block, count_of(self.lanes))
        block.add_incoming(count_of(0), before)
        block.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, self.blocks), loop, done)
        b.position_at_end(done)

    def _abreast(self, first: Any) -> None:
        """As many rows at a time, then those that are left: backwards, then forwards."""
        b, last = self.b, self.b.sub(self.blocks, count_of(1))
        self.firsts = []
        for k in range(self.lanes):
            block = b.add(first, count_of(k))
            block = b.select(b.icmp_signed("<", block, last), block, last)
            self.firsts.append(b.shl(b.mul(block, self.size), count_of(3)))
        self._all_rows(self._backwards, self.size)
        # A window that ends where a block does holds none of the block before.
        b.store(self.origin, self._kept(0, self.size))
        for k, older in enumerate(self.older):
            for row in (count_of(0), self.size):
                b.store(self.constant(0.0), self._kept(k + 1, row))
            first = b.inttoptr(b.add(older, self.firsts[0]), NUMBER.as_pointer())
            b.store(ir.Constant(NUMBER, 0.0), first)
        self._all_rows(self._forwards, count_of(0))

    def _all_rows(self, square: Callable[..., list[Any]], origin: Any) -> None:
        """All squares of the blocks, of distances from a row of each."""
        b, self.origin = self.b, ir.Constant(self.wide, ir.Undefined)
        for k, first in enumerate(self.firsts):
            value = number(b, b.add(self.x, first), origin)
            self.origin = b.insert_element(self.origin, value, count_of(k))
        rest = b.and_(self.size, count_of(self.lanes - 1))
        whole = b.sub(self.size, rest)
        sums = self._whole_squares(square, whole)
        with b.if_then(b.icmp_signed("!=", rest, count_of(0))):
            square(whole, sums, rest)

    def _whole_squares(self, square: Callable[..., list[Any]], whole: Any) -> list[Any]:
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        b.cbranch(b.icmp_signed("<", count_of(0), whole), loop, done)
        b.position_at_end(loop)
        i, sums = b.phi(COUNT), [b.phi(self.wide) for _ in self.older]
        added = square(i, sums)
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

    def _backwards(self, i: Any, sums: list[Any], rest: Any = None) -> list[Any]:
        """Sums with the rows before the last ``i``: those of a square, or ``rest`` of them."""
        b = self.b
        first = b.sub(b.sub(self.size, count_of(self.lanes)), i)
        columns = self._columns(first)
        for k in range(self.lanes):
            row, values = b.add(first, count_of(self.lanes - 1 - k)), columns[self.lanes - 1 - k]
            sums = self._added(0, b.add(i, count_of(k)), values, sums)
            for part, value in enumerate((values, *sums)):
                b.store(value, self._kept(part, row))
        return sums

    def _forwards(self, i: Any, sums: list[Any], rest: Any = None) -> list[Any]:
        """Sums with the rows from ``i`` on; writes what ends there, or in ``rest`` of them."""
        b, made = self.b, []
        for k in range(self.lanes):
            row = b.add(i, count_of(k))
            values = b.load(self._kept(0, row))
            self._hand_on(row, None if rest is None else b.icmp_signed("<", count_of(k), rest))
            sums = self._added(1, row, values, sums)
            made.append(self.ending(self, row, values, sums))
        for out, rows in zip(self.outs, zip(*made, strict=True), strict=True):
            self._write(turned(b, rows), ahead(b, out, i), rest)
        return sums

    def _hand_on(self, row: Any, new: Any) -> None:
        """Write older sums of the last block's row where the blocks that follow read them.

        By whole numbers: a register of its own for each number would take longer.
        """
        b, whole = self.b, COUNT.as_pointer()
        for k, older in enumerate(self.older):
            lane = b.gep(b.bitcast(self._kept(k + 1, row), whole), [count_of(self.lanes - 1)])
            value = b.load(lane)
            to = b.inttoptr(ahead(b, b.add(older, self.firsts[-1]), row), whole)
            b.store(value if new is None else b.select(new, value, b.load(to)), to)

    def _added(self, k: int, i: Any, values: Any, sums: list[Any]) -> list[Any]:
        """Sums with some values, by a row of the weights of a number."""
        weight = self.in_all(number(self.b, self.weights[k], i))
        return self.step(self.b, values, self.b.fsub(values, self.origin), weight, sums)

    def _half(self, address: Any, k: int, lane: int) -> Any:
        """Where that half lies of a register of a square, turned but for its quarters, which is of
        a lane."""
        b, half = self.b, self.lanes // 2
        place = b.add(ahead(b, address, count_of(k // half * half)), self.firsts[lane])
        return b.inttoptr(place, ir.VectorType(NUMBER, half).as_pointer())

    def _columns(self, row: Any) -> list[Any]:
        """As many rows of every block as there are lanes, from one on."""
        b, address, half = self.b, ahead(self.b, self.x, row), self.lanes // 2
        square, places = [], counts(range(self.lanes), 32)
        for k in range(self.lanes):
            lanes = k % half, k % half + half
            halves = (b.load(self._half(address, k, lane), align=8) for lane in lanes)
            square.append(b.shuffle_vector(*halves, places))
        return turned(b, square)

    def _write(self, square: list[Any], address: Any, rest: Any) -> None:
        """Write a square, or the ``rest`` first rows of it.

        The last lane first: those beyond the last block are written over by it.
        """
        b, half = self.b, self.lanes // 2
        for lane in reversed(range(self.lanes)):
            places = counts(range(lane // half * half, lane // half * half + half), 32)
            for k in (lane % half, lane % half + half):
                to = self._half(address, k, lane)
                value = b.shuffle_vector(square[k], square[k], places)
                if rest is not None:
                    rows = counts(range(k // half * half, k // half * half + half))
                    new = b.icmp_signed("<", rows, in_all(b, rest, half))
                    value = b.select(new, value, b.load(to, align=8))
                b.store(value, to, align=8)

    @property
    def wide(self) -> Any:
        """The kind of a register."""
        return ir.VectorType(NUMBER, self.lanes)

    def constant(self, value: float) -> Any:
        """A constant in every place."""
        return ir.Constant(self.wide, [value] * self.lanes)

    def in_all(self, value: Any) -> Any:
        """A value in every place."""
        return in_all(self.b, value, self.lanes)

    def called(self, name: str, value: Any) -> Any:
        """What an operation of the processor makes of a register."""
        kind = ir.FunctionType(self.wide, [self.wide])
        function = self.b.module.declare_intrinsic(f"llvm.{name}.v{self.lanes}f64", (), kind)
        return self.b.call(function, [value])

    def _kept(self, part: int, row: Any) -> Any:
        """Where a row of what stays turned lies: the series, then sums of it."""
        b = self.b
        rows = b.mul(count_of(part), b.add(self.size, count_of(2 * LANES)))
        rows = b.add(b.add(rows, count_of(LANES)), row)
        place = ahead(b, self.turned, b.mul(rows, count_of(self.lanes)))
        return b.inttoptr(place, self.wide.as_pointer())

    def oldest(self, row: Any) -> Any:
        """Of the window that ends with a row, the oldest value."""
        return self._before(0, self.x, row)

    def rest(self, row: Any) -> list[Any]:
        """Of the window that ends with a row, the sums over its rows in the block before."""
        return [self._before(k + 1, older, row) for k, older in enumerate(self.older)]

    def _before(self, part: int, series: Any, row: Any) -> Any:
        b, row = self.b, self.b.add(row, count_of(1))
        first = number(b, b.add(series, self.firsts[0]), b.sub(row, self.size))
        moved = counts(range(self.lanes - 1, 2 * self.lanes - 1), 32)
        return b.shuffle_vector(self.in_all(first), b.load(self._kept(part, row)), moved)


def _addresses(context: Any, b: Any, kind: Any, arrays: Any, row: Any) -> list[Any]:
    """Where a row of each of a tuple of series lies."""
    found = (
        context.make_array(each)(context, b, b.extract_value(arrays, k)).data
        for k, each in enumerate(kind)
    )
    return [ahead(b, b.ptrtoint(data, COUNT), row) for data in found]


@register_jitable
def room(size: int, sums: int) -> int:
    """Numbers that ``turned`` holds of blocks of so many rows, see `summing`."""
    return (sums + 1) * (size + 2 * LANES) * LANES + _ALIGNED // 8


def summing(step: Step, ending: Ending) -> Any:
    """A function for kernels, see `lane_sums`."""

    @intrinsic
    def of_blocks(_: Any, x: Any, weights: Any, older: Any, outs: Any,
                  turned: Any, start: Any, stop: Any, size: Any) -> Any:  # fmt: skip
        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            *series, start, stop, size = arguments
            blocks = b.sdiv(b.sub(stop, start), size)
            firsts = (start, count_of(0), start, start, count_of(0))
            parts = zip(signature.args[:5], series, firsts, strict=True)
            (values,), by, before, to, (own,) = (
                _addresses(context, b, kind, of, row) for kind, of, row in parts
            )
            own = b.and_(b.add(own, count_of(_ALIGNED - 1)), count_of(-_ALIGNED))
            lanes = numbers_in_register(context)
            Blocks(b, lanes, values, by, before, to, own, size, blocks, step, ending).write()
            return context.get_dummy_value()

        for each in (each for group in (x, weights, older, outs, turned) for each in group):
            if not (isinstance(each, types.Array) and (each.dtype, each.ndim) == _SERIES):
                return None
        rows = (types.int64,) * 3
        return types.void(x, weights, older, outs, turned, *rows), generate

    return of_blocks
